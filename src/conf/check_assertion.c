/* conf/check_assertion.c: who signs the identity that is passed on, with which keys, and to whom a route
 * sends it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/str.h"
#include "conf/build.h"
#include "io/file.h"

#define KEY_FILE_MAX 16384u
#define KEY_WORDS    "one PEM block with a private key, PKCS#8, not encrypted: P-256 or Ed25519"

static void check_issuer(struct gh_build *build, const struct gh_node *node, gh_str issuer);
static void read_keys(struct gh_build *build, const struct gh_node *files);
static struct gh_signing_key *read_key(struct gh_build *build, const struct gh_node *node, gh_str path);
static void check_name(struct gh_build *build, const struct gh_settings_route *from,
                       const struct gh_route *route);
static gh_str origin_of(struct gh_build *build, const struct gh_node *node,
                        const struct gh_upstream_conf *upstream);

/* ---- who signs ---- */

void gh_build_assertion(struct gh_build *build)
{
    const struct gh_settings_assertion *from = &build->settings->assertion;
    struct gh_assertion_signer *signer = &build->site->assertion;
    const struct gh_node *node = gh_node_get(gh_build_root(build), "assertion");
    if (node == NULL)
        return;
    check_issuer(build, node, from->issuer);
    signer->issuer = gh_build_text(build, gh_arena_dup(build->site->arena, from->issuer));
    read_keys(build, gh_node_get(node, "key_files"));
    if (!build->teller->out_of_memory)
        signer->key_set =
            gh_build_text(build, gh_jwks_write(build->site->arena, signer->keys, signer->key_count));
}

/* Under one name it could not be told who vouches: the gateway for what it saw, or the issuer. */
static void check_issuer(struct gh_build *build, const struct gh_node *node, gh_str issuer)
{
    for (size_t i = 0; i < build->site->issuer_count; i++) {
        const struct gh_profile *profile = &build->site->issuers[i].conf.profile;
        if (!gh_strs_has(profile->issuers, issuer))
            continue;
        gh_tell_error(build->teller, node, "issuer",
                      gh_tell_text(build->teller, "%s, which is issuer %.*s",
                                   gh_tell_quoted(build->teller, issuer).ptr, GH_STR_FMT(profile->name)),
                      GH_STR("a name of this gateway's own"));
        return;
    }
}

static void read_keys(struct gh_build *build, const struct gh_node *files)
{
    struct gh_strs paths = build->settings->assertion.key_files;
    struct gh_assertion_signer *signer = &build->site->assertion;
    signer->keys = gh_build_alloc(build, paths.count, sizeof(struct gh_signing_key *));
    for (size_t i = 0; i < paths.count && !build->teller->out_of_memory; i++) {
        const struct gh_node *node = gh_entry_node(files, i);
        struct gh_signing_key *key = read_key(build, node, paths.at[i]);
        bool again = false;
        for (size_t j = 0; j < signer->key_count && key != NULL; j++)
            again |= gh_str_eq(gh_signing_key_kid(signer->keys[j]), gh_signing_key_kid(key));
        if (again)
            gh_tell_error(build->teller, node, NULL, GH_STR("a key that stands in another file too"),
                          GH_STR("each key once"));
        if (again)
            gh_signing_key_unref(key);
        else if (key != NULL)
            signer->keys[signer->key_count++] = key;
    }
}

/* As with every file: where we may not even look, the process that will run may. */
static bool is_hidden(struct gh_build *build, const struct gh_node *node, gh_str path)
{
    struct gh_teller *teller = build->teller;
    if (access(path.ptr, R_OK) == 0 || errno != EACCES)
        return false;
    gh_tell_warning(teller, node, NULL,
                    gh_tell_text(teller, "%s: %s", gh_tell_quoted(teller, path).ptr, strerror(EACCES)),
                    GH_STR("to check as the user who runs it"));
    build->site->assertion.unreadable = gh_build_text(build, gh_arena_dup(build->site->arena, path));
    return true;
}

