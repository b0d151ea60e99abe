/* issuer/site.c: the paths of all managed issuers, found by host and path. */
#include "issuer/site.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/secret.h"
#include "base/str.h"
#include "core/grant/client_rules.h"
#include "core/json/json.h"
#include "io/file.h"
#include "issuer/request.h"

/* "host:port\n/path": longer ones are nobody's. */
#define KEY_MAX         512
#define SECRET_MIN      16
#define CLIENT_FILE_MAX ((size_t)64 * 1024)

struct gh_issuer_site *gh_issuer_site_new(void)
{
    struct gh_arena *arena = gh_arena_new(0);
    struct gh_issuer_site *site = arena != NULL ? GH_ARENA_NEW(arena, struct gh_issuer_site) : NULL;
    if (site == NULL) {
        gh_arena_free(arena);
        return NULL;
    }
    site->refs = 1;
    site->arena = arena;
    gh_map_init(&site->paths);
    return site;
}

struct gh_issuer_site *gh_issuer_site_ref(struct gh_issuer_site *site)
{
    __atomic_add_fetch(&site->refs, 1, __ATOMIC_RELAXED);
    return site;
}

void gh_issuer_site_unref(struct gh_issuer_site *site)
{
    if (site == NULL || __atomic_sub_fetch(&site->refs, 1, __ATOMIC_ACQ_REL) > 0)
        return;
    for (size_t i = 0; i < site->issuer_count; i++)
        for (size_t k = 0; k < site->issuers[i].login_count; k++) {
            gh_secret_done(&site->issuers[i].logins[k].secret);
            gh_signing_key_unref(site->issuers[i].logins[k].key);
        }
    gh_map_done(&site->paths);
    gh_arena_free(site->arena);
}

/* ---- finding ---- */

static const struct gh_issuer_path *find(const struct gh_issuer_site *site, gh_str host, uint16_t port,
                                         gh_str path)
{
    char key[KEY_MAX];
    int len = snprintf(key, sizeof(key), "%.*s:%u\n%.*s", GH_STR_FMT(host), (unsigned)port, GH_STR_FMT(path));
    if (len < 0 || (size_t)len >= sizeof(key))
        return NULL;
    struct gh_map_node *node = gh_map_find(&site->paths, gh_str_of(key, (size_t)len));
    return node != NULL ? GH_MAP_ENTRY(node, struct gh_issuer_path, node) : NULL;
}

/* A Host without a port means the usual one of either scheme: what is in front may have ended TLS. */
const struct gh_issuer_path *gh_issuer_site_find(const struct gh_issuer_site *site,
                                                 const struct gh_authority *authority, gh_str path)
{
    if (site->issuer_count == 0)
        return NULL;
    if (authority->port != 0)
        return find(site, authority->host, authority->port, path);
    const struct gh_issuer_path *found = find(site, authority->host, 443, path);
    return found != NULL ? found : find(site, authority->host, 80, path);
}

const struct gh_client *gh_issuer_own_client(const struct gh_managed *managed, gh_str client_id)
{
    for (size_t i = 0; i < managed->client_count; i++)
        if (gh_str_eq(managed->clients[i].client.id, client_id))
            return &managed->clients[i].client;
    return NULL;
}

/* ---- building ---- */

static enum gh_reason add(struct gh_issuer_site *site, const struct gh_managed *managed,
                          const struct gh_endpoint *endpoint, const struct gh_issuer_login *login,
                          gh_str path)
{
    const struct gh_url *url = &managed->url;
    struct gh_issuer_path *entry = GH_ARENA_NEW(site->arena, struct gh_issuer_path);
    if (entry == NULL || path.ptr == NULL)
        return GH_OUT_OF_MEMORY;
    entry->node.key = gh_arena_printf(site->arena, "%.*s:%u\n%.*s", GH_STR_FMT(url->authority.host),
                                      (unsigned)url->port, GH_STR_FMT(path));
    entry->managed = managed;
    entry->endpoint = endpoint;
    entry->login = login;
    if (entry->node.key.ptr == NULL)
        return GH_OUT_OF_MEMORY;
    if (gh_map_find(&site->paths, entry->node.key) != NULL) /* an issuer without a path: both forms are one */
        return GH_OK;
    return gh_map_add(&site->paths, &entry->node) ? GH_OK : GH_OUT_OF_MEMORY;
}

