/* support/table.c: reads a table of cases, asks the function under test, and reports each case in TAP. */
#include "support/table.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/str.h"
#include "support/shared.h"

struct table {
    const char *name;
    void (*answer)(struct gh_arena *arena, gh_str line, struct gh_buf *out);
    unsigned line, cases, failed;
};

static void give_up(const struct table *table, const char *what)
{
    (void)printf("Bail out! %s.cases:%u: %s\n", table->name, table->line, what);
    exit(1);
}

static unsigned hex_digit(const struct table *table, char c)
{
    if (c >= '0' && c <= '9')
        return (unsigned)(c - '0');
    if (c >= 'a' && c <= 'f')
        return (unsigned)(c - 'a' + 10);
    if (c >= 'A' && c <= 'F')
        return (unsigned)(c - 'A' + 10);
    give_up(table, "\\x needs two hexadecimal digits");
    return 0;
}

static gh_str unescape(const struct table *table, struct gh_arena *arena, gh_str text)
{
    static const char from[] = "rnt0\\", to[] = "\r\n\t\0\\";
    char *bytes = gh_arena_alloc(arena, text.len + 1);
    if (bytes == NULL)
        give_up(table, "out of memory");
    size_t len = 0;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (c == '\\' && i + 3 < text.len && text.ptr[i + 1] == 'x') {
            c = (char)(hex_digit(table, text.ptr[i + 2]) << 4 | hex_digit(table, text.ptr[i + 3]));
            i += 3;
        } else if (c == '\\') {
            const char *found = i + 1 < text.len ? strchr(from, text.ptr[i + 1]) : NULL;
            if (found == NULL || *found == '\0')
                give_up(table, "unknown escape");
            c = to[found - from];
            i++;
        }
        bytes[len++] = c;
    }
    bytes[len] = '\0';
    return (gh_str){ .ptr = bytes, .len = len };
}

static void check_case(struct table *table, gh_str line, gh_str expected)
{
    struct gh_arena *arena = gh_arena_new(0);
    struct gh_buf out = { 0 };
    table->answer(arena, unescape(table, arena, line), &out);
    gh_str found = gh_buf_peek(&out);
    bool right = gh_str_eq(found, unescape(table, arena, expected));
    table->cases++;
    table->failed += right ? 0 : 1;
    (void)printf("%s %u - %s.cases:%u\n", right ? "ok" : "not ok", table->cases, table->name, table->line);
    if (!right)
        (void)printf("#   in: %.*s\n# want: %.*s\n#  got: %.*s\n", GH_STR_FMT(line), GH_STR_FMT(expected),
                     GH_STR_FMT(found));
    gh_buf_done(&out);
    gh_arena_free(arena);
}

/* What stands behind "-> ", or ptr NULL when this is no line out. */
static gh_str line_out(gh_str line)
{
    gh_str text = gh_str_trim(line);
    if (line.len == 0 || (line.ptr[0] != ' ' && line.ptr[0] != '\t') || !gh_str_starts(text, GH_STR("->")))
        return GH_STR_NONE;
    return gh_str_trim(gh_str_skip(text, 2));
}

static void run_lines(struct table *table, gh_str rest)
{
    gh_str line_in = GH_STR_NONE;
    while (rest.ptr != NULL) {
        gh_str line = gh_str_cut(&rest, '\n');
        gh_str expected = line_out(line);
        table->line++;
        if (expected.ptr != NULL && line_in.ptr == NULL)
            give_up(table, "a line out without a line in");
        if (expected.ptr != NULL) {
            check_case(table, line_in, expected);
            line_in = GH_STR_NONE;
        } else if (gh_str_trim(line).len > 0 && line.ptr[0] != '#') {
            if (line_in.ptr != NULL)
                give_up(table, "a second line in without a line out");
            line_in = line;
        }
    }
    if (line_in.ptr != NULL)
        give_up(table, "the last line in has no line out");
}

int gh_table_run(const char *name, void (*answer)(struct gh_arena *arena, gh_str line, struct gh_buf *out))
{
    struct table table = { .name = name, .answer = answer };
    const char *folder = getenv("GH_TABLES");
    struct gh_arena *arena = gh_arena_new(0);
    gh_str path = gh_arena_printf(arena, "%s/%s.cases", folder != NULL ? folder : "tests/tables", name);
    run_lines(&table, gh_file_read(arena, path));
    gh_arena_free(arena);
    if (table.cases == 0)
        give_up(&table, "no case");
    (void)printf("1..%u\n", table.cases);
    return table.failed == 0 ? 0 : 1;
}

gh_str gh_table_word(gh_str *line)
{
    while (line->len > 0 && line->ptr[0] == ' ')
        *line = gh_str_skip(*line, 1);
    return line->len > 0 ? gh_str_cut(line, ' ') : GH_STR_NONE;
}
