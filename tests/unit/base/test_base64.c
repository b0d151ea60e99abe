/* base/test_base64.c: one text per value, and every other text refused. */
#include "base/base64.h"
#include "base/clock.h"
#include "support/cm.h"

static bool decodes(const char *text)
{
    unsigned char out[64];
    return gh_base64url_decode(gh_str_from(text), out);
}

/* RFC 4648 section 10. */
static void test_vectors(void **state)
{
    static const struct {
        const char *bytes, *url, *padded;
    } rows[] = { { "", "", "" },
                 { "f", "Zg", "Zg==" },
                 { "fo", "Zm8", "Zm8=" },
                 { "foo", "Zm9v", "Zm9v" },
                 { "foob", "Zm9vYg", "Zm9vYg==" },
                 { "fooba", "Zm9vYmE", "Zm9vYmE=" },
                 { "foobar", "Zm9vYmFy", "Zm9vYmFy" },
                 { "\xfb\xff", "-_8", "+/8=" } };
    for (size_t i = 0; i < GH_ARRAY_LEN(rows); i++) {
        char out[16];
        gh_str bytes = gh_str_from(rows[i].bytes);
        assert_int_equal(gh_base64url_encoded_len(bytes.len), strlen(rows[i].url));
        gh_base64url_encode(bytes, out);
        assert_memory_equal(out, rows[i].url, strlen(rows[i].url));
        assert_int_equal(gh_base64_encoded_len(bytes.len), strlen(rows[i].padded));
        gh_base64_encode(bytes, out);
        assert_memory_equal(out, rows[i].padded, strlen(rows[i].padded));
        assert_int_equal(gh_base64url_decoded_len(strlen(rows[i].url)), bytes.len);
        assert_true(gh_base64url_decode(gh_str_from(rows[i].url), out));
        assert_memory_equal(out, bytes.ptr, bytes.len);
    }
}

static void test_refused(void **state)
{
    static const char *const texts[] = { "Z",
                                         "Zm9vY",
                                         "Zg==",
                                         "Zg=",
                                         "Zm8=",
                                         "Zm9v\n",
                                         " Zm9",
                                         "Zm+v",
                                         "Zm/v",
                                         "Zh",
                                         "Zm9",
                                         "Zm9vYh",
                                         "Zm9vYmF",
                                         "Z\x80"
                                         "9v",
                                         "Zm9v.",
                                         "Zm9"
                                         "\xff" };
    for (size_t i = 0; i < GH_ARRAY_LEN(texts); i++)
        assert_false(decodes(texts[i]));
    assert_true(decodes("Zm9v"));
    assert_int_equal(gh_base64url_decoded_len(5), SIZE_MAX);
}

/* Every character in every place: accepted exactly when encoding the result gives the text back. */
static void test_unique(void **state)
{
    for (unsigned c = 0; c < 256; c++) {
        for (size_t at = 0; at < 6; at++) {
            char text[6] = { 'Z', 'm', '9', 'v', 'Y', 'g' }, again[6];
            unsigned char bytes[4];
            text[at] = (char)c;
            if (!gh_base64url_decode(gh_str_of(text, 6), bytes))
                continue;
            gh_base64url_encode(gh_str_of(bytes, 4), again);
            assert_memory_equal(text, again, 6);
        }
    }
}

static void test_round_trip(void **state)
{
    for (size_t len = 0; len < 200; len++) {
        unsigned char bytes[200], out[200];
        char text[300];
        gh_random_fill(bytes, len);
        gh_base64url_encode(gh_str_of(bytes, len), text);
        assert_true(gh_base64url_decode(gh_str_of(text, gh_base64url_encoded_len(len)), out));
        assert_memory_equal(bytes, out, len);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vectors),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_unique),
        cmocka_unit_test(test_round_trip),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
