/* core/token/principal.c: from verified claims to the one who acts (byoa.md section 6). */
#include "base/arena.h"
#include "base/str.h"
#include "core/token/claims.h"
#include "core/token/judge.h"
#include "gatehouse/client.h"

static enum gh_reason read_subject(const struct gh_judging *judging, struct gh_principal *principal);
static enum gh_reason read_groups(const struct gh_judging *judging, struct gh_principal *principal);
static enum gh_reason read_roles(const struct gh_judging *judging, struct gh_principal *principal);
static void read_sign_in(const struct gh_judging *judging, struct gh_principal *principal);
static enum gh_principal_kind kind_of(const struct gh_judging *judging, const struct gh_principal *principal);
static gh_str strip(const struct gh_profile *profile, gh_str scope);
static bool keep(struct gh_arena *arena, struct gh_principal *principal);
static bool hash_jti(struct gh_arena *arena, struct gh_principal *principal);

enum gh_reason gh_judge_principal(const struct gh_judging *judging, struct gh_principal *principal)
{
    const struct gh_profile *profile = judging->profile;
    bool named = judging->iss.len != 0 || profile->issuers.count == 0;
    principal->issuer_name = profile->name;
    principal->issuer = named ? judging->iss : profile->issuers.at[0];
    enum gh_reason reason = gh_claim_text(judging->claims, profile->client_claims, &principal->client);
    if (reason == GH_OK)
        reason = gh_claim_text(judging->claims, profile->jti_claims, &principal->jti);
    if (reason == GH_OK)
        reason = gh_claim_text(judging->claims, profile->grant_claims, &principal->grant);
    if (reason == GH_OK)
        reason = gh_scopes_read(judging, true, &principal->scopes);
    if (reason == GH_OK)
        reason = read_groups(judging, principal);
    if (reason == GH_OK)
        reason = read_roles(judging, principal);
    if (reason == GH_OK)
        reason = read_subject(judging, principal);
    if (reason != GH_OK)
        return reason;
    read_sign_in(judging, principal);
    principal->kind = kind_of(judging, principal);
    return keep(judging->arena, principal) && hash_jti(judging->arena, principal) ? GH_OK : GH_OUT_OF_MEMORY;
}

static bool hash_jti(struct gh_arena *arena, struct gh_principal *principal)
{
    principal->jti_hash = principal->jti.len > 0 ? gh_secret_hash(arena, principal->jti) : GH_STR("");
    return principal->jti_hash.ptr != NULL;
}

/* The first claim of the list that is there decides; the others must have the right type nevertheless, so
 * that a malformed one is not passed over. */
enum gh_reason gh_scopes_read(const struct gh_judging *judging, bool without_prefix,
                              struct gh_strs *ret_scopes)
{
    const struct gh_profile *profile = judging->profile;
    const struct gh_strs lists[] = { profile->scope_claims, profile->extra_scope_claims };
    size_t room = 0, count = 0, kept = 0;
    for (size_t list = 0; list < GH_ARRAY_LEN(lists); list++) {
        for (size_t i = 0; i < lists[list].count; i++) {
            const struct gh_json *value = gh_claim(judging->claims, lists[list].at[i]);
            room += value != NULL ? gh_scopes_room(value) : 0;
        }
    }
    gh_str *at = gh_arena_calloc(judging->arena, room, sizeof(*at));
    if (at == NULL)
        return GH_OUT_OF_MEMORY;
    for (size_t list = 0; list < GH_ARRAY_LEN(lists); list++) {
        bool decided = false;
        for (size_t i = 0; i < lists[list].count; i++) {
            const struct gh_json *value = gh_claim(judging->claims, lists[list].at[i]);
            size_t before = count;
            if (value != NULL && gh_scopes_add(value, at, &count) != GH_OK)
                return GH_TOKEN_CLAIMS;
            if (list == 0 && decided)
                count = before;
            decided = decided || value != NULL;
        }
    }
    for (size_t i = 0; i < count; i++) {
        gh_str scope = without_prefix ? strip(profile, at[i]) : at[i];
        if (scope.len != 0)
            at[kept++] = scope;
    }
    *ret_scopes = (struct gh_strs){ at, kept };
    return GH_OK;
}

static gh_str strip(const struct gh_profile *profile, gh_str scope)
{
    /* Entra writes "/" where an autonomous agent has no delegated scope. */
    if (profile->entra_agents && gh_str_eq(scope, GH_STR("/")))
        return GH_STR("");
    bool prefixed = profile->scope_prefix.len != 0 && gh_str_starts(scope, profile->scope_prefix);
    return prefixed ? gh_str_skip(scope, profile->scope_prefix.len) : scope;
}

/* Lists beyond what the issuer puts into a token come as a pointer to elsewhere: then no group is known to be
 * missing. */
static enum gh_reason read_groups(const struct gh_judging *judging, struct gh_principal *principal)
{
    const struct gh_json *has = gh_json_get(judging->claims, GH_STR("hasgroups"));
    principal->groups_unknown = gh_json_get(judging->claims, GH_STR("_claim_names")) != NULL ||
                                (has != NULL && has->type != GH_JSON_FALSE);
    const struct gh_json *value = gh_claim_first(judging->claims, judging->profile->group_claims);
    if (value == NULL)
        return GH_OK;
    if (value->type != GH_JSON_ARRAY || value->count > GH_GROUPS_MAX)
        return GH_TOKEN_CLAIMS;
    gh_str *at = gh_arena_calloc(judging->arena, value->count, sizeof(*at));
    if (at == NULL)
        return GH_OUT_OF_MEMORY;
    for (size_t i = 0; i < value->count; i++) {
        if (value->items[i].type != GH_JSON_STRING)
            return GH_TOKEN_CLAIMS;
        at[i] = value->items[i].string;
    }
    principal->groups = (struct gh_strs){ at, value->count };
    return GH_OK;
}

