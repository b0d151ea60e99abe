/* app/explain.c: walks the verification steps of byoa.md section 4 and stops where the verdict falls. */
#include "app/explain.h"

#include "base/arena.h"
#include "base/buf.h"
#include "base/log.h"
#include "base/str.h"

struct story {
    struct gh_arena *arena;
    const struct gh_route *route;
    const struct gh_issuer *issuer;
    struct gh_token token;
    struct gh_principal principal;
    const char *step;
    enum gh_reason reason;
    gh_str detail;
};

static gh_str quoted(struct gh_arena *arena, gh_str value)
{
    size_t cap = 6 * value.len + 1;
    char *out = gh_arena_alloc(arena, cap);
    if (out == NULL)
        return GH_STR_NONE;
    return gh_str_of(out, gh_json_escape(value, out, cap));
}

static bool stop(struct story *story, const char *step, enum gh_reason reason, gh_str detail)
{
    story->step = step;
    story->reason = reason;
    story->detail = detail;
    return reason == GH_OK;
}

static const struct gh_issuer *issuer_of(const struct story *story)
{
    for (size_t i = 0; i < story->route->issuer_count; i++)
        if (gh_profile_matches(&story->route->issuers[i]->conf.profile, &story->token))
            return story->route->issuers[i];
    return NULL;
}

static bool explain_open(struct story *story, gh_str text)
{
    enum gh_reason reason = gh_token_open(story->arena, text, &story->token);
    if (!stop(story, "form", reason, GH_STR("three base64url segments, a JOSE header, JSON claims")))
        return false;
    story->issuer = issuer_of(story);
    if (story->issuer == NULL)
        return stop(story, "issuer", GH_TOKEN_ISSUER,
                    gh_arena_printf(story->arena,
                                    "iss is %.*s, which no issuer of this route names byte for byte",
                                    GH_STR_FMT(story->token.iss)));
    reason = gh_token_fits(&story->token, &story->issuer->conf.profile);
    return stop(story, "header", reason,
                gh_arena_printf(story->arena, "alg is %.*s, typ is %.*s", GH_STR_FMT(story->token.alg_name),
                                GH_STR_FMT(story->token.typ)));
}

static bool explain_signature(struct story *story, struct gh_keyrings *rings)
{
    if (rings == NULL)
        return stop(
            story, "key", GH_KEYS_UNAVAILABLE,
            GH_STR("offline: no keys at hand, the signature was not checked; ask the running gateway"));
    struct gh_keys_view view = gh_keyrings_view(rings, story->issuer->slot);
    if (view.set == NULL)
        return stop(story, "key", GH_KEYS_UNAVAILABLE, GH_STR("there is no key set of this issuer yet"));
    struct gh_key *key = NULL;
    enum gh_reason reason = gh_token_key(view.set, &story->token, &story->issuer->conf.profile, &key);
    gh_str detail = gh_arena_printf(story->arena, "kid is %.*s, %zu keys are known",
                                    GH_STR_FMT(story->token.kid), gh_jwks_count(view.set));
    bool ok = stop(story, "key", reason, detail);
    if (ok)
        ok = stop(story, "signature",
                  gh_token_signature(key, story->token.alg, story->token.signed_part, story->token.signature),
                  detail);
    gh_jwks_unref(view.set);
    return ok;
}

static bool explain_claims(struct story *story, int64_t now)
{
    enum gh_reason reason = gh_token_judge(story->arena, &story->token, &story->issuer->conf.profile,
                                           &story->route->policy.binding, now, &story->principal);
    if (!stop(story, "claims", reason, gh_str_from(gh_reason_row(reason)->text)))
        return false;
    gh_str scopes = gh_arena_join(story->arena, story->principal.scopes, GH_STR(" "));
    return stop(story, "scope", gh_policy_decide(&story->route->policy, &story->principal),
                gh_arena_printf(story->arena, "granted: %.*s", GH_STR_FMT(scopes)));
}

static const struct gh_route *route_named(const struct gh_site *site, gh_str name)
{
    for (size_t i = 0; i < site->route_count; i++)
        if (gh_str_eq(site->routes[i].policy.route, name))
            return &site->routes[i];
    return NULL;
}

static gh_str tell(const struct story *story, gh_str route)
{
    struct gh_arena *arena = story->arena;
    gh_str who = GH_STR("");
    if (story->principal.subject.len > 0)
        who = gh_arena_printf(arena, ",\"user\":\"%.*s\",\"client\":\"%.*s\"",
                              GH_STR_FMT(quoted(arena, story->principal.subject)),
                              GH_STR_FMT(quoted(arena, story->principal.client)));
    gh_str issuer = story->issuer != NULL ? quoted(arena, story->issuer->conf.profile.name) : GH_STR("");
    return gh_arena_printf(arena,
                           "{\"route\":\"%.*s\",\"verdict\":\"%s\",\"step\":\"%s\",\"detail\":\"%.*s\","
                           "\"issuer\":\"%.*s\"%.*s}\n",
                           GH_STR_FMT(quoted(arena, route)), gh_reason_row(story->reason)->slug, story->step,
                           GH_STR_FMT(quoted(arena, story->detail)), GH_STR_FMT(issuer), GH_STR_FMT(who));
}

gh_str gh_explain(struct gh_arena *arena, const struct gh_site *site, struct gh_keyrings *rings, gh_str route,
                  gh_str token, int64_t now)
{
    struct story story = { .arena = arena, .route = route_named(site, route) };
    if (story.route == NULL)
        (void)stop(&story, "route", GH_ROUTE_UNKNOWN, GH_STR("no route of that name is in the settings"));
    else if (explain_open(&story, token) && explain_signature(&story, rings))
        (void)explain_claims(&story, now);
    return tell(&story, route);
}
