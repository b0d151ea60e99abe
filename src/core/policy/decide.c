/* core/policy/decide.c: may this principal use this route, and may this origin. */
#include "base/str.h"
#include "core/policy/scopes.h"

/* "a>b, b>c, ...": longer chains than this, and loops, satisfy nothing. */
#define HIERARCHY_DEPTH 8u

static bool is_granted(const struct gh_policy *policy, struct gh_strs granted, gh_str scope, unsigned depth);
static bool is_own_origin(const struct gh_url *resource, gh_str origin);

enum gh_reason gh_policy_decide(const struct gh_policy *policy, const struct gh_principal *principal)
{
    return gh_scopes_suffice(policy, principal->scopes, policy->scopes) ? GH_OK : GH_SCOPE_MISSING;
}

bool gh_scopes_suffice(const struct gh_policy *policy, struct gh_strs granted, struct gh_strs needed)
{
    for (size_t i = 0; i < needed.count; i++) {
        if (!is_granted(policy, granted, needed.at[i], HIERARCHY_DEPTH))
            return false;
    }
    return true;
}

/* MCP 2026-07-28, Step-Up Authorization Flow: a broader scope satisfies a narrower one. */
static bool is_granted(const struct gh_policy *policy, struct gh_strs granted, gh_str scope, unsigned depth)
{
    if (gh_strs_has(granted, scope))
        return true;
    for (size_t i = 0; depth != 0 && i < policy->scope_hierarchy.count; i++) {
        gh_str narrow = policy->scope_hierarchy.at[i];
        gh_str broad = gh_str_cut(&narrow, '>');
        if (gh_str_eq(narrow, scope) && is_granted(policy, granted, broad, depth - 1))
            return true;
    }
    return false;
}

enum gh_reason gh_policy_origin(const struct gh_policy *policy, const struct gh_headers *headers)
{
    const struct gh_header *field = gh_headers_find(headers, GH_STR("origin"));
    if (field == NULL)
        return GH_OK;
    /* "null" is what any sandboxed or local page sends: it names nobody, even if somebody lists it. */
    if (gh_headers_count(headers, GH_STR("origin")) != 1 || gh_str_eq(field->value, GH_STR("null")))
        return GH_HTTP_ORIGIN;
    if (is_own_origin(&policy->resource, field->value) || gh_strs_has(policy->origins, field->value))
        return GH_OK;
    return GH_HTTP_ORIGIN;
}

/* RFC 6454 section 6.2: scheme "://" host [ ":" port ], the usual port left out. */
static bool is_own_origin(const struct gh_url *resource, gh_str origin)
{
    if (!gh_str_starts(origin, resource->scheme))
        return false;
    gh_str rest = gh_str_skip(origin, resource->scheme.len);
    return resource->authority_text.len != 0 && gh_str_starts(rest, GH_STR("://")) &&
           gh_str_eq(gh_str_skip(rest, 3), resource->authority_text);
}
