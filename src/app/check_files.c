/* app/check_files.c: what `gatehouse check` finds in the files that the settings name: certificates, keys,
 * secrets, key sets; read as `serve` reads them. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/check.h"
#include "app/commands.h"
#include "base/str.h"
#include "gateway/session_keys.h"
#include "keys/signing.h"

struct files {
    const struct gh_conf *conf;
    struct gh_conf_errors *errors;
    bool out_of_memory;
};

static void tell(struct files *files, struct gh_conf_place place, const struct gh_conf_error *what)
{
    files->out_of_memory |= !gh_conf_tell(files->conf, place, what, files->errors);
}

/* Somebody else's file may be readable for the user who runs the gateway: that is no fault of the settings.
 * The settings themselves were read with a warning. */
static bool may_look(const gh_str *paths, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (paths[i].len > 0 && access(paths[i].ptr, R_OK) != 0 && errno == EACCES)
            return false;
    return true;
}

/* `why` was made by whoever read the file, and is freed here. */
static void tell_why(struct files *files, struct gh_conf_place place, gh_str key_path, char *why,
                     const char *allowed)
{
    const struct gh_conf_error what = { .key_path = key_path,
                                        .found = why != NULL ? gh_str_from(why) : GH_STR("too little memory"),
                                        .allowed = gh_str_from(allowed) };
    tell(files, place, &what);
    free(why);
}

static gh_str path_of(struct files *files, const char *list, size_t i, const char *member)
{
    gh_str path = gh_arena_printf(files->errors->arena, "%s[%zu].%s", list, i, member);
    return path.ptr != NULL ? path : gh_str_from(member);
}

static void check_listener(struct files *files, size_t i)
{
    const struct gh_listen_conf *listen = &files->conf->front.listeners[i];
    struct gh_tls_context *context = NULL;
    char *why = NULL;
    for (size_t p = 0; p < listen->pair_count; p++) {
        const gh_str paths[] = { listen->pairs[p].certificate_file, listen->pairs[p].key_file };
        if (!may_look(paths, GH_ARRAY_LEN(paths)))
            return;
    }
    const struct gh_tls_server_conf conf = { .pairs = listen->pairs,
                                             .pair_count = listen->pair_count,
                                             .h2 = true };
    if (listen->pair_count == 0)
        return;
    if (gh_tls_server_context(&conf, NULL, &context, &why) == GH_OK)
        gh_tls_context_unref(context);
    else
        tell_why(files, files->conf->places.listeners[i], path_of(files, "listen", i, "tls"), why,
                 "certificates with their own keys: RSA of at least 2048 bits, or P-256 and larger");
}

/* A round of key rings that is taken back: static keys and secrets are read, nothing is fetched. */
static void check_issuers(struct files *files)
{
    const struct gh_conf *conf = files->conf;
    struct gh_loop *loop = gh_loop_new();
    struct gh_registry *registry = gh_registry_new(1);
    struct gh_keyrings *rings =
        loop != NULL && registry != NULL ? gh_keyrings_new(loop, NULL, registry, NULL, NULL) : NULL;
    files->out_of_memory |= rings == NULL;
    for (size_t i = 0; rings != NULL && i < conf->places.issuer_count; i++) {
        const struct gh_issuer_conf *issuer = &conf->site->issuers[i].conf;
        const gh_str paths[] = { issuer->jwks_file, issuer->introspection_secret_file,
                                 issuer->introspection_key_file };
        char *why = NULL;
        uint32_t slot;
        if (issuer->managed || !may_look(paths, GH_ARRAY_LEN(paths)))
            continue; /* keys of our own issuers are made when the gateway starts */
        gh_keyrings_begin(rings);
        if (gh_keyrings_add(rings, issuer, &slot, &why) != GH_OK)
            tell_why(files, conf->places.issuers[i],
                     gh_arena_printf(files->errors->arena, "issuers.%.*s", GH_STR_FMT(issuer->profile.name)),
                     why, "files that can be used");
        gh_keyrings_end(rings, false);
    }
    gh_keyrings_free(rings);
    gh_registry_free(registry);
    gh_loop_free(loop);
}

/* Secrets and keys of the clients of our own issuers. */
static void check_clients(struct files *files)
{
    struct gh_issuer_site *site = files->conf->issuer_site;
    char *why = NULL;
    for (size_t i = 0; i < site->issuer_count; i++)
        for (size_t k = 0; k < site->issuers[i].client_count; k++) {
            const gh_str paths[] = { site->issuers[i].clients[k].secret_file,
                                     site->issuers[i].clients[k].jwks_file };
            if (!may_look(paths, GH_ARRAY_LEN(paths)))
                return;
        }
    for (size_t i = 0; i < site->issuer_count; i++)
        for (size_t k = 0; k < site->issuers[i].login_count; k++) {
            const gh_str paths[] = { site->issuers[i].logins[k].secret_file,
                                     site->issuers[i].logins[k].key_file };
            if (!may_look(paths, GH_ARRAY_LEN(paths)))
                return;
        }
    size_t first = 0;
    while (first + 1 < files->conf->places.issuer_count && !files->conf->site->issuers[first].conf.managed)
        first++;
    if (gh_issuer_site_load(site, &why) != GH_OK) /* its text names the file */
        tell_why(files, files->conf->places.issuers[first], GH_STR("issuers"), why, "files that can be used");
}

