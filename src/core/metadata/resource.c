/* core/metadata/resource.c: the protected-resource document of a route (RFC 9728) and where it stands. */
#include "base/arena.h"
#include "base/str.h"
#include "core/text.h"
#include "gatehouse/policy.h"

#define WELL_KNOWN "/.well-known/oauth-protected-resource"

static void put_scopes(struct gh_text *text, struct gh_strs scopes);

gh_str gh_metadata_write(struct gh_arena *arena, const struct gh_policy *policy)
{
    struct gh_text text = { .arena = arena };
    gh_text_add(&text, GH_STR("{\"resource\":"));
    gh_text_json(&text, policy->resource_text);
    gh_text_add(&text, GH_STR(",\"authorization_servers\":"));
    gh_text_json_list(&text, policy->authorization_servers);
    put_scopes(&text, policy->scopes_supported);
    gh_text_add(&text, GH_STR(",\"bearer_methods_supported\":[\"header\"]"));
    if (policy->resource_name.len != 0) {
        gh_text_add(&text, GH_STR(",\"resource_name\":"));
        gh_text_json(&text, policy->resource_name);
    }
    gh_text_add(&text, GH_STR("}"));
    return gh_text_take(&text);
}

/* Never offline_access: what a client may keep is between it and the issuer (MCP 2026-07-28, Refresh Tokens).
 */
static void put_scopes(struct gh_text *text, struct gh_strs scopes)
{
    bool any = false;
    for (size_t i = 0; i < scopes.count; i++) {
        if (gh_str_eq(scopes.at[i], GH_STR("offline_access")))
            continue;
        gh_text_add(text, any ? GH_STR(",") : GH_STR(",\"scopes_supported\":["));
        gh_text_json(text, scopes.at[i]);
        any = true;
    }
    if (any)
        gh_text_add(text, GH_STR("]"));
}

/* RFC 9728 section 3.1: "any terminating slash (/) following the host component MUST be removed before
 * inserting /.well-known/". A query of the resource takes no part: requests are routed by path alone. */
gh_str gh_metadata_path(struct gh_arena *arena, const struct gh_policy *policy)
{
    gh_str path = policy->resource.path;
    if (gh_str_eq(path, GH_STR("/")))
        path = GH_STR("");
    return gh_arena_printf(arena, WELL_KNOWN "%.*s", GH_STR_FMT(path));
}
