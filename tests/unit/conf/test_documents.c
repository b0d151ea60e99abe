/* test_documents.c: the generated documents in docs/ say what the tables of the program say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/str.h"
#include "conf/reason_docs.h"
#include "conf/rows.h"
#include "support/shared.h"

static void check_document(const char *name, void (*write_document)(FILE *out))
{
    char *text = NULL, path[4096];
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    assert_non_null(out);
    write_document(out);
    assert_int_equal(fclose(out), 0);
    const char *tables = getenv("GH_TABLES");
    snprintf(path, sizeof(path), "%s/../../docs/%s", tables != NULL ? tables : "tests/tables", name);
    struct gh_arena *arena = gh_arena_new(0);
    gh_str found = gh_file_read(arena, gh_str_from(path));
    bool same = gh_str_eq(found, gh_str_of(text, len));
    if (!same)
        print_error("docs/%s differs from the tables: run ninja docs\n", name);
    gh_arena_free(arena);
    free(text);
    assert_true(same);
}

static void test_settings(void **state)
{
    check_document("settings.md", gh_conf_write_settings_md);
}

static void test_schema(void **state)
{
    check_document("settings.schema.json", gh_conf_write_settings_schema);
}

static void test_reasons(void **state)
{
    check_document("reasons.md", gh_conf_write_reasons_md);
    for (int i = 0; i < (int)GH_REASON_COUNT; i++) {
        const struct gh_reason_doc *doc = gh_reason_doc((enum gh_reason)i);
        if (doc->meaning == NULL || doc->remedy == NULL)
            fail_msg("%s has no words in src/conf/reason_docs.c", gh_reason_row((enum gh_reason)i)->slug);
    }
}

/* What every row must have, whatever it says. */
static void check_rows(const struct gh_section *section)
{
    for (const struct gh_row *row = section->rows; row->key != NULL; row++) {
        bool is_nested =
            row->type == GH_ROW_SECTION || row->type == GH_ROW_SECTIONS || row->type == GH_ROW_NAMED;
        bool is_number = row->type == GH_ROW_INT || row->type == GH_ROW_MS || row->type == GH_ROW_SECONDS ||
                         row->type == GH_ROW_SIZE;
        if (row->doc == NULL || is_nested != (row->section != NULL) || (is_number && row->max <= row->min))
            fail_msg("%s: %s", section->title, row->key);
        for (const struct gh_row *other = section->rows; other < row; other++)
            assert_string_not_equal(other->key, row->key);
        if (row->section != NULL)
            check_rows(row->section);
    }
}

static void test_rows(void **state)
{
    check_rows(&gh_settings_section);
}

/* No value of any setting means that tokens are optional (peers.md F09). */
static void check_choices(const struct gh_section *section)
{
    static const char *const lax[] = { "optional", "permissive", "none", "disabled", "anonymous", "skip" };
    for (const struct gh_row *row = section->rows; row->key != NULL; row++) {
        for (size_t i = 0; i < GH_ARRAY_LEN(lax); i++) {
            assert_string_not_equal(row->key, lax[i]);
            for (const struct gh_choice *choice = row->choices; choice != NULL && choice->text != NULL;
                 choice++)
                assert_string_not_equal(choice->text, lax[i]);
        }
        if (row->section != NULL)
            check_choices(row->section);
    }
}

static void test_nothing_is_optional(void **state)
{
    check_choices(&gh_settings_section);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_settings),
        cmocka_unit_test(test_schema),
        cmocka_unit_test(test_reasons),
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_nothing_is_optional),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
