/* keys/ring_conf.c: copies what a ring needs of an issuer's settings, and reads the files they name. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/str.h"
#include "io/file.h"
#include "keys/ring.h"

#define SECRET_MAX ((size_t)64 * 1024)

static bool copy_conf(struct ring_conf *to, const struct gh_issuer_conf *conf);
static bool copy_issuers(struct ring_conf *to, const struct gh_profile *profile);
static bool set_identity(struct ring_conf *to);
static enum gh_reason read_secret(struct ring_conf *to, gh_str path, char **ret_why);
static enum gh_reason read_key(struct ring_conf *to, gh_str path, char **ret_why);

enum gh_reason gh_ring_conf_new(const struct gh_issuer_conf *conf, struct ring_conf **ret_conf,
                                char **ret_why)
{
    struct ring_conf *copy = gh_calloc(1, sizeof(*copy));
    if (copy == NULL)
        return GH_OUT_OF_MEMORY;
    enum gh_reason reason = GH_OUT_OF_MEMORY;
    copy->arena = gh_arena_new(1024);
    if (copy->arena == NULL || !copy_conf(copy, conf) || !copy_issuers(copy, &conf->profile) ||
        !set_identity(copy))
        goto fail;
    reason = read_secret(copy, conf->introspection_secret_file, ret_why);
    if (reason == GH_OK)
        reason = read_key(copy, conf->introspection_key_file, ret_why);
    if (reason != GH_OK)
        goto fail;
    *ret_conf = copy;
    return GH_OK;
fail:
    gh_ring_conf_free(copy);
    return reason;
}

void gh_ring_conf_free(struct ring_conf *conf)
{
    if (conf == NULL)
        return;
    gh_secret_done(&conf->introspection_secret);
    gh_signing_key_unref(conf->introspection_key);
    gh_arena_free(conf->arena);
    free(conf);
}

static bool copy_conf(struct ring_conf *to, const struct gh_issuer_conf *conf)
{
    to->algs = conf->profile.algs;
    to->max_age_s = conf->max_age_s;
    to->max_stale_s = conf->max_stale_s;
    to->cooldown_s = conf->cooldown_s;
    to->introspection_parallel = conf->introspection_parallel;
    to->is_login = conf->is_login;
    to->managed = conf->managed;
    to->is_shared = conf->is_shared;
    to->has_keys = conf->introspection_url.len == 0 || conf->discovery_url.len != 0 ||
                   conf->jwks_url.len != 0 || conf->jwks_file.len != 0;
    const struct {
        gh_str from, *to;
    } texts[] = {
        { conf->profile.name, &to->name },
        { conf->discovery_url, &to->discovery_url },
        { conf->jwks_url, &to->jwks_url },
        { conf->jwks_file, &to->jwks_file },
        { conf->jwks_text, &to->jwks_text },
        { conf->introspection_url, &to->introspection_url },
        { conf->introspection_client, &to->introspection_client },
        { conf->introspection_audience, &to->introspection_audience },
    };
    for (size_t i = 0; i < GH_ARRAY_LEN(texts); i++) {
        *texts[i].to = gh_arena_dup(to->arena, texts[i].from);
        if (texts[i].to->ptr == NULL)
            return false;
    }
    return true;
}

/* A multi-tenant issuer's metadata holds a placeholder of its own where the template has {tid}: Entra ID
 * writes {tenantid}. */
static bool copy_issuers(struct ring_conf *to, const struct gh_profile *profile)
{
    gh_str *issuers = gh_arena_calloc(to->arena, profile->issuers.count + 2, sizeof(*issuers));
    if (issuers == NULL)
        return false;
    size_t count = 0;
    for (; count < profile->issuers.count; count++) {
        issuers[count] = gh_arena_dup(to->arena, profile->issuers.at[count]);
        if (issuers[count].ptr == NULL)
            return false;
    }
    if (count > 0)
        to->issuer = issuers[0];
    gh_str template = profile->issuer_template;
    const char *brace = template.len != 0 ? memmem(template.ptr, template.len, "{tid}", 5) : NULL;
    if (brace != NULL) {
        size_t before = (size_t)(brace - template.ptr);
        issuers[count] = gh_arena_dup(to->arena, template);
        issuers[count + 1] =
            gh_arena_printf(to->arena, "%.*s{tenantid}%.*s", GH_STR_FMT(gh_str_take(template, before)),
                            GH_STR_FMT(gh_str_skip(template, before + 5)));
        if (issuers[count].ptr == NULL || issuers[count + 1].ptr == NULL)
            return false;
        count += 2;
    }
    to->issuers = (struct gh_strs){ .at = issuers, .count = count };
    return true;
}

/* What decides which keys are this issuer's. No settings text holds a line feed. */
static bool set_identity(struct ring_conf *to)
{
    gh_str names = gh_arena_join(to->arena, to->issuers, GH_STR("\n"));
    if (names.ptr == NULL)
        return false;
    to->identity = gh_arena_printf(to->arena, "%.*s\n%.*s\n%.*s\n%.*s\n%x %d\n%.*s", GH_STR_FMT(to->name),
                                   GH_STR_FMT(to->discovery_url), GH_STR_FMT(to->jwks_url),
                                   GH_STR_FMT(to->jwks_file), to->algs, to->has_keys, GH_STR_FMT(names));
    return to->identity.ptr != NULL;
}

static enum gh_reason read_secret(struct ring_conf *to, gh_str path, char **ret_why)
{
    if (path.len == 0)
        return GH_OK;
    enum gh_reason reason = gh_small_file_read(path, SECRET_MAX, true, &to->introspection_secret, ret_why);
    struct gh_secret *secret = &to->introspection_secret;
    /* Editors end a file with a line feed, which no secret holds. */
    while (secret->len > 0 &&
           (secret->bytes[secret->len - 1] == '\n' || secret->bytes[secret->len - 1] == '\r'))
        secret->bytes[--secret->len] = '\0';
    return reason;
}

static enum gh_reason read_key(struct ring_conf *to, gh_str path, char **ret_why)
{
    struct gh_secret pem = { 0 };
    enum gh_signing_fault fault;
    if (path.len == 0)
        return GH_OK;
    enum gh_reason reason = gh_small_file_read(path, SECRET_MAX, true, &pem, ret_why);
    if (reason != GH_OK)
        return reason;
    reason = gh_signing_key_read(gh_str_of(pem.bytes, pem.len), &fault, &to->introspection_key);
    gh_secret_done(&pem);
    if (reason != GH_KEYS_MALFORMED)
        return reason;
    gh_str found = gh_signing_fault_text(fault);
    if (asprintf(ret_why, "%.*s: holds %.*s", GH_STR_FMT(path), GH_STR_FMT(found)) < 0)
        *ret_why = NULL;
    return GH_SETTINGS_INVALID;
}
