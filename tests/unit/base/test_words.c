/* base/test_words.c: eight bytes at a time say the same as one at a time, and look at no byte beside the
 * slice. */
#include <stdlib.h>

#include "base/words.h"
#include "support/cm.h"

#define LONGEST 26

static uint64_t below_space(uint64_t word)
{
    return gh_word_below(word, 0x20);
}

static uint64_t is_colon(uint64_t word)
{
    return gh_word_has(word, ':');
}

static uint64_t is_high(uint64_t word)
{
    return word & GH_WORD_HIGH;
}

/* Each byte at each place among neighbours that a borrow between bytes would confuse with it. */
static void test_each_byte_at_each_place(void **state)
{
    static const unsigned char others[] = { 0x20, 0x21, '9', ';', 0x7f };
    for (size_t len = 1; len <= LONGEST; len++) {
        for (size_t i = 0; i < len * 256 * GH_ARRAY_LEN(others); i++) {
            unsigned char byte = (unsigned char)i, other = others[i / 256 % GH_ARRAY_LEN(others)];
            unsigned char *bytes = malloc(len);
            memset(bytes, other, len);
            bytes[i / 256 / GH_ARRAY_LEN(others)] = byte;
            gh_str s = gh_str_of(bytes, len);
            assert_int_equal(gh_words_any(s, below_space), byte < 0x20);
            assert_int_equal(gh_words_any(s, is_colon), byte == ':');
            assert_int_equal(gh_words_any(s, is_high), byte >= 0x80);
            free(bytes);
        }
    }
    assert_false(gh_words_any(GH_STR_NONE, is_high));
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_each_byte_at_each_place) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
