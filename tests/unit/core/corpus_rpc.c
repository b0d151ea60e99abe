/* core/corpus_rpc.c: JSONTestSuite as the arguments of a call: y_ files must be taken, n_ files must not, i_
 * files are decided here. */
#include <dirent.h>
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/str.h"
#include "gatehouse/rpc.h"
#include "support/shared.h"

#define BEFORE "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\",\"params\":{\"arguments\":"
#define BEHIND "}}"

/* Otherwise than the file's name says, or undecided by it. Numbers are forwarded as they are written. */
static const struct {
    const char *file;
    bool taken;
} decided[] = {
    { "y_object_duplicated_key.json", false },
    { "y_object_duplicated_key_and_value.json", false },
    { "y_object_escaped_null_in_key.json", false },
    { "i_number_double_huge_neg_exp.json", true },
    { "i_number_huge_exp.json", true },
    { "i_number_neg_int_huge_exp.json", true },
    { "i_number_pos_double_huge_exp.json", true },
    { "i_number_real_neg_overflow.json", true },
    { "i_number_real_pos_overflow.json", true },
    { "i_number_real_underflow.json", true },
    { "i_number_too_big_neg_int.json", true },
    { "i_number_too_big_pos_int.json", true },
    { "i_number_very_big_negative_int.json", true },
};

static bool is_expected(const char *name)
{
    for (size_t i = 0; i < GH_ARRAY_LEN(decided); i++) {
        if (strcmp(decided[i].file, name) == 0)
            return decided[i].taken;
    }
    return name[0] == 'y';
}

static gh_str wrap(struct gh_arena *arena, gh_str text)
{
    const gh_str parts[] = { GH_STR(BEFORE), text, GH_STR(BEHIND) };
    return gh_arena_join(arena, (struct gh_strs){ parts, 3 }, GH_STR(""));
}

int main(void)
{
    static const struct gh_rpc_limits limits = { .depth = 64, .members = 10000, .string = 1 << 20 };
    static const uint64_t seed[2] = { 5, 6 };
    struct gh_rpc_scanner *scanner = gh_rpc_scanner_new(&limits, seed);
    struct gh_arena *arena = gh_arena_new(0);
    gh_str folder = gh_shared_path(arena, "corpora/JSONTestSuite/test_parsing");
    DIR *dir = opendir(folder.ptr);
    unsigned cases = 0, failed = 0;
    for (struct dirent *entry = dir != NULL ? readdir(dir) : NULL; entry != NULL; entry = readdir(dir)) {
        if (entry->d_name[0] == '.')
            continue;
        struct gh_arena *scratch = gh_arena_new(0);
        struct gh_rpc_message message;
        gh_str path = gh_arena_printf(scratch, "%s/%s", folder.ptr, entry->d_name);
        gh_str text = wrap(scratch, gh_file_read(scratch, path));
        enum gh_reason found = gh_rpc_scan(scanner, NULL, text, &message);
        bool right = (found == GH_OK) == is_expected(entry->d_name);
        (void)printf("%s %u - %s %s\n", right ? "ok" : "not ok", ++cases, entry->d_name,
                     gh_reason_row(found)->slug);
        failed += right ? 0 : 1;
        gh_arena_free(scratch);
    }
    if (dir != NULL)
        (void)closedir(dir);
    (void)printf("1..%u\n", cases);
    gh_arena_free(arena);
    gh_rpc_scanner_free(scanner);
    return failed == 0 && cases > 200 ? 0 : 1;
}
