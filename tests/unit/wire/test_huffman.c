/* wire/test_huffman.c: each character at each place, against what nghttp2 makes of it; endings right and
 * wrong. */
#include <nghttp2/nghttp2.h>
#include <stdlib.h>

#include "huffman_code.h"
#include "wire/huffman.h"

#define TEXT_MAX 256

static void *exactly(size_t size)
{
    void *block = malloc(size != 0 ? size : 1);
    assert_non_null(block);
    return block;
}

/* Both sides in blocks of their size; what comes of it in *ret_text. */
static gh_str decode(gh_str coded, char *ret_text)
{
    char *in = exactly(coded.len), *out = exactly(GH_HUFFMAN_ROOM(coded.len));
    memcpy(in, coded.ptr, coded.len);
    size_t len = gh_huffman_decode(gh_str_of(in, coded.len), out);
    memcpy(ret_text, out, len);
    free(out);
    free(in);
    return gh_str_of(ret_text, len);
}

static void assert_text(gh_str coded, gh_str text)
{
    char found[TEXT_MAX];
    gh_str decoded = decode(coded, found);
    assert_int_equal(decoded.len, text.len);
    assert_memory_equal(decoded.ptr, text.ptr, text.len);
}

static void assert_none(gh_str coded)
{
    char found[TEXT_MAX];
    assert_int_equal(decode(coded, found).len, 0);
}

/* ---- nghttp2 codes: every byte value, behind 0 to 7 and behind 8 to 15 codes of five bits ---- */

/* A field x with this value, which nghttp2 codes if that makes it shorter; the coded bytes. */
static gh_str coded_by_nghttp2(nghttp2_hd_deflater *deflater, char *text, size_t len, uint8_t *block)
{
    uint8_t name[] = "x";
    const nghttp2_nv field = { name, (uint8_t *)text, 1, len, NGHTTP2_NV_FLAG_NO_INDEX };
    ssize_t size = nghttp2_hd_deflate_hd(deflater, block, TEXT_MAX, &field, 1);
    assert_true(size > 4 && block[0] == 0x10 && block[1] == 1 && (block[3] & 0x80) != 0);
    assert_int_equal(size, 4 + (block[3] & 0x7f));
    return gh_str_of(block + 4, (size_t)size - 4);
}

static void test_every_byte(void **state)
{
    nghttp2_hd_deflater *deflater;
    uint8_t block[TEXT_MAX];
    char text[48];
    assert_int_equal(nghttp2_hd_deflate_new(&deflater, 4096), 0);
    for (unsigned byte = 0; byte < 256; byte++)
        for (size_t at = 0; at < sizeof(text); at++) {
            memset(text, '0', sizeof(text));
            text[at] = (char)byte;
            gh_str coded = coded_by_nghttp2(deflater, text, sizeof(text), block);
            if (byte != 0 && strchr(HUFFMAN_COMMON, (int)byte) != NULL)
                assert_text(coded, gh_str_of(text, sizeof(text)));
            else
                assert_none(coded);
        }
    nghttp2_hd_deflate_del(deflater);
}

/* ---- nghttp2 reads: what the tests code themselves ---- */

static void assert_nghttp2_agrees(nghttp2_hd_inflater *inflater, gh_str coded, gh_str text)
{
    uint8_t block[4 + TEXT_MAX] = { 0x10, 1, 'x', (uint8_t)(0x80 | coded.len) };
    nghttp2_nv field;
    int flags;
    assert_true(coded.len < 127);
    memcpy(block + 4, coded.ptr, coded.len);
    assert_int_equal(nghttp2_hd_inflate_hd2(inflater, &field, &flags, block, 4 + coded.len, 1),
                     4 + coded.len);
    assert_int_equal(field.valuelen, text.len);
    assert_memory_equal(field.value, text.ptr, text.len);
    assert_int_equal(nghttp2_hd_inflate_hd2(inflater, &field, &flags, block, 0, 1), 0);
    assert_int_equal(nghttp2_hd_inflate_end_headers(inflater), 0);
}

/* Every two characters beside each other, at every bit of a byte. */
static void test_every_pair(void **state)
{
    nghttp2_hd_inflater *inflater;
    char text[32], coded[TEXT_MAX];
    const char *all = HUFFMAN_COMMON;
    assert_int_equal(strlen(all), 74);
    assert_int_equal(nghttp2_hd_inflate_new(&inflater), 0);
    for (size_t i = 0; i < 74 * 74; i++)
        for (size_t at = 0; at < 8; at++) {
            memset(text, 'a', sizeof(text));
            text[at] = text[at + 16] = all[i / 74];
            text[at + 1] = text[at + 17] = all[i % 74];
            gh_str whole = gh_str_of(coded, huffman_put(coded, gh_str_of(text, sizeof(text))));
            assert_text(whole, gh_str_of(text, sizeof(text)));
            if (at == 0)
                assert_nghttp2_agrees(inflater, whole, gh_str_of(text, sizeof(text)));
        }
    nghttp2_hd_inflate_del(inflater);
}

/* The longest codes and the shortest fill what is read at once in the most and the least characters. */
static void test_every_length(void **state)
{
    static const char *const kinds[] = { "X", "0", "Z0", "0w&", "w ", HUFFMAN_COMMON };
    char text[100], coded[TEXT_MAX];
    for (size_t kind = 0; kind < GH_ARRAY_LEN(kinds); kind++)
        for (size_t len = 1; len <= sizeof(text); len++) {
            text[len - 1] = kinds[kind][(len - 1) % strlen(kinds[kind])];
            gh_str whole = gh_str_of(coded, huffman_put(coded, gh_str_of(text, len)));
            assert_text(whole, gh_str_of(text, len));
        }
}

/* ---- endings ---- */

static void test_padding(void **state)
{
    static const struct {
        const char *coded;
        size_t len, text_len;
    } cases[] = {
        /* RFC 7541 section 5.2; eight times 0 are five bytes of zeros */
        { "\0\0\0\0\0", 5, 8 },
        { "\0\0\0\0\0\xff", 6, 0 },   /* eight bits of padding */
        { "\0\0\0\0\0\7", 6, 9 },     /* three */
        { "\0\0\0\0\0\6", 6, 0 },     /* three, one of them 0 */
        { "\0\0\0\0\0\0", 6, 0 },     /* nine characters and 000 */
        { "\0\0\0\x7f", 4, 5 },       /* seven */
        { "\0\0\0\x7e", 4, 0 },       /* six and a 0 */
        { "\0\0\0\x7f\xff", 5, 0 },   /* fifteen */
        { "\0\0\0\0\0\xfe", 6, 0 },   /* the beginning of a longer code */
        { "\xff\xff\xff\xff", 4, 0 }, /* EOS and two bits */
        { "\xff\xff\xff\xff\0\0\0\0\0", 9, 0 },
        { "\xfe\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 15, 0 },
        { "\x7f", 1, 1 }, /* a code of six bits and two of padding */
        { "", 0, 0 },
    };
    char text[TEXT_MAX];
    for (size_t i = 0; i < GH_ARRAY_LEN(cases); i++)
        assert_int_equal(decode(gh_str_of(cases[i].coded, cases[i].len), text).len, cases[i].text_len);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_byte),
        cmocka_unit_test(test_every_pair),
        cmocka_unit_test(test_every_length),
        cmocka_unit_test(test_padding),
    };
    return cmocka_run_group_tests_name("huffman", tests, NULL, NULL);
}
