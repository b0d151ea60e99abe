/* fuzz/json_pair.h: one document as read by our reader and by jansson: the same in every value. */
#ifndef GH_FUZZ_JSON_PAIR_H
#define GH_FUZZ_JSON_PAIR_H

#include <jansson.h>

#include "core/json/json.h"
#include "fuzz/fuzz.h"

/* Ours counts by tens, which is exact for whole numbers up to 2^53 and near enough for times beyond. */
static inline bool gh_fuzz_is_near(double a, double b)
{
    double most = (b < 0 ? -b : b) * 1e-9 + 1e-300;
    return a - b <= most && b - a <= most;
}

static inline void gh_fuzz_same_json(const struct gh_json *ours, json_t *theirs)
{
    const char *name;
    json_t *value;
    switch (json_typeof(theirs)) {
    case JSON_OBJECT:
        GH_HOLDS(ours->type == GH_JSON_OBJECT && ours->count == json_object_size(theirs));
        json_object_foreach(theirs, name, value)
            gh_fuzz_same_json(gh_json_get(ours, gh_str_from(name)), value);
        break;
    case JSON_ARRAY:
        GH_HOLDS(ours->type == GH_JSON_ARRAY && ours->count == json_array_size(theirs));
        for (size_t i = 0; i < ours->count; i++)
            gh_fuzz_same_json(&ours->items[i], json_array_get(theirs, i));
        break;
    case JSON_STRING:
        GH_HOLDS(ours->type == GH_JSON_STRING && ours->string.len == json_string_length(theirs));
        GH_HOLDS(memcmp(ours->string.ptr, json_string_value(theirs), ours->string.len) == 0);
        break;
    case JSON_INTEGER:
    case JSON_REAL:
        GH_HOLDS(ours->type == GH_JSON_NUMBER && gh_fuzz_is_near(ours->number, json_number_value(theirs)));
        break;
    case JSON_TRUE:
        GH_HOLDS(ours->type == GH_JSON_TRUE);
        break;
    case JSON_FALSE:
        GH_HOLDS(ours->type == GH_JSON_FALSE);
        break;
    case JSON_NULL:
        GH_HOLDS(ours->type == GH_JSON_NULL);
        break;
    }
}

#endif
