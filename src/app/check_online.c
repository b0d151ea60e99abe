/* app/check_online.c: `gatehouse check --online`: asks each issuer for its metadata and keys, and says what
 * MCP clients would miss there. */
#include <string.h>

#include "app/check.h"
#include "base/str.h"

#define BRIDGE "; where the provider cannot, use shape: bridge (the managed issuer in front of it)"

struct online {
    const struct gh_conf *conf;
    struct gh_conf_errors *errors;
    struct gh_loop *loop;
    struct gh_fetcher *fetcher;
    struct gh_arena *arena;
    size_t pending;
    bool out_of_memory;
};

/* One issuer that is being asked. */
struct asked {
    struct online *online;
    const struct gh_issuer_conf *conf;
    struct gh_conf_place place;
    struct gh_strs places; /* where its metadata may stand */
    size_t at;
    gh_str url; /* the one being fetched */
};

static void ask_metadata(struct asked *asked);
static void ask_keys(struct asked *asked, gh_str url);

static void tell(const struct asked *asked, bool warning, const char *member, gh_str found,
                 const char *allowed)
{
    struct online *online = asked->online;
    gh_str path =
        gh_arena_printf(online->arena, "issuers.%.*s%s", GH_STR_FMT(asked->conf->profile.name), member);
    const struct gh_conf_error what = {
        .key_path = path, .found = found, .allowed = gh_str_from(allowed), .warning = warning
    };
    online->out_of_memory |= path.ptr == NULL || found.ptr == NULL ||
                             !gh_conf_tell(online->conf, asked->place, &what, online->errors);
}

static gh_str text(const struct asked *asked, const char *what, const char *why)
{
    return gh_arena_printf(asked->online->arena, "%s %.*s: %s", what, GH_STR_FMT(asked->url), why);
}

static void done(struct asked *asked)
{
    asked->online->pending--;
}

/* ---- keys ---- */

static gh_str left_out(const struct asked *asked, const unsigned *faults, size_t usable)
{
    static const char *const names[GH_KEY_FAULT_COUNT] = {
        [GH_KEY_FAULT_MALFORMED] = "malformed",
        [GH_KEY_FAULT_TYPE] = "of an unknown type",
        [GH_KEY_FAULT_USE] = "not for signatures",
        [GH_KEY_FAULT_WEAK] = "weak",
        [GH_KEY_FAULT_ALGORITHM] = "for other algorithms",
        [GH_KEY_FAULT_DUPLICATE] = "under one kid with others",
        [GH_KEY_FAULT_EXCESS] = "beyond the 64th",
    };
    struct gh_arena *arena = asked->online->arena;
    gh_str list = GH_STR("");
    for (size_t i = 0; i < GH_KEY_FAULT_COUNT; i++)
        if (faults[i] > 0)
            list = gh_arena_printf(arena, "%.*s%s%u %s", GH_STR_FMT(list), list.len > 0 ? ", " : "",
                                   faults[i], names[i]);
    return gh_arena_printf(arena, "%zu usable keys at %.*s%s%.*s", usable, GH_STR_FMT(asked->url),
                           list.len > 0 ? "; left out: " : "", GH_STR_FMT(list));
}

static void keys_came(void *ctx, const struct gh_fetch_answer *answer)
{
    struct asked *asked = ctx;
    unsigned faults[GH_KEY_FAULT_COUNT] = { 0 };
    unsigned rejected = 0;
    struct gh_jwks *set = NULL;
    done(asked);
    if (answer->reason != GH_OK) {
        tell(asked, false, ".jwks", text(asked, "keys that could not be fetched:", answer->why),
             "a key set that the gateway can fetch");
        return;
    }
    enum gh_reason reason = gh_jwks_read(answer->body, asked->conf->profile.algs, faults, &set);
    for (size_t i = 0; i < GH_KEY_FAULT_COUNT; i++)
        rejected += faults[i];
    if (reason == GH_OK && rejected > 0)
        tell(asked, true, ".jwks", left_out(asked, faults, gh_jwks_count(set)),
             "a key set without these, or algs that name theirs");
    else if (reason == GH_KEYS_MALFORMED)
        tell(asked, false, ".jwks", left_out(asked, faults, 0),
             "a JWK set with a public key for one of the issuer's algs");
    asked->online->out_of_memory |= reason == GH_OUT_OF_MEMORY;
    gh_jwks_unref(set);
}

static void ask(struct asked *asked, gh_str url,
                void (*came)(void *ctx, const struct gh_fetch_answer *answer))
{
    asked->url = gh_arena_dup(asked->online->arena, url);
    const struct gh_fetch_request request = { .url = asked->url,
                                              .accept =
                                                  GH_STR("application/jwk-set+json, application/json") };
    if (asked->url.ptr != NULL && gh_fetch(asked->online->fetcher, &request, came, asked))
        return;
    asked->online->out_of_memory = true;
    done(asked);
}

static void ask_keys(struct asked *asked, gh_str url)
{
    ask(asked, url, keys_came);
}

/* ---- metadata ---- */