/* One text or a list of them; anything else says nothing. */
static enum gh_reason read_roles(const struct gh_judging *judging, struct gh_principal *principal)
{
    const struct gh_json *value = gh_claim_first(judging->claims, judging->profile->role_claims);
    bool is_list = value != NULL && value->type == GH_JSON_ARRAY;
    size_t count = value == NULL ? 0 : is_list ? value->count : 1;
    if (count > GH_GROUPS_MAX)
        return GH_TOKEN_CLAIMS;
    gh_str *at = gh_arena_calloc(judging->arena, count, sizeof(*at));
    if (at == NULL)
        return GH_OUT_OF_MEMORY;
    for (size_t i = 0; i < count; i++) {
        const struct gh_json *item = is_list ? &value->items[i] : value;
        principal->roles_unknown = principal->roles_unknown || item->type != GH_JSON_STRING;
        at[i] = gh_json_text(item);
    }
    principal->roles = (struct gh_strs){ at, principal->roles_unknown ? 0 : count };
    return GH_OK;
}

/* RFC 9068 section 2.2.1. */
static void read_sign_in(const struct gh_judging *judging, struct gh_principal *principal)
{
    const struct gh_json *acr = gh_json_get(judging->claims, GH_STR("acr"));
    const struct gh_json *time = gh_json_get(judging->claims, GH_STR("auth_time"));
    if (acr != NULL && acr->type == GH_JSON_STRING)
        principal->acr = acr->string;
    if (time != NULL && time->type == GH_JSON_NUMBER && time->number > 0 && time->number < 1e11)
        principal->auth_time = (int64_t)time->number;
}

static enum gh_reason read_subject(const struct gh_judging *judging, struct gh_principal *principal)
{
    const struct gh_profile *profile = judging->profile;
    const struct gh_json *value = gh_claim_first(judging->claims, profile->subject_claims);
    if (value == NULL || value->type != GH_JSON_STRING)
        return GH_TOKEN_SUBJECT;
    principal->subject = value->string;
    if (principal->subject.len == 0 && profile->service_by_client)
        principal->subject = principal->client;
    if (principal->subject.len == 0)
        return GH_TOKEN_SUBJECT;
    if (!profile->subject_with_tenant)
        return GH_OK;
    if (principal->tenant_id.len == 0)
        return GH_TOKEN_SUBJECT;
    principal->subject = gh_arena_printf(judging->arena, "%.*s@%.*s", GH_STR_FMT(principal->subject),
                                         GH_STR_FMT(principal->tenant_id));
    return principal->subject.ptr != NULL ? GH_OK : GH_OUT_OF_MEMORY;
}

static bool claim_is(const struct gh_judging *judging, const char *name, const char *value)
{
    return gh_str_eq(gh_json_text(gh_json_get(judging->claims, gh_str_from(name))), gh_str_from(value));
}

/* What the subject is; who acts for it stands in the actors. */
static enum gh_principal_kind kind_of(const struct gh_judging *judging, const struct gh_principal *principal)
{
    gh_str sub = gh_json_text(gh_json_get(judging->claims, GH_STR("sub")));
    gh_str facets = gh_json_text(gh_json_get(judging->claims, GH_STR("xms_sub_fct")));
    bool entra = judging->profile->entra_agents;
    if (entra && (gh_words_have(facets, GH_STR("11")) || gh_words_have(facets, GH_STR("13"))))
        return GH_PRINCIPAL_AGENT;
    if (gh_words_have(gh_json_text(gh_json_get(judging->claims, GH_STR("sub_profile"))), GH_STR("ai_agent")))
        return GH_PRINCIPAL_AGENT;
    bool is_client = principal->client.len != 0 &&
                     (gh_str_eq(sub, principal->client) || gh_str_eq(principal->subject, principal->client));
    if (is_client || claim_is(judging, "gty", "client-credentials") || claim_is(judging, "idtyp", "app") ||
        gh_str_ends(sub, GH_STR("@clients")))
        return GH_PRINCIPAL_SERVICE;
    return GH_PRINCIPAL_USER;
}

static bool keep_text(struct gh_arena *arena, gh_str *text)
{
    *text = gh_arena_dup(arena, *text);
    return text->ptr != NULL;
}

static bool keep_list(struct gh_arena *arena, struct gh_strs *list)
{
    gh_str *at = gh_arena_calloc(arena, list->count, sizeof(*at));
    for (size_t i = 0; at != NULL && i < list->count; i++) {
        at[i] = list->at[i];
        if (!keep_text(arena, &at[i]))
            return false;
    }
    list->at = at;
    return at != NULL;
}

/* The claims may live in another arena, which the principal must outlive. */
static bool keep(struct gh_arena *arena, struct gh_principal *principal)
{
    gh_str *const texts[] = { &principal->issuer_name, &principal->issuer, &principal->subject,
                              &principal->client,      &principal->jti,    &principal->grant,
                              &principal->tenant_id,   &principal->acr };
    for (size_t i = 0; i < GH_ARRAY_LEN(texts); i++) {
        if (!keep_text(arena, texts[i]))
            return false;
    }
    for (size_t i = 0; i < principal->actor_count; i++) {
        struct gh_actor *actor = &principal->actors[i];
        if (!keep_text(arena, &actor->iss) || !keep_text(arena, &actor->sub) ||
            !keep_text(arena, &actor->profile))
            return false;
    }
    return keep_list(arena, &principal->scopes) && keep_list(arena, &principal->groups) &&
           keep_list(arena, &principal->roles);
}
