/* core/policy/call_rules.c: rules in the order in which they are found: names by search, patterns one by one.
 */
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "core/policy/call_rules.h"

/* Shorter names first: most comparisons end at the length. */
static int compare_names(gh_str a, gh_str b)
{
    if (a.len != b.len)
        return a.len < b.len ? -1 : 1;
    return a.len != 0 ? memcmp(a.ptr, b.ptr, a.len) : 0;
}

static bool is_pattern(gh_str name)
{
    return gh_str_find(name, '*') < name.len;
}

/* Patterns last, by order; names by name, then order. */
static int compare(const void *left, const void *right)
{
    const struct gh_call_target *a = left, *b = right;
    bool a_stars = is_pattern(a->name), b_stars = is_pattern(b->name);
    if (a_stars != b_stars)
        return a_stars ? 1 : -1;
    int order = a_stars ? 0 : compare_names(a->name, b->name);
    return order != 0 ? order : (a->order > b->order) - (a->order < b->order);
}

void gh_call_rules_sort(struct gh_call_target *targets, size_t count, bool are_paths,
                        struct gh_call_rules *ret_rules)
{
    size_t exact = 0;
    bool tells_apart = false;
    if (count > 0)
        qsort(targets, count, sizeof(*targets), compare);
    while (exact < count && !is_pattern(targets[exact].name))
        exact++;
    for (size_t i = 0; i < count; i++) {
        bool is_all = gh_str_eq(targets[i].name, GH_STR("*"));
        tells_apart = tells_apart || targets[i].rule->denies || (i >= exact && !is_all);
    }
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
    if (!is_pattern(target->name) || is_pattern(other))
        return false; /* one pattern within another is not looked for */
    return are_paths ? gh_glob_paths(target->name, other) : gh_glob(target->name, other);
}

/* ---- the targets that are about a name ---- */

/* The first of that name. */
static size_t search(const struct gh_call_rules *rules, gh_str name)
{
    size_t low = 0, high = rules->exact_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (compare_names(rules->exact[middle].name, name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct gh_call_search gh_call_search(const struct gh_call_rules *rules, gh_str name, bool are_paths)
{
    return (struct gh_call_search){
        .rules = rules, .name = name, .are_paths = are_paths, .exact = search(rules, name)
    };
}

static const struct gh_call_target *exact_of(const struct gh_call_search *search)
{
    const struct gh_call_rules *rules = search->rules;
    bool is_there =
        search->exact < rules->exact_count && gh_str_eq(rules->exact[search->exact].name, search->name);
    return is_there ? &rules->exact[search->exact] : NULL;
}

static const struct gh_call_target *pattern_of(struct gh_call_search *search)
{
    const struct gh_call_rules *rules = search->rules;
    for (; search->pattern < rules->pattern_count; search->pattern++) {
        gh_str pattern = rules->patterns[search->pattern].name;
        if (search->are_paths ? gh_glob_paths(pattern, search->name) : gh_glob(pattern, search->name))
            return &rules->patterns[search->pattern];
    }
    return NULL;
}

const struct gh_call_rule *gh_call_search_next(struct gh_call_search *search)
{
    const struct gh_call_target *exact = exact_of(search), *pattern = pattern_of(search);
    if (exact != NULL && (pattern == NULL || exact->order < pattern->order)) {
        search->exact++;
        return exact->rule;
    }
    if (pattern == NULL)
        return NULL;
    search->pattern++;
    return pattern->rule;
}
