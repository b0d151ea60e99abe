/* JSONTestSuite: y_ files must be read, n_ files must not, i_ files are decided here; jansson is asked as
 * well. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/arena.h"
#include "base/str.h"
#include "core/json/json.h"
#include "support/shared.h"

/* Stricter or laxer than the file's name or jansson, with the reason. */
static const struct {
    const char *file;
    bool accepted;
} decided[] = {
    { "n_multidigit_number_then_00.json", false },       /* jansson reads over the NUL */
    { "y_object_duplicated_key.json", false },           /* refused everywhere */
    { "y_object_duplicated_key_and_value.json", false }, /* likewise */
    { "y_object_escaped_null_in_key.json", false },      /* U+0000 */
    { "y_string_null_escape.json", false },              /* U+0000 */
    { "i_number_too_big_neg_int.json", true },           /* a large number, near enough */
    { "i_number_too_big_pos_int.json", true },
    { "i_number_very_big_negative_int.json", true },
    { "i_number_double_huge_neg_exp.json", true }, /* 0 */
    { "i_number_real_underflow.json", true },
};

static bool is_expected(const char *name)
{
    for (size_t i = 0; i < GH_ARRAY_LEN(decided); i++) {
        if (strcmp(decided[i].file, name) == 0)
            return decided[i].accepted;
    }
    return name[0] == 'y';
}

static bool is_decided(const char *name)
{
    for (size_t i = 0; i < GH_ARRAY_LEN(decided); i++) {
        if (strcmp(decided[i].file, name) == 0)
            return true;
    }
    return false;
}

/* The files hold values of every type; only objects are documents here, so each is put into one. */
static bool reads(struct gh_arena *arena, gh_str text, bool *ret_jansson)
{
    struct gh_json json;
    json_t *doc = json_loadb(text.ptr, text.len, JSON_REJECT_DUPLICATES, NULL);
    *ret_jansson = doc != NULL;
    json_decref(doc);
    return gh_json_read(arena, text, &gh_json_control_limits, GH_INTERNAL, &json) == GH_OK;
}

static gh_str wrap(struct gh_arena *arena, gh_str text)
{
    char *bytes = gh_arena_alloc(arena, text.len + 7);
    memcpy(bytes, "{\"a\":", 5);
    memcpy(bytes + 5, text.ptr, text.len);
    bytes[5 + text.len] = '}';
    return gh_str_of(bytes, text.len + 6);
}

int main(void)
{
    struct gh_arena *arena = gh_arena_new(0);
    gh_str folder = gh_shared_path(arena, "corpora/JSONTestSuite/test_parsing");
    DIR *dir = opendir(folder.ptr);
    unsigned cases = 0, failed = 0;
    for (struct dirent *entry = dir != NULL ? readdir(dir) : NULL; entry != NULL; entry = readdir(dir)) {
        const char *name = entry->d_name;
        if (name[0] == '.')
            continue;
        struct gh_arena *scratch = gh_arena_new(0);
        bool jansson, expected = is_expected(name);
        gh_str text = gh_file_read(scratch, gh_arena_printf(scratch, "%s/%s", folder.ptr, name));
        bool found = reads(scratch, wrap(scratch, text), &jansson);
        bool right = found == expected && (jansson == found || is_decided(name));
        (void)printf("%s %u - %s %s\n", right ? "ok" : "not ok", ++cases, name, found ? "read" : "refused");
        failed += right ? 0 : 1;
        gh_arena_free(scratch);
    }
    if (dir != NULL)
        (void)closedir(dir);
    (void)printf("1..%u\n", cases);
    gh_arena_free(arena);
    return failed == 0 && cases > 200 ? 0 : 1;
}
