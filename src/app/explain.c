/* app/explain.c: walks the verification steps of byoa.md section 4 and stops where the verdict falls. */
#include "app/explain.h"

#include <stdlib.h>

#include "app/explain_detail.h"
#include "base/arena.h"
#include "base/log.h"
#include "base/str.h"
#include "io/file.h"

#define JWKS_FILE_MAX ((size_t)256 * 1024)

gh_str gh_explain_quoted(struct gh_arena *arena, gh_str value)
{
    size_t cap = 6 * value.len + 1;
    char *out = gh_arena_alloc(arena, cap);
    if (out == NULL)
        return GH_STR_NONE;
    return gh_str_of(out, gh_json_escape(value, out, cap));
}

static bool stop(struct gh_story *story, const char *step, enum gh_reason reason, gh_str detail)
{
    story->step = step;
    story->reason = reason;
    story->detail = detail;
    return reason == GH_OK;
}

/* ---- form and issuer ---- */

static const struct gh_issuer *issuer_of(const struct gh_story *story)
{
    for (size_t i = 0; i < story->route->issuer_count; i++)
        if (gh_profile_matches(&story->route->issuers[i]->conf.profile, &story->token))
            return story->route->issuers[i];
    return NULL;
}

/* RFC 7662: whoever issued it decides, at the next request. */
static bool leave_to(struct gh_story *story, const struct gh_issuer *issuer)
{
    story->issuer = issuer;
    story->undecided = true;
    return stop(story, "introspection", GH_TOKEN_OPAQUE,
                GH_STR("its issuer is asked when a request brings it; the audit log says what came of it"));
}

static bool explain_opaque(struct gh_story *story, gh_str text)
{
    for (size_t i = 0; i < story->route->issuer_count; i++) {
        const struct gh_issuer_conf *conf = &story->route->issuers[i]->conf;
        if (conf->introspection_url.len > 0 && gh_str_starts(text, conf->token_prefix))
            return leave_to(story, story->route->issuers[i]);
    }
    return stop(story, "form", GH_TOKEN_OPAQUE,
                GH_STR("opaque, and no issuer of this route is asked about tokens that begin so"));
}

static bool explain_open(struct gh_story *story, gh_str text)
{
    if (text.len > (size_t)story->with->site->limits.max_token)
        return stop(story, "form", GH_TOKEN_LARGE,
                    gh_arena_printf(story->arena, "%zu bytes, limits.max_token allows %lld", text.len,
                                    (long long)story->with->site->limits.max_token));
    enum gh_reason reason = gh_token_open(story->arena, text, &story->token);
    if (reason == GH_TOKEN_OPAQUE)
        return explain_opaque(story, text);
    if (!stop(story, "form", reason, gh_str_from(gh_reason_row(reason)->text)))
        return false;
    story->issuer = issuer_of(story);
    if (story->issuer == NULL)
        return stop(story, "issuer", GH_TOKEN_ISSUER,
                    gh_arena_printf(story->arena,
                                    "iss is %.*s, which no issuer of this route names byte for byte",
                                    GH_STR_FMT(story->token.iss)));
    reason = gh_token_fits(&story->token, &story->issuer->conf.profile);
    gh_str typ = story->token.typ.ptr != NULL ? story->token.typ : GH_STR("absent");
    return stop(story, "header", reason,
                gh_arena_printf(story->arena, "alg is %.*s, typ is %.*s", GH_STR_FMT(story->token.alg_name),
                                GH_STR_FMT(typ)));
}

/* ---- key and signature ---- */

static struct gh_jwks *keys_of_file(gh_str file, gh_algs algs)
{
    struct gh_secret bytes = { 0 };
    struct gh_jwks *set = NULL;
    char *why = NULL;
    if (gh_small_file_read(file, JWKS_FILE_MAX, false, &bytes, &why) != GH_OK ||
        gh_jwks_read(gh_str_of(bytes.bytes, bytes.len), algs, NULL, &set) != GH_OK)
        set = NULL;
    free(why);
    gh_secret_done(&bytes);
    return set;
}

/* With a reference of its own, or NULL. */
static struct gh_jwks *keys_of(const struct gh_story *story)
{
    const struct gh_issuer_conf *conf = &story->issuer->conf;
    if (story->with->rings != NULL)
        return gh_keyrings_view(story->with->rings, story->issuer->slot).set;
    return conf->jwks_file.len != 0 ? keys_of_file(conf->jwks_file, conf->profile.algs) : NULL;
}