/* Only an advertised issuer meets clients. */
static void judge_metadata(struct asked *asked, const struct gh_issuer_metadata *metadata)
{
    if (!asked->conf->advertise)
        return;
    if (!metadata->s256)
        tell(asked, false, "", text(asked, "metadata at", "code_challenge_methods_supported is without S256"),
             "S256: MCP clients go no further without it" BRIDGE);
    if (!metadata->cimd && metadata->registration_endpoint.len == 0)
        tell(asked, true, "",
             text(asked, "metadata at",
                  "neither client_id_metadata_document_supported nor a registration_endpoint"),
             "one of the two, unless every client is registered there by hand" BRIDGE);
}

static void metadata_came(void *ctx, const struct gh_fetch_answer *answer)
{
    struct asked *asked = ctx;
    struct gh_issuer_metadata metadata = { 0 };
    enum gh_reason reason = answer->reason;
    if (reason == GH_OK)
        reason = gh_issuer_metadata_read(asked->online->arena, answer->body, asked->conf->profile.issuers,
                                         &metadata);
    bool elsewhere = (reason == GH_FETCH_FAILED && answer->status != 0) || reason == GH_METADATA_MALFORMED;
    if (elsewhere && asked->at + 1 < asked->places.count) {
        asked->at++;
        ask_metadata(asked);
        return;
    }
    if (reason != GH_OK) {
        const char *why = reason == GH_METADATA_ISSUER      ? "its issuer is another one"
                          : reason == GH_METADATA_MALFORMED ? "it is malformed"
                                                            : answer->why;
        tell(asked, false, "", text(asked, "no metadata it could be believed by: the last place,", why),
             "an issuer whose metadata names it byte for byte" BRIDGE);
        done(asked);
        return;
    }
    judge_metadata(asked, &metadata);
    bool plain =
        gh_str_starts(asked->url, GH_STR("https:")) && !gh_str_starts(metadata.jwks_uri, GH_STR("https:"));
    if (asked->conf->jwks_file.len > 0)
        done(asked);
    else if (asked->conf->jwks_url.len > 0)
        ask_keys(asked, asked->conf->jwks_url);
    else if (metadata.jwks_uri.len > 0 && !plain)
        ask_keys(asked, metadata.jwks_uri);
    else {
        tell(asked, false, "", text(asked, "metadata at", "no jwks_uri, or one that is not https"),
             "a jwks_uri, or jwks beside the issuer");
        done(asked);
    }
}

static void ask_metadata(struct asked *asked)
{
    ask(asked, asked->places.at[asked->at], metadata_came);
}

/* ---- all of them ---- */

/* False: there is nothing to ask this one. */
static bool begin(struct asked *asked)
{
    const struct gh_issuer_conf *conf = asked->conf;
    bool has_keys = conf->jwks_file.len > 0 || conf->jwks_url.len > 0;
    bool is_edge = conf->profile.shape == GH_SHAPE_EDGE;
    bool needs_keys = !has_keys && conf->introspection_url.len == 0;
    if (conf->discovery_url.len > 0)
        asked->places = (struct gh_strs){ .at = &conf->discovery_url, .count = 1 };
    else if ((conf->advertise || needs_keys) && !is_edge && conf->profile.issuers.count > 0 &&
             gh_discovery_urls(asked->online->arena, conf->profile.issuers.at[0], &asked->places) ==
                 GH_OUT_OF_MEMORY)
        asked->online->out_of_memory = true;
    if (asked->places.count == 0 && conf->jwks_url.len == 0)
        return false;
    asked->online->pending++;
    if (asked->places.count > 0)
        ask_metadata(asked);
    else
        ask_keys(asked, conf->jwks_url);
    return true;
}

static enum gh_reason ask_all(struct online *online, size_t *ret_asked)
{
    const struct gh_conf *conf = online->conf;
    struct asked *all = gh_arena_calloc(online->arena, conf->places.issuer_count, sizeof(*all));
    if (all == NULL)
        return GH_OUT_OF_MEMORY;
    size_t told = online->errors->error_count;
    for (size_t i = 0; i < conf->places.issuer_count; i++) {
        all[i] = (struct asked){ .online = online,
                                 .conf = &conf->site->issuers[i].conf,
                                 .place = conf->places.issuers[i] };
        *ret_asked += begin(&all[i]) ? 1 : 0;
    }
    while (online->pending > 0)
        gh_loop_turn(online->loop, 1000);
    if (online->out_of_memory)
        return GH_OUT_OF_MEMORY;
    return online->errors->error_count > told ? GH_SETTINGS_INVALID : GH_OK;
}

enum gh_reason gh_check_online(const struct gh_conf *conf, struct gh_conf_errors *errors, size_t *ret_asked)
{
    struct online online = {
        .conf = conf, .errors = errors, .loop = gh_loop_new(), .arena = gh_arena_new(0)
    };
    *ret_asked = 0;
    if (online.loop != NULL)
        online.fetcher = gh_fetcher_new(online.loop, &conf->fetch);
    enum gh_reason reason =
        online.fetcher != NULL && online.arena != NULL ? ask_all(&online, ret_asked) : GH_OUT_OF_MEMORY;
    gh_fetcher_free(online.fetcher);
    if (online.loop != NULL)
        gh_loop_turn(online.loop, 0);
    gh_loop_free(online.loop);
    gh_arena_free(online.arena);
    return reason;
}
