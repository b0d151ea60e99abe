/* core/reason.c: the reason table itself, and finding a row by number or by slug. */
#include "gatehouse/reason.h"

#include "base/str.h"

static const struct gh_reason_row rows[GH_REASON_COUNT] = {
#define GH_REASON_ROW(id, slug, status, error, text) [GH_##id] = { slug, status, error, text },
    GH_REASONS(GH_REASON_ROW)
#undef GH_REASON_ROW
};

const struct gh_reason_row *gh_reason_row(enum gh_reason reason)
{
    return (unsigned)reason < (unsigned)GH_REASON_COUNT ? &rows[reason] : &rows[GH_INTERNAL];
}

enum gh_reason gh_reason_from_slug(gh_str slug)
{
    for (unsigned i = 0; i < (unsigned)GH_REASON_COUNT; i++) {
        if (gh_str_eq(gh_str_from(rows[i].slug), slug))
            return (enum gh_reason)i;
    }
    return GH_REASON_COUNT;
}
