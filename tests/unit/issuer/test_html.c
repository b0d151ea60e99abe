/* issuer/test_html.c: whatever text comes from outside, a page holds it as text alone. */
#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/str.h"
#include "core/json/string.h"
#include "issuer/html.h"
#include "support/cm.h"

static struct gh_arena *arena;

static int set_up(void **state)
{
    arena = gh_arena_new(0);
    return arena != NULL ? 0 : -1;
}

static int tear_down(void **state)
{
    gh_arena_free(arena);
    return 0;
}

static gh_str shown(gh_str text)
{
    struct gh_html html = { .text = { .arena = arena } };
    gh_html_text(&html, text);
    return gh_html_take(&html);
}

static void assert_shown(const char *text, const char *expected)
{
    gh_str found = shown(gh_str_from(text));
    assert_int_equal(found.len, strlen(expected));
    assert_memory_equal(found.ptr, expected, found.len);
}

static void every_byte_is_text_or_nothing(void **state)
{
    for (unsigned byte = 0; byte < 256; byte++) {
        char c = (char)byte;
        gh_str found = shown(gh_str_of(&c, 1));
        bool plain = byte >= 0x20 && byte < 0x7f && strchr("&<>\"'", c) == NULL;
        if (plain)
            assert_true(found.len == 1 && found.ptr[0] == c);
        else if (byte < 0x20 || byte == 0x7f)
            assert_int_equal(found.len, 0);
        else if (byte >= 0x80)
            assert_string_equal(found.ptr, "\xef\xbf\xbd");
        else
            assert_true(found.ptr[0] == '&' && found.ptr[found.len - 1] == ';');
    }
}

static void markup_is_spelled_out(void **state)
{
    assert_shown("<b class='x' id=\"y\">&amp;</b>",
                 "&lt;b class=&#39;x&#39; id=&quot;y&quot;&gt;&amp;amp;&lt;/b&gt;");
    assert_shown("", "");
    assert_shown("Z\xc3\xbcrich \xe6\x9d\xb1 \xf0\x9f\x94\x91",
                 "Z\xc3\xbcrich \xe6\x9d\xb1 \xf0\x9f\x94\x91");
}

/* threats.md A8. */
static void nothing_turns_or_hides_its_neighbours(void **state)
{
    assert_shown("a\xe2\x80\xae"
                 "b",
                 "ab"); /* U+202E */
    assert_shown("a\xe2\x81\xa6\xe2\x81\xa9"
                 "b",
                 "ab"); /* isolates */
    assert_shown("a\xe2\x80\x8b\xe2\x80\x8d\xef\xbb\xbf\xc2\xad"
                 "b",
                 "ab");
    assert_shown("a\xd8\x9c\xc2\x85\xc2\x9f"
                 "b",
                 "ab"); /* Arabic letter mark, C1 controls */
    assert_shown("a\xf3\xa0\x81\x81"
                 "b",
                 "ab"); /* a tag character */
    assert_shown("a\xe2\x80\xa8\xe2\x80\xa9"
                 "b",
                 "ab"); /* line and paragraph separator */
}

static void what_is_no_utf8_is_shown_as_such(void **state)
{
    assert_shown("a\xc0\xbc"
                 "b",
                 "a\xef\xbf\xbd\xef\xbf\xbd"
                 "b"); /* an overlong '<' */
    assert_shown("\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
    assert_shown("a\xe2\x80", "a\xef\xbf\xbd\xef\xbf\xbd");
}

static void long_text_is_cut_between_characters(void **state)
{
    struct gh_html html = { .text = { .arena = arena } };
    gh_html_cut(&html, GH_STR("\xc3\xa4\xe2\x80\xae<\xc3\xb6xyz"), 3);
    gh_html_cut(&html, GH_STR("ab"), 2);
    assert_string_equal(gh_html_take(&html).ptr, "\xc3\xa4&lt;\xc3\xb6\xe2\x80\xa6"
                                                 "ab");
}

static void attributes_stay_between_their_quotes(void **state)
{
    struct gh_html html = { .text = { .arena = arena } };
    gh_html_markup(&html, "<input");
    gh_html_attribute(&html, "value", GH_STR("\" onfocus=\"x"));
    gh_html_markup(&html, ">");
    assert_string_equal(gh_html_take(&html).ptr, "<input value=\"&quot; onfocus=&quot;x\">");
}

/* A page out of random bytes has no more markup than we wrote, and is UTF-8. */
static void random_text_never_makes_markup(void **state)
{
    unsigned seed = 20260728;
    print_message("seed %u\n", seed);
    for (int i = 0; i < 20000; i++) {
        char bytes[64];
        size_t len = (size_t)rand_r(&seed) % sizeof(bytes);
        for (size_t k = 0; k < len; k++)
            bytes[k] = (char)(rand_r(&seed) % 3 == 0 ? "<>&\"'/"[rand_r(&seed) % 6] : rand_r(&seed) % 256);
        gh_str found = shown(gh_str_of(bytes, len));
        for (size_t k = 0; k < found.len;) {
            size_t width = gh_utf8_width(found.ptr + k, found.ptr + found.len);
            assert_true(width > 0);
            assert_null(memchr("<>\"'", found.ptr[k], 4));
            k += width;
        }
        gh_arena_reset(arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_byte_is_text_or_nothing),
        cmocka_unit_test(markup_is_spelled_out),
        cmocka_unit_test(nothing_turns_or_hides_its_neighbours),
        cmocka_unit_test(what_is_no_utf8_is_shown_as_such),
        cmocka_unit_test(long_text_is_cut_between_characters),
        cmocka_unit_test(attributes_stay_between_their_quotes),
        cmocka_unit_test(random_text_never_makes_markup),
    };
    return cmocka_run_group_tests_name("html", tests, set_up, tear_down);
}
