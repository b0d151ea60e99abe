/* core/token/actor.c: who acts for the subject: the act chain, or Entra's facets (byoa.md section 9). */
#include "base/str.h"
#include "core/token/claims.h"
#include "core/token/judge.h"

/* An optional member that must be a string. */
static bool read_optional(const struct gh_json *object, gh_str name, gh_str absent, gh_str *ret_text)
{
    const struct gh_json *value = gh_json_get(object, name);
    *ret_text = value != NULL ? gh_json_text(value) : absent;
    return ret_text->ptr != NULL;
}

/* RFC 8693 section 4.1, outermost first. A chain that is too deep is refused, never cut. */
static enum gh_reason read_chain(const struct gh_judging *judging, const struct gh_json *act,
                                 struct gh_principal *principal)
{
    gh_str own_issuer = judging->iss.ptr != NULL ? judging->iss : GH_STR("");
    for (; act != NULL; act = gh_json_get(act, GH_STR("act"))) {
        if (act->type != GH_JSON_OBJECT || principal->actor_count == GH_ACTORS_MAX)
            return GH_TOKEN_ACTOR;
        struct gh_actor *actor = &principal->actors[principal->actor_count++];
        actor->sub = gh_json_text(gh_json_get(act, GH_STR("sub")));
        if (actor->sub.len == 0 || !read_optional(act, GH_STR("iss"), own_issuer, &actor->iss) ||
            !read_optional(act, GH_STR("sub_profile"), GH_STR(""), &actor->profile))
            return GH_TOKEN_ACTOR;
    }
    return GH_OK;
}

/* xms_act_fct with 11: the client is an agent identity. xms_par_app_azp, its blueprint, is only a label. */
static enum gh_reason read_facets(const struct gh_judging *judging, struct gh_principal *principal)
{
    const struct gh_json *facets = gh_json_get(judging->claims, GH_STR("xms_act_fct"));
    if (facets == NULL)
        return GH_OK;
    if (facets->type != GH_JSON_STRING)
        return GH_TOKEN_ACTOR;
    if (!gh_words_have(facets->string, GH_STR("11")))
        return GH_OK;
    gh_str client;
    if (gh_claim_text(judging->claims, judging->profile->client_claims, &client) != GH_OK || client.len == 0)
        return GH_TOKEN_ACTOR;
    principal->actors[0] = (struct gh_actor){ .iss = judging->iss.ptr != NULL ? judging->iss : GH_STR(""),
                                              .sub = client,
                                              .profile = GH_STR("ai_agent") };
    principal->actor_count = 1;
    return GH_OK;
}

enum gh_reason gh_judge_actors(const struct gh_judging *judging, struct gh_principal *principal)
{
    const struct gh_json *act = gh_json_get(judging->claims, GH_STR("act"));
    if (act != NULL)
        return read_chain(judging, act, principal);
    return judging->profile->entra_agents ? read_facets(judging, principal) : GH_OK;
}
