/* core/policy/call_rules.c: rules in the order in which they are found: names by search, patterns one by one.
 */
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "core/policy/call_rules.h"

/* Shorter ones first: most comparisons end at the length. */
static int compare_texts(gh_str a, gh_str b)
{
    if (a.len != b.len)
        return a.len < b.len ? -1 : 1;
    return a.len != 0 ? memcmp(a.ptr, b.ptr, a.len) : 0;
}

/* What every name that it is about begins with. */
static gh_str fixed_of(const struct gh_call_target *target)
{
    return gh_str_take(target->name, target->fixed);
}

static bool is_pattern(const struct gh_call_target *target)
{
    return target->fixed < target->name.len;
}

/* Patterns last. */
static int compare(const void *left, const void *right)
{
    const struct gh_call_target *a = left, *b = right;
    if (is_pattern(a) != is_pattern(b))
        return is_pattern(a) ? 1 : -1;
    int order = compare_texts(fixed_of(a), fixed_of(b));
    return order != 0 ? order : (a->order > b->order) - (a->order < b->order);
}

void gh_call_rules_sort(struct gh_call_target *targets, size_t count, bool are_paths,
                        struct gh_call_rules *ret_rules)
{
    size_t exact = 0;
    bool tells_apart = false; /* some names from others */
    for (size_t i = 0; i < count; i++)
        targets[i].fixed = gh_str_find(targets[i].name, '*');
    if (count > 0)
        qsort(targets, count, sizeof(*targets), compare);
    while (exact < count && !is_pattern(&targets[exact]))
        exact++;
    for (size_t i = 0; i < count; i++)
        tells_apart = tells_apart || !gh_str_eq(targets[i].name, GH_STR("*"));
    *ret_rules = (struct gh_call_rules){ .is_set = true,
                                         .has_paths = are_paths && tells_apart,
                                         .exact = targets,
                                         .exact_count = exact,
                                         .patterns = targets + exact,
                                         .pattern_count = count - exact };
}

bool gh_call_target_covers(const struct gh_call_target *target, gh_str other, bool are_paths)
{
    if (gh_str_eq(target->name, GH_STR("*")) || gh_str_eq(target->name, other))
        return true;
    if (gh_str_find(other, '*') < other.len)
        return false; /* one pattern within another is not looked for */
    return are_paths ? gh_glob_paths(target->name, other) : gh_glob(target->name, other);
}

/* ---- the targets that are about a name ---- */

struct range {
    const struct gh_call_target *at;
    size_t count;
};

/* The first of them whose fixed text is not before `text`, or, with `behind`, is behind it. */
static size_t bound(struct range targets, gh_str text, bool behind)
{
    size_t low = 0, high = targets.count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = compare_texts(fixed_of(&targets.at[middle]), text);
        if (order < 0 || (behind && order == 0))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Those whose fixed text it is. */
static struct range fixed_by(struct range targets, gh_str text)
{
    if (targets.count == 0)
        return targets;
    size_t first = bound(targets, text, false);
    struct range rest = { targets.at + first, targets.count - first };
    return (struct range){ rest.at, bound(rest, text, true) };
}

static bool is_about(const struct gh_call_target *target, const struct gh_call_search *search)
{
    if (!is_pattern(target))
        return true; /* its fixed text is all of it */
    return search->are_paths ? gh_glob_paths(target->name, search->name)
                             : gh_glob(target->name, search->name);
}

/* Of those that begin alike the ones that were not given yet. */
static struct range not_before(struct range alike, unsigned order)
{
    size_t low = 0, high = alike.count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (alike.at[middle].order < order)
            low = middle + 1;
        else
            high = middle;
    }
    return (struct range){ alike.at + low, alike.count - low };
}

/* The first of them by order; or `best`. */
static const struct gh_call_target *first_of(const struct gh_call_search *search, struct range alike,
                                             const struct gh_call_target *best)
{
    for (size_t i = 0; i < alike.count; i++) {
        const struct gh_call_target *target = &alike.at[i];
        if (best != NULL && target->order >= best->order)
            return best;
        if (is_about(target, search))
            return target;
    }
    return best;
}

/* Those that begin with `text`, and were not given yet. */
static struct range left_of(const struct gh_call_search *search, struct range targets, gh_str text)
{
    struct range alike = fixed_by(targets, text);
    return alike.count > 0 ? not_before(alike, search->order) : alike;
}

/* Patterns by how much is fixed: for each length one search among those of that length. */
static const struct gh_call_target *first_pattern(const struct gh_call_search *search,
                                                  const struct gh_call_target *best)
{
    struct range rest = { search->rules->patterns, search->rules->pattern_count };
    while (rest.count > 0 && rest.at[0].fixed <= search->name.len) {
        gh_str fixed = gh_str_take(search->name, rest.at[0].fixed);
        best = first_of(search, left_of(search, rest, fixed), best);
        size_t low = 0, high = rest.count; /* past all of this length */
        while (low < high) {
            size_t middle = low + (high - low) / 2;
            if (rest.at[middle].fixed <= fixed.len)
                low = middle + 1;
            else
                high = middle;
        }
        rest = (struct range){ rest.at + low, rest.count - low };
    }
    return best;
}

const struct gh_call_rule *gh_call_search_next(struct gh_call_search *search)
{
    const struct gh_call_rules *rules = search->rules;
    const struct range exact = { rules->exact, rules->exact_count };
    const struct gh_call_target *best = first_of(search, left_of(search, exact, search->name), NULL);
    best = first_pattern(search, best);
    if (best == NULL)
        return NULL;
    search->order = best->order + 1;
    return best->rule;
}