/* mcp.md section 1: clients of 2025-03-26 look at the origin of the MCP server itself. */
static bool shares_origin(const struct gh_managed *managed)
{
    const struct gh_url *own = &managed->url;
    gh_str origin = gh_str_take(managed->policy.issuer, managed->policy.issuer.len - managed->base.len);
    for (size_t i = 0; own->scheme.len > 0 && i < managed->policy.resource_count; i++) {
        gh_str resource = managed->policy.resources[i].canonical;
        if (gh_str_starts(resource, origin) &&
            (resource.len == origin.len || resource.ptr[origin.len] == '/' ||
             resource.ptr[origin.len] == '?'))
            return true;
    }
    return false;
}

/* A path for each provider: which one answered is never a matter of what the answer says (RFC 9700 section
 * 4.4.2). */
static enum gh_reason add_callbacks(struct gh_issuer_site *site, const struct gh_managed *managed,
                                    const struct gh_endpoint *endpoint)
{
    enum gh_reason reason = GH_OK;
    for (size_t i = 0; reason == GH_OK && i < managed->login_count; i++)
        reason = add(site, managed, endpoint, &managed->logins[i],
                     gh_arena_printf(site->arena, "%.*s%s/%.*s", GH_STR_FMT(managed->base), endpoint->path,
                                     GH_STR_FMT(managed->logins[i].login.name)));
    return reason;
}

static enum gh_reason add_endpoint(struct gh_issuer_site *site, const struct gh_managed *managed,
                                   const struct gh_endpoint *endpoint)
{
    struct gh_arena *arena = site->arena;
    if (endpoint->is_registration && managed->registration == GH_REGISTRATION_OFF)
        return GH_OK;
    if (endpoint->is_alias && (managed->base.len > 0 || !shares_origin(managed)))
        return GH_OK;
    if (endpoint->is_sign_in && managed->login_count == 0)
        return GH_OK;
    if (endpoint->is_callback)
        return add_callbacks(site, managed, endpoint);
    if (endpoint->is_password && !managed->accounts)
        return GH_OK;
    enum gh_reason reason = add(site, managed, endpoint, NULL,
                                gh_arena_printf(arena, "%.*s%s", GH_STR_FMT(managed->base), endpoint->path));
    if (reason != GH_OK || !endpoint->is_well_known)
        return reason;
    /* RFC 8414 section 3.1: "inserting a well-known URI string [...] between the host component and the path
     * component, if any." */
    return add(site, managed, endpoint, NULL,
               gh_arena_printf(arena, "%s%.*s", endpoint->path, GH_STR_FMT(managed->base)));
}

enum gh_reason gh_issuer_site_index(struct gh_issuer_site *site)
{
    for (size_t i = 0; i < site->issuer_count; i++) {
        struct gh_managed *managed = &site->issuers[i];
        managed->index = (uint32_t)i;
        managed->seen = (struct gh_policy){ .tenant = managed->policy.tenant, .route = managed->name };
        managed->metadata = gh_issuer_metadata_write(site->arena, managed);
        if (managed->metadata.ptr == NULL)
            return GH_OUT_OF_MEMORY;
        for (size_t k = 0; k < gh_endpoint_count; k++) {
            enum gh_reason reason = add_endpoint(site, managed, &gh_endpoints[k]);
            if (reason != GH_OK)
                return reason;
        }
    }
    return GH_OK;
}

/* ---- files of clients ---- */

static enum gh_reason refuse(char **ret_why, gh_str file, const char *why)
{
    if (asprintf(ret_why, "%.*s: %s", GH_STR_FMT(file), why) < 0)
        *ret_why = NULL;
    return GH_SETTINGS_INVALID;
}

