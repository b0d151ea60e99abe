/* fuzz/fuzz_escape.c: any bytes as they stand in logs and audit lines: one line that says the same. */
/* covers: src/base/json_escape.c */
#include "base/log.h"
#include "core/json/json.h"
#include "fuzz/fuzz.h"

#define IN_MAX 512

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct gh_json_limits limits = { .bytes = 16 * IN_MAX, .depth = 1, .values = 4 };
    gh_str bytes = gh_str_take(gh_str_of(data, size), IN_MAX);
    char out[6 * IN_MAX], less[6 * IN_MAX];
    size_t len = gh_json_escape(bytes, out, sizeof(out)), cap = len - (len > 3 ? 3 : len);
    for (size_t i = 0; i < len; i++)
        GH_HOLDS((unsigned char)out[i] >= 0x20 && out[i] != 0x7f);
    size_t cut = gh_json_escape(bytes, less, cap);
    GH_HOLDS(cut <= cap && cap - cut < 6 && memcmp(less, out, cut) == 0);
    struct gh_arena *arena = gh_arena_new(0);
    struct gh_json doc;
    gh_str text = gh_arena_printf(arena, "{\"a\":\"%.*s\",\"b\":\"%.*s\"}", (int)len, out, (int)cut, less);
    bool read = gh_json_read(arena, text, &limits, GH_INTERNAL, &doc) == GH_OK;
    GH_HOLDS(read || gh_str_find(bytes, '\0') < bytes.len);
    if (read && !gh_str_contains(text, GH_STR("\\ufffd")))
        GH_HOLDS(gh_str_eq(gh_json_text(gh_json_get(&doc, GH_STR("a"))), bytes));
    gh_arena_free(arena);
    return 0;
}