/* What seals signing keys in the store; the row itself is nothing that a file could say. */
static void check_sealing(struct files *files, size_t i)
{
    const struct gh_conf *conf = files->conf;
    gh_str name = conf->site->issuers[i].conf.profile.name;
    for (size_t k = 0; k < conf->issuer_site->issuer_count; k++) {
        const struct gh_managed *managed = &conf->issuer_site->issuers[k];
        const struct gh_signing_conf signing = { .kek_file = managed->kek_file,
                                                 .in_store = true,
                                                 .tenant = managed->policy.tenant,
                                                 .issuer = managed->policy.issuer };
        struct gh_signing_ring *ring = NULL;
        char *why = NULL;
        if (!managed->keys_in_store || !gh_str_eq(managed->name, name) || !may_look(&managed->kek_file, 1))
            continue;
        if (gh_signing_ring_open_stored(&signing, &ring, &why) != GH_OK)
            tell_why(files, conf->places.issuers[i],
                     gh_arena_printf(files->errors->arena, "issuers.%.*s.managed.keys_encryption_file",
                                     GH_STR_FMT(name)),
                     why, "a file of at least 32 bytes, such as openssl rand -hex 32 makes");
        gh_signing_ring_free(ring);
    }
}

static void check_upstream(struct files *files, size_t i)
{
    const struct gh_upstream_conf *conf = &files->conf->site->routes[i].upstream_conf;
    const gh_str paths[] = { conf->ca_file, conf->certificate_file, conf->key_file, conf->credential_file };
    struct gh_upstream_target *target = NULL;
    char *why = NULL;
    if (!may_look(paths, GH_ARRAY_LEN(paths)))
        return;
    if (gh_upstream_target_read(conf, &target, &why) == GH_OK)
        gh_upstream_target_unref(target);
    else
        tell_why(files, files->conf->places.routes[i], path_of(files, "routes", i, "upstream"), why,
                 "files that can be used");
}

static void check_admin(struct files *files)
{
    gh_str file = files->conf->admin.token_file;
    struct gh_secret token = { 0 };
    if (file.len == 0 || !may_look(&file, 1))
        return;
    if (!gh_admin_token_read(file, &token)) {
        const struct gh_conf_error what = { .key_path = GH_STR("admin.token_file"),
                                            .found = file,
                                            .allowed = GH_STR("a file with a token of at least 16 "
                                                              "characters") };
        tell(files, files->conf->places.admin, &what);
    }
    gh_secret_done(&token);
}

static void check_sessions(struct files *files)
{
    gh_str file = files->conf->session_key_file;
    struct gh_session_keys *keys = NULL;
    char *why = NULL;
    if (file.len == 0 || !may_look(&file, 1))
        return;
    if (gh_session_keys_load(file, &keys, &why) == GH_OK)
        gh_session_keys_unref(keys);
    else
        tell_why(files, files->conf->places.sessions, GH_STR("sessions.key_file"), why,
                 "a file with a session key");
}

static void check_fetch(struct files *files)
{
    const struct gh_fetch_conf *conf = &files->conf->fetch;
    if (conf->ca_file.len == 0 || !may_look(&conf->ca_file, 1))
        return;
    struct gh_loop *loop = gh_loop_new();
    struct gh_fetcher *fetcher = loop != NULL ? gh_fetcher_new(loop, conf) : NULL;
    const struct gh_conf_error what = { .key_path = GH_STR("fetch.ca_file"),
                                        .found = conf->ca_file,
                                        .allowed = GH_STR("a file of at most 4 MiB with PEM certificates") };
    if (fetcher == NULL)
        tell(files, files->conf->places.fetch, &what);
    gh_fetcher_free(fetcher);
    gh_loop_free(loop);
}

/* Only where TLS is spoken: the settings were refused otherwise. */
static void check_store(struct files *files)
{
    const struct gh_store_conf *conf = &files->conf->store;
    const gh_str paths[] = { conf->ca_file, conf->certificate_file, conf->key_file };
    struct gh_tls_context *context = NULL;
    char *why = NULL;
    if (!may_look(paths, GH_ARRAY_LEN(paths)) || (conf->ca_file.len == 0 && conf->certificate_file.len == 0))
        return;
    if (gh_store_tls(conf, &context, &why) == GH_OK)
        gh_tls_context_unref(context);
    else
        tell_why(files, files->conf->places.store, GH_STR("store"), why, "files that can be used");
}

enum gh_reason gh_check_files(const struct gh_conf *conf, struct gh_conf_errors *errors)
{
    struct files files = { .conf = conf, .errors = errors };
    size_t told = errors->error_count;
    for (size_t i = 0; i < conf->front.listener_count; i++)
        check_listener(&files, i);
    check_issuers(&files);
    check_clients(&files);
    for (size_t i = 0; i < conf->places.issuer_count; i++)
        check_sealing(&files, i);
    for (size_t i = 0; i < conf->site->route_count; i++)
        check_upstream(&files, i);
    check_admin(&files);
    check_sessions(&files);
    check_fetch(&files);
    check_store(&files);
    if (files.out_of_memory)
        return GH_OUT_OF_MEMORY;
    return errors->error_count > told ? GH_SETTINGS_INVALID : GH_OK;
}