static bool explain_signature(struct gh_story *story)
{
    const struct gh_issuer_conf *conf = &story->issuer->conf;
    if (conf->introspection_url.len != 0 && conf->discovery_url.len == 0 && conf->jwks_url.len == 0 &&
        conf->jwks_file.len == 0)
        return leave_to(story, story->issuer); /* it has no keys, whatever its tokens look like */
    struct gh_jwks *set = keys_of(story);
    if (set == NULL && story->with->rings == NULL)
        return true; /* the other checks can be told all the same */
    if (set == NULL)
        return stop(story, "key", GH_KEYS_UNAVAILABLE, GH_STR("there is no key set of this issuer yet"));
    struct gh_key *key = NULL;
    enum gh_reason reason = gh_token_key(set, &story->token, &story->issuer->conf.profile, &key);
    gh_str kid = story->token.kid.ptr != NULL ? story->token.kid : GH_STR("absent");
    gh_str detail =
        gh_arena_printf(story->arena, "kid is %.*s, %zu keys are known", GH_STR_FMT(kid), gh_jwks_count(set));
    if (stop(story, "key", reason, detail)) {
        reason = gh_token_signature(key, story->token.alg, story->token.signed_part, story->token.signature);
        story->signature = reason == GH_OK ? "good" : "bad";
        (void)stop(story, "signature", reason, detail);
    }
    gh_jwks_unref(set);
    return story->reason == GH_OK;
}

/* ---- claims and scope ---- */

static bool explain_claims(struct gh_story *story)
{
    enum gh_reason reason =
        gh_token_judge(story->arena, &story->token, &story->issuer->conf.profile,
                       &story->route->policy.binding, story->with->now, &story->principal);
    return stop(story, "claims", reason, gh_explain_claims(story, reason));
}

static bool explain_revocation(struct gh_story *story)
{
    struct gh_dependencies dependencies;
    const struct gh_index *revocations = story->with->revocations;
    if (revocations == NULL)
        return true;
    enum gh_reason reason = gh_dependencies_of(story->route->policy.tenant, &story->principal,
                                               story->token.signed_part, &dependencies);
    if (reason == GH_OK)
        reason = gh_index_ask(revocations, &dependencies);
    return stop(story, "revocation", reason,
                gh_arena_printf(story->arena, "%zu revocations are known", gh_index_count(revocations)));
}

static bool explain_scope(struct gh_story *story)
{
    return stop(story, "scope", gh_policy_decide(&story->route->policy, &story->principal),
                gh_explain_scopes(story));
}

static bool explain_call(struct gh_story *story, gh_str call)
{
    enum gh_reason reason = call.len > 0 ? gh_explain_call(story, call) : GH_OK;
    return reason == GH_OK || stop(story, "call", reason, story->detail);
}

/* What was not checked is not accepted. */
static void end_unsigned(struct gh_story *story)
{
    (void)stop(
        story, "signature", GH_KEYS_UNAVAILABLE,
        GH_STR("offline, without the issuer's keys: everything but the signature is good; ask the running "
               "gateway for the rest"));
}

static const struct gh_route *route_named(const struct gh_site *site, gh_str name)
{
    for (size_t i = 0; i < site->route_count; i++)
        if (gh_str_eq(site->routes[i].policy.route, name))
            return &site->routes[i];
    return NULL;
}

/* By what it can be revoked. */
static gh_str tell_who(const struct gh_story *story)
{
    struct gh_arena *arena = story->arena;
    const struct gh_principal *principal = &story->principal;
    char buffer[GH_TOKEN_ID_DIGEST];
    if (principal->subject.len == 0)
        return GH_STR("");
    gh_str token = gh_token_id(principal, story->token.signed_part, buffer);
    return gh_arena_printf(
        arena, ",\"user\":\"%.*s\",\"client\":\"%.*s\",\"grant\":\"%.*s\",\"token\":\"%.*s\"",
        GH_STR_FMT(gh_explain_quoted(arena, principal->subject)),
        GH_STR_FMT(gh_explain_quoted(arena, principal->client)),
        GH_STR_FMT(gh_explain_quoted(arena, principal->grant)), GH_STR_FMT(gh_explain_quoted(arena, token)));
}

static gh_str tell(const struct gh_story *story, gh_str route)
{
    struct gh_arena *arena = story->arena;
    gh_str issuer =
        story->issuer != NULL ? gh_explain_quoted(arena, story->issuer->conf.profile.name) : GH_STR("");
    return gh_arena_printf(arena,
                           "{\"route\":\"%.*s\",\"verdict\":\"%s\",\"step\":\"%s\",\"detail\":\"%.*s\","
                           "\"signature\":\"%s\",\"issuer\":\"%.*s\"%.*s%.*s}\n",
                           GH_STR_FMT(gh_explain_quoted(arena, route)),
                           story->undecided ? "undecided" : gh_reason_row(story->reason)->slug, story->step,
                           GH_STR_FMT(gh_explain_quoted(arena, story->detail)), story->signature,
                           GH_STR_FMT(issuer), GH_STR_FMT(tell_who(story)), GH_STR_FMT(story->called));
}

gh_str gh_explain(struct gh_arena *arena, const struct gh_explain_with *with, gh_str route, gh_str token,
                  gh_str call)
{
    struct gh_story story = {
        .arena = arena, .with = with, .route = route_named(with->site, route), .signature = "not checked"
    };
    if (story.route == NULL)
        (void)stop(&story, "route", GH_ROUTE_UNKNOWN, GH_STR("no route of that name is in the settings"));
    else if (explain_open(&story, token) && explain_signature(&story) && explain_claims(&story) &&
             explain_revocation(&story) && explain_scope(&story) && explain_call(&story, call) &&
             !gh_str_eq(gh_str_from(story.signature), GH_STR("good")))
        end_unsigned(&story);
    return tell(&story, route);
}