/* A line each: the secret in use, and the one that replaces it. Only their hashes are kept. */
static enum gh_reason read_secrets(struct gh_arena *arena, struct gh_managed_client *from, gh_str text,
                                   char **ret_why)
{
    gh_str *at = gh_arena_calloc(arena, GH_CLIENT_SECRETS_MAX, sizeof(*at));
    size_t count = 0;
    if (at == NULL)
        return GH_OUT_OF_MEMORY;
    while (text.ptr != NULL) {
        gh_str line = gh_str_cut(&text, '\n');
        if (gh_str_ends(line, GH_STR("\r")))
            line.len--;
        if (line.len == 0)
            continue;
        if (line.len < SECRET_MIN || count == GH_CLIENT_SECRETS_MAX)
            return refuse(ret_why, from->secret_file,
                          "one or two lines of at least 16 characters are allowed");
        at[count] = gh_secret_hash(arena, line);
        if (at[count++].ptr == NULL)
            return GH_OUT_OF_MEMORY;
    }
    from->client.secrets = (struct gh_strs){ at, count };
    return count > 0 ? GH_OK : refuse(ret_why, from->secret_file, "it holds no secret");
}

static enum gh_reason read_keys(struct gh_arena *arena, struct gh_managed_client *from, gh_str text,
                                char **ret_why)
{
    gh_str why = gh_client_keys_wrong(arena, text);
    if (why.len > 0)
        return refuse(ret_why, from->jwks_file, why.ptr);
    from->client.jwks = why.ptr != NULL ? gh_arena_dup(arena, text) : GH_STR_NONE;
    return from->client.jwks.ptr == NULL ? GH_OUT_OF_MEMORY : GH_OK;
}

static enum gh_reason load_client(struct gh_arena *arena, struct gh_managed_client *client, char **ret_why)
{
    bool is_secret = client->secret_file.len > 0;
    gh_str file = is_secret ? client->secret_file : client->jwks_file;
    struct gh_secret bytes = { 0 };
    if (file.len == 0)
        return GH_OK;
    enum gh_reason reason = gh_small_file_read(file, CLIENT_FILE_MAX, is_secret, &bytes, ret_why);
    gh_str text = gh_str_of(bytes.bytes, bytes.len);
    if (reason == GH_OK)
        reason =
            is_secret ? read_secrets(arena, client, text, ret_why) : read_keys(arena, client, text, ret_why);
    gh_secret_done(&bytes);
    return reason;
}

/* ---- the self-check ---- */

/* Whatever the document lists is answered here, by an endpoint of this very issuer. */
static enum gh_reason check_listed(const struct gh_issuer_site *site, const struct gh_managed *managed,
                                   gh_str url, char **ret_why)
{
    const struct gh_authority authority = { .host = managed->url.authority.host, .port = managed->url.port };
    gh_str issuer = managed->policy.issuer;
    gh_str path = gh_str_starts(url, issuer) ? gh_str_skip(url, issuer.len - managed->base.len) : GH_STR("");
    const struct gh_issuer_path *found = gh_issuer_site_find(site, &authority, path);
    return found != NULL && found->managed == managed && found->endpoint->steps != NULL
               ? GH_OK
               : refuse(ret_why, url, "is in the metadata of an issuer, and nothing answers there");
}

static enum gh_reason check_document(const struct gh_issuer_site *site, const struct gh_managed *managed,
                                     char **ret_why)
{
    struct gh_json document;
    enum gh_reason reason =
        gh_json_read(site->arena, managed->metadata, &gh_json_control_limits, GH_SETTINGS_INVALID, &document);
    for (size_t i = 0; reason == GH_OK && i < document.count; i++)
        if (gh_str_ends(document.members[i].name, GH_STR("_endpoint")) ||
            gh_str_ends(document.members[i].name, GH_STR("_uri")))
            reason = check_listed(site, managed, gh_json_text(&document.members[i].value), ret_why);
    return reason;
}

static enum gh_reason load_managed(struct gh_issuer_site *site, struct gh_managed *managed, char **ret_why)
{
    enum gh_reason reason = GH_OK;
    for (size_t i = 0; reason == GH_OK && i < managed->client_count; i++)
        reason = load_client(site->arena, &managed->clients[i], ret_why);
    for (size_t i = 0; reason == GH_OK && i < managed->login_count; i++)
        reason = gh_issuer_login_load(&managed->logins[i], ret_why);
    return reason;
}

enum gh_reason gh_issuer_site_load(struct gh_issuer_site *site, char **ret_why)
{
    enum gh_reason reason = GH_OK;
    for (size_t i = 0; reason == GH_OK && i < site->issuer_count; i++)
        reason = check_document(site, &site->issuers[i], ret_why);
    for (size_t i = 0; reason == GH_OK && i < site->issuer_count; i++)
        reason = load_managed(site, &site->issuers[i], ret_why);
    return reason;
}
