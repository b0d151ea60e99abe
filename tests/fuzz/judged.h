/* fuzz/judged.h: the issuer and the route that fuzzed tokens and introspection answers are judged for. */
#ifndef GH_FUZZ_JUDGED_H
#define GH_FUZZ_JUDGED_H

#include "base/base64.h"
#include "fuzz/fuzz.h"
#include "gatehouse/token.h"

#define GH_FUZZ_NOW 1795300001

/* What a provider's tokens look like, for the issuer https://as, a route https://r, and tenants t and u. */
static inline struct gh_profile gh_fuzz_profile(gh_str provider)
{
    static const gh_str issuers[] = { GH_STR_INIT("https://as") };
    static const gh_str tenants[] = { GH_STR_INIT("t"), GH_STR_INIT("u") };
    struct gh_profile profile = *gh_profile_builtin(provider);
    profile.issuers = (struct gh_strs){ issuers, 1 };
    if (profile.entra_agents) {
        profile.issuer_template = GH_STR("https://{tid}/v2");
        profile.tenant_ids = (struct gh_strs){ tenants, 2 };
    }
    return profile;
}

/* Weak for those who write no audience, or the same one into every token. */
static inline struct gh_binding gh_fuzz_binding(const struct gh_profile *profile)
{
    static const gh_str route[] = { GH_STR_INIT("https://r") }, clients[] = { GH_STR_INIT("c") };
    static const gh_str shared[] = { GH_STR_INIT("p") }, scopes[] = { GH_STR_INIT("mcp:read") };
    return (struct gh_binding){ .audiences = { route, 1 },
                                .weak = !profile->needs_scope_or_roles,
                                .single_audience = profile->subject_with_tenant,
                                .client_ids = { clients, 1 },
                                .scope_prefix = GH_STR("mcp:"),
                                .shared_audiences = { shared, 1 },
                                .route_scopes = { scopes, 1 } };
}

static inline gh_str gh_fuzz_base64url(struct gh_arena *arena, gh_str bytes)
{
    size_t len = gh_base64url_encoded_len(bytes.len);
    char *text = gh_arena_alloc(arena, len + 1);
    gh_base64url_encode(bytes, text);
    return gh_str_of(text, len);
}

/* Whoever was let in is somebody, of the issuer that was asked for, and not for ever. */
static inline void gh_fuzz_check_principal(const struct gh_profile *profile, const struct gh_principal *who)
{
    GH_HOLDS(gh_str_eq(who->issuer_name, profile->name) && who->subject.len != 0 &&
             who->actor_count <= GH_ACTORS_MAX);
    GH_HOLDS(gh_str_starts(who->issuer, GH_STR("https://")) && who->expires > GH_FUZZ_NOW - 30);
    for (size_t i = 0; i < who->scopes.count; i++)
        GH_HOLDS(who->scopes.at[i].len != 0 && gh_str_find(who->scopes.at[i], ' ') == who->scopes.at[i].len);
    for (size_t i = 0; i < who->actor_count; i++)
        GH_HOLDS(who->actors[i].sub.len != 0);
}

#endif
