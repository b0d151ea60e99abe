/* conf/check_mirror.c: `param_headers`: which fields repeat which arguments of which tools. */
#include "base/str.h"
#include "conf/build.h"

static const struct gh_settings_mirror *mirror_at(const struct gh_settings_route *from, size_t i)
{
    return (const struct gh_settings_mirror *)from->param_headers.at + i;
}

/* Field names are compared without case (RFC 9110 section 5.1). */
static bool are_one(const struct gh_settings_mirror *a, const struct gh_settings_mirror *b)
{
    return gh_str_eq(a->tool, b->tool) && gh_str_eq(a->header, b->header);
}

void gh_build_mirrors(struct gh_build *build, const struct gh_settings_route *from,
                      struct gh_pointers *pointers, struct gh_route *route)
{
    size_t count = from->param_headers.count;
    struct gh_mirror *mirrors = gh_build_alloc(build, count, sizeof(*mirrors));
    for (size_t i = 0; mirrors != NULL && i < count; i++) {
        const struct gh_settings_mirror *mirror = mirror_at(from, i);
        mirrors[i].tool = mirror->tool;
        mirrors[i].field = gh_build_text(
            build, gh_arena_printf(build->site->arena, "mcp-param-%.*s", GH_STR_FMT(mirror->header)));
        mirrors[i].value = gh_build_pointer(build, mirror->at.node, "argument", mirror->argument, pointers);
        for (size_t j = 0; j < i; j++)
            if (are_one(mirror_at(from, j), mirror))
                gh_tell_wrong(build->teller, mirror->at.node, "header", GH_STR("each header of a tool once"));
    }
    route->mirrors = mirrors;
    route->mirror_count = mirrors != NULL ? count : 0;
    if (count > 0)
        route->policy.reads_calls = route->body_whole = true;
}