static enum gh_reason open_key(struct gh_build *build, const struct gh_node *node, gh_str path,
                               struct gh_signing_key **ret_key)
{
    struct gh_secret pem = { 0 };
    char *why = NULL;
    enum gh_signing_fault fault = GH_SIGNING_FAULT_PEM;
    enum gh_reason reason = gh_small_file_read(path, KEY_FILE_MAX, true, &pem, &why);
    if (reason == GH_OK)
        reason = gh_signing_key_read(gh_str_of(pem.bytes, pem.len), &fault, ret_key);
    if (reason == GH_OUT_OF_MEMORY)
        build->teller->out_of_memory = true;
    else if (reason != GH_OK)
        gh_tell_error(build->teller, node, NULL,
                      why != NULL ? gh_tell_text(build->teller, "%s", why) : gh_signing_fault_text(fault),
                      GH_STR(KEY_WORDS));
    gh_secret_done(&pem);
    free(why);
    return reason;
}

/* NULL: told. */
static struct gh_signing_key *read_key(struct gh_build *build, const struct gh_node *node, gh_str path)
{
    struct gh_signing_key *key = NULL;
    if (is_hidden(build, node, path) || open_key(build, node, path, &key) != GH_OK)
        return NULL;
    if (!gh_signing_key_is_costly(key))
        return key;
    /* Each signature would hold up a worker for longer than all its other work on a request. */
    gh_tell_error(build->teller, node, NULL, GH_STR("an RSA key, whose signatures take too long"),
                  GH_STR(KEY_WORDS));
    gh_signing_key_unref(key);
    return NULL;
}

/* ---- one route ---- */

void gh_build_route_assertion(struct gh_build *build, const struct gh_settings_route *from,
                              struct gh_route *route)
{
    const struct gh_node *node = gh_node_get(from->at.node, "identity_assertion");
    if (node == NULL || route->upstream_conf.endpoint_count == 0)
        return;
    route->assertion = from->assertion;
    if (gh_node_get(gh_build_root(build), "assertion") == NULL)
        gh_tell_error(build->teller, from->at.node, "identity_assertion", GH_STR("nobody who could sign it"),
                      GH_STR("this only beside assertion, at the root"));
    check_name(build, from, route);
    if (route->assertion.audience.len == 0)
        route->assertion.audience = origin_of(build, node, &route->upstream_conf);
}

static void check_name(struct gh_build *build, const struct gh_settings_route *from,
                       const struct gh_route *route)
{
    const struct gh_identity_headers *id = &from->identity;
    const gh_str taken[] = { id->user,  id->client, id->tenant, id->issuer,
                             id->agent, id->scopes, id->kind,   route->upstream_conf.credential_header };
    const struct gh_node *node = gh_node_get(from->at.node, "identity_assertion");
    const char *key = node->kind == GH_NODE_MAP ? "header" : NULL;
    gh_str name = route->assertion.header;
    bool is_taken = gh_strs_has((struct gh_strs){ taken, GH_ARRAY_LEN(taken) }, name) ||
                    gh_strs_has(from->forward_headers, name);
    gh_check_header(build, node, key, name);
    if (is_taken)
        gh_tell_error(build->teller, node, key, gh_tell_quoted(build->teller, name),
                      GH_STR("a field of its own: not forwarded from clients, not used twice"));
}

/* Of the upstream, as `aud`. */
static gh_str origin_of(struct gh_build *build, const struct gh_node *node,
                        const struct gh_upstream_conf *upstream)
{
    const struct gh_url *first = &upstream->endpoints[0];
    for (size_t i = 1; i < upstream->endpoint_count; i++) {
        const struct gh_url *url = &upstream->endpoints[i];
        if (gh_str_eq(url->scheme, first->scheme) && gh_str_eq(url->authority_text, first->authority_text))
            continue;
        gh_tell_error(build->teller, node, node->kind == GH_NODE_MAP ? "audience" : NULL, GH_STR("nothing"),
                      GH_STR("one audience for all endpoints, which have several origins"));
        return first->authority_text;
    }
    return gh_build_text(build, gh_arena_printf(build->site->arena, "%.*s://%.*s", GH_STR_FMT(first->scheme),
                                                GH_STR_FMT(first->authority_text)));
}
