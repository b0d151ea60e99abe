/* conf/allowed.c: what a row takes, in words: for error lines and for docs/settings.md. */
#include "base/str.h"
#include "conf/rows.h"

static gh_str number_text(struct gh_arena *arena, const struct gh_row *row);
static gh_str list_text(struct gh_arena *arena, const struct gh_row *row);

#define ALGS_TEXT "RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, ES512, EdDSA"

gh_str gh_row_allowed(struct gh_arena *arena, const struct gh_row *row)
{
    switch (row->type) {
    case GH_ROW_INT:
    case GH_ROW_MS:
    case GH_ROW_SECONDS:
    case GH_ROW_SIZE:
        return number_text(arena, row);
    case GH_ROW_BOOL:
        return GH_STR("true or false");
    case GH_ROW_TEXT:
        return (row->flags & GH_ROW_LABEL) != 0
                   ? GH_STR("a name of at most 64 letters, digits, '-', '_', '.'")
                   : GH_STR("a text");
    case GH_ROW_URL:
        return GH_STR("an http or https URL without user, fragment and white space");
    case GH_ROW_FILE:
        return (row->flags & GH_ROW_SECRET) != 0 ? GH_STR("the path of a file nobody else may read")
                                                 : GH_STR("the path of a file");
    case GH_ROW_OUTPUT:
        return (row->flags & GH_ROW_OFF) != 0 ? GH_STR("a path, stdout, stderr or off")
                                              : GH_STR("a path, stdout or stderr");
    case GH_ROW_PATH:
        return GH_STR("a path");
    case GH_ROW_HEADER:
        return GH_STR("the name of a header field, letters, digits and '-'");
    case GH_ROW_CHOICE:
        return gh_row_choices_text(arena, row->choices);
    case GH_ROW_PROFILE:
        return gh_profile_builtin_names();
    case GH_ROW_NUMBER:
        return GH_STR("a number of at most 15 digits");
    case GH_ROW_VALUES:
        return GH_STR("a text, a number of at most 15 digits, true, false or null, or a list of them");
    case GH_ROW_CALLS:
        return GH_STR("a map from names, or \"*\", to a scope or a list of scopes");
    case GH_ROW_RULES:
        return GH_STR("a map from claims to a value or a list of values");
    case GH_ROW_SECTION:
        return row->section->scalar_key != NULL ? GH_STR("a text or a map of keys") : GH_STR("a map of keys");
    case GH_ROW_NAMED:
        if ((row->flags & GH_ROW_POINTERS) != 0)
            return GH_STR("a map of JSON pointers, such as /amount, to their keys");
        return row->min > 0 ? GH_STR("a map of at least one name to its keys")
                            : GH_STR("a map of names to their keys");
    case GH_ROW_TEXTS:
    case GH_ROW_URLS:
    case GH_ROW_FILES:
    case GH_ROW_HEADERS:
    case GH_ROW_SCOPES:
    case GH_ROW_ALGS:
    case GH_ROW_CIDRS:
    case GH_ROW_SECTIONS:
        break;
    }
    return list_text(arena, row);
}

static gh_str duration_text(struct gh_arena *arena, int64_t ms)
{
    static const struct {
        const char *suffix;
        int64_t factor;
    } units[] = { { "d", 86400000 }, { "h", 3600000 }, { "m", 60000 }, { "s", 1000 } };
    for (size_t i = 0; i < GH_ARRAY_LEN(units) && ms != 0; i++) {
        if (ms % units[i].factor == 0)
            return gh_arena_printf(arena, "%lld%s", (long long)(ms / units[i].factor), units[i].suffix);
    }
    return gh_arena_printf(arena, ms == 0 ? "%llds" : "%lldms", (long long)ms);
}

static gh_str size_text(struct gh_arena *arena, int64_t bytes)
{
    static const char *const suffixes[] = { "", "KiB", "MiB", "GiB" };
    size_t i = 0;
    while (bytes != 0 && bytes % 1024 == 0 && i + 1 < GH_ARRAY_LEN(suffixes)) {
        bytes /= 1024;
        i++;
    }
    return gh_arena_printf(arena, "%lld%s", (long long)bytes, suffixes[i]);
}

static gh_str number_text(struct gh_arena *arena, const struct gh_row *row)
{
    const char *off = (row->flags & GH_ROW_OFF) != 0 ? ", or off" : "";
    if (row->type == GH_ROW_INT)
        return gh_arena_printf(arena, "a whole number from %lld to %lld%s", (long long)row->min,
                               (long long)row->max, off);
    bool is_size = row->type == GH_ROW_SIZE;
    int64_t factor = row->type == GH_ROW_SECONDS ? 1000 : 1;
    gh_str min = is_size ? size_text(arena, row->min) : duration_text(arena, row->min * factor);
    gh_str max = is_size ? size_text(arena, row->max) : duration_text(arena, row->max * factor);
    return gh_arena_printf(arena, "a %s from %.*s to %.*s%s", is_size ? "size" : "duration", GH_STR_FMT(min),
                           GH_STR_FMT(max), off);
}

static gh_str list_text(struct gh_arena *arena, const struct gh_row *row)
{
    const char *what = "texts";
    if (row->type == GH_ROW_URLS)
        what = "http or https URLs";
    else if (row->type == GH_ROW_FILES)
        what = (row->flags & GH_ROW_SECRET) != 0 ? "paths of files nobody else may read" : "paths of files";
    else if (row->type == GH_ROW_HEADERS)
        what = "header field names";
    else if (row->type == GH_ROW_SCOPES)
        what = "scopes (RFC 6749 section 3.3)";
    else if (row->type == GH_ROW_ALGS)
        what = "algorithms of " ALGS_TEXT;
    else if (row->type == GH_ROW_CIDRS)
        what = "ranges such as 10.0.0.0/8 or fd00::/8, host bits zero";
    else if (row->type == GH_ROW_SECTIONS)
        what = "maps of keys";
    return gh_arena_printf(
        arena, "%s%s%s%s", (row->flags & GH_ROW_ONE) != 0 ? "one or several " : "a list of ", what,
        (row->flags & GH_ROW_NULL) != 0 ? " or null" : "", row->min > 0 ? ", at least one" : "");
}

gh_str gh_row_choices_text(struct gh_arena *arena, const struct gh_choice *choices)
{
    gh_str text = gh_str_from(choices->text);
    for (choices++; choices->text != NULL; choices++)
        text = gh_arena_printf(arena, "%.*s%s%s", GH_STR_FMT(text), choices[1].text != NULL ? ", " : " or ",
                               choices->text);
    return text;
}
