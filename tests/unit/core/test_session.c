/* Sealed sessions: the text others would compute too, every changed byte and every cut, keys that rotate,
 * memory that runs out. */
#include "support/cm.h"

#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/base64.h"
#include "gatehouse/session.h"

#define OLD "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\n"
#define NEW "100102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\n"

static const unsigned char nonce[GH_SESSION_NONCE] = { 100, 101, 102, 103, 104, 105,
                                                       106, 107, 108, 109, 110, 111 };
static const struct gh_session_owner alice = {
    .tenant = GH_STR_INIT("acme"),
    .issuer = GH_STR_INIT("idp"),
    .subject = GH_STR_INIT("alice"),
    .issuer_tenant = GH_STR_INIT("org-1"),
    .client = GH_STR_INIT("app"),
    .route = GH_STR_INIT("weather"),
};
static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static struct gh_arena *arena;
static struct gh_sealer *sealer;
static struct gh_session_keys *keys;
static struct gh_session session = { .id = GH_STR_INIT("upstream-session-1") };
static gh_str sealed;

static struct gh_session_keys *read_keys(const char *text)
{
    struct gh_session_keys *read = NULL;
    unsigned line = 0;
    const char *why = NULL;
    assert_int_equal(gh_session_keys_read(gh_str_from(text), &read, &line, &why), GH_OK);
    return read;
}

static int set_up(void **state)
{
    struct gh_url url;
    arena = gh_arena_new(0);
    sealer = gh_sealer_new();
    keys = read_keys(OLD);
    if (gh_url_read(arena, GH_STR("http://127.0.0.1:3001/mcp"), &url) != GH_OK ||
        !gh_session_endpoint(&url, session.endpoint))
        return 1;
    sealed = gh_session_seal(sealer, keys, &alice, &session, nonce, arena);
    return sealed.ptr == NULL;
}

static int tear_down(void **state)
{
    gh_session_keys_unref(keys);
    gh_sealer_free(sealer);
    gh_arena_free(arena);
    return 0;
}

static enum gh_reason open_with(const struct gh_session_keys *with, gh_str text)
{
    struct gh_session opened;
    struct gh_arena *scratch = gh_arena_new(4096);
    enum gh_reason reason = gh_session_open(sealer, with, &alice, text, scratch, &opened);
    if (reason == GH_OK) {
        assert_true(gh_str_eq(opened.id, session.id));
        assert_memory_equal(opened.endpoint, session.endpoint, sizeof(opened.endpoint));
    }
    gh_arena_free(scratch);
    return reason;
}

/* Computed by another implementation (Python: hmac, cryptography's AESGCM): the form is what every node of
 * every version must understand. */
static void test_known_text(void **state)
{
    assert_str_eq(sealed, "UEDwx2RlZmdoaWprbG1ub2w0GjU8lGob0MWfBVJfswsqr7kNNaJo9emOcx0W6alRR-yMda9nKsF1kXquL_"
                          "lKBCcT");
    assert_int_equal(open_with(keys, sealed), GH_OK);
}

static void test_nonces_make_texts_differ(void **state)
{
    const unsigned char other[GH_SESSION_NONCE] = { 1 };
    gh_str again = gh_session_seal(sealer, keys, &alice, &session, other, arena);
    assert_false(gh_str_eq(again, sealed));
    assert_int_equal(open_with(keys, again), GH_OK);
}

/* Each character becomes each of the 256 bytes; the text itself opens in between. */
static void test_every_byte_counts(void **state)
{
    char *text = gh_arena_alloc(arena, sealed.len);
    memcpy(text, sealed.ptr, sealed.len);
    for (size_t i = 0; i < sealed.len; i++) {
        for (unsigned c = 0; c < 256; c++) {
            text[i] = (char)c;
            assert_int_equal(open_with(keys, gh_str_of(text, sealed.len)),
                             text[i] == sealed.ptr[i] ? GH_OK : GH_SESSION_UNKNOWN);
        }
        text[i] = sealed.ptr[i];
    }
}

/* The same below base64url: each bit of what it stands for. */
static void test_every_bit_counts(void **state)
{
    size_t len = gh_base64url_decoded_len(sealed.len);
    char *bytes = gh_arena_alloc(arena, len), *text = gh_arena_alloc(arena, sealed.len);
    assert_true(gh_base64url_decode(sealed, bytes));
    for (size_t bit = 0; bit < len * 8; bit++) {
        bytes[bit / 8] = (char)(bytes[bit / 8] ^ (1 << bit % 8));
        gh_base64url_encode(gh_str_of(bytes, len), text);
        assert_int_equal(open_with(keys, gh_str_of(text, sealed.len)), GH_SESSION_UNKNOWN);
        bytes[bit / 8] = (char)(bytes[bit / 8] ^ (1 << bit % 8));
    }
    gh_base64url_encode(gh_str_of(bytes, len), text);
    assert_int_equal(open_with(keys, gh_str_of(text, sealed.len)), GH_OK);
}

static void test_every_length_counts(void **state)
{
    char *text = gh_arena_alloc(arena, sealed.len + 1);
    for (size_t len = 0; len < sealed.len; len++) {
        assert_int_equal(open_with(keys, gh_str_take(sealed, len)), GH_SESSION_UNKNOWN);
        assert_int_equal(open_with(keys, gh_str_skip(sealed, len + 1)), GH_SESSION_UNKNOWN);
    }
    for (size_t i = 0; i <= sealed.len; i++) {
        for (const char *c = alphabet; *c != '\0'; c++) {
            memcpy(text, sealed.ptr, i);
            text[i] = *c;
            memcpy(text + i + 1, sealed.ptr + i, sealed.len - i);
            assert_int_equal(open_with(keys, gh_str_of(text, sealed.len + 1)), GH_SESSION_UNKNOWN);
        }
    }
    assert_int_equal(open_with(keys, GH_STR_NONE), GH_SESSION_UNKNOWN);
}

static gh_str repeated(char c, size_t count)
{
    char *text = gh_arena_alloc(arena, count);
    memset(text, c, count);
    return gh_str_of(text, count);
}

static void test_the_longest_id(void **state)
{
    struct gh_session longest = { .id = repeated('~', GH_SESSION_ID_MAX) }, opened;
    gh_str text = gh_session_seal(sealer, keys, &alice, &longest, nonce, arena);
    assert_int_equal(text.len, 2795);
    assert_int_equal(gh_session_open(sealer, keys, &alice, text, arena, &opened), GH_OK);
    assert_true(gh_str_eq(opened.id, longest.id));
    assert_true(gh_session_id_is_legal(longest.id));
    /* One byte more would seal, but is no legal id, and does not open. */
    longest.id = repeated('~', GH_SESSION_ID_MAX + 1);
    text = gh_session_seal(sealer, keys, &alice, &longest, nonce, arena);
    assert_int_equal(gh_session_open(sealer, keys, &alice, text, arena, &opened), GH_SESSION_UNKNOWN);
    assert_false(gh_session_id_is_legal(longest.id));
    assert_int_equal(open_with(keys, repeated('A', 1 << 20)), GH_SESSION_UNKNOWN);
}

/* Whoever holds the key still cannot bring a line end into a header of the upstream's. */
static void test_illegal_ids_do_not_open(void **state)
{
    struct gh_session one = { .id = GH_STR("x") }, opened;
    for (unsigned c = 0; c < 256; c++) {
        const char byte = (char)c;
        bool is_legal = c >= 0x21 && c <= 0x7e;
        one.id = gh_str_of(&byte, 1);
        gh_str text = gh_session_seal(sealer, keys, &alice, &one, nonce, arena);
        assert_int_equal(gh_session_open(sealer, keys, &alice, text, arena, &opened),
                         is_legal ? GH_OK : GH_SESSION_UNKNOWN);
        assert_int_equal(gh_session_id_is_legal(one.id), is_legal);
    }
    one.id = GH_STR("");
    gh_str text = gh_session_seal(sealer, keys, &alice, &one, nonce, arena);
    assert_int_equal(gh_session_open(sealer, keys, &alice, text, arena, &opened), GH_SESSION_UNKNOWN);
    assert_false(gh_session_id_is_legal(one.id));
}

/* Add the new key behind the old one everywhere, then put it first, then drop the old one: no session is
 * lost. */
static void test_keys_rotate(void **state)
{
    struct gh_session_keys *added = read_keys(OLD NEW), *turned = read_keys(NEW OLD), *only = read_keys(NEW);
    gh_str fresh = gh_session_seal(sealer, turned, &alice, &session, nonce, arena);
    assert_true(gh_str_eq(gh_session_seal(sealer, added, &alice, &session, nonce, arena), sealed));
    assert_int_equal(open_with(added, sealed), GH_OK);
    assert_int_equal(open_with(turned, sealed), GH_OK);
    assert_int_equal(open_with(only, sealed), GH_SESSION_UNKNOWN);
    assert_int_equal(open_with(keys, fresh), GH_SESSION_UNKNOWN);
    assert_int_equal(open_with(added, fresh), GH_OK);
    assert_int_equal(open_with(turned, fresh), GH_OK);
    assert_int_equal(open_with(only, fresh), GH_OK);
    gh_session_keys_unref(added);
    gh_session_keys_unref(turned);
    gh_session_keys_unref(only);
}

static void test_sixteen_keys(void **state)
{
    char text[17 * 65 + 1] = "";
    struct gh_session_keys *read = NULL;
    unsigned line = 0;
    const char *why = NULL;
    for (size_t i = 0; i < 17; i++)
        (void)snprintf(text + i * 65, 66, "%062x%02zx\n", 1u, i);
    struct gh_session_keys *all = read_keys(strchr(text, '\n') + 1);
    assert_int_equal(gh_session_keys_count(all), 16);
    assert_int_equal(gh_session_keys_read(gh_str_from(text), &read, &line, &why), GH_SETTINGS_INVALID);
    assert_int_equal(line, 17);
    assert_string_equal(why, "16 keys at most are allowed");
    gh_session_keys_unref(gh_session_keys_ref(all));
    gh_session_keys_unref(all);
    gh_session_keys_unref(NULL);
}

/* ---- memory, OpenSSL's too */

static void *crypto_malloc(size_t size, const char *file, int line)
{
    return gh_malloc(size);
}

static void *crypto_realloc(void *old, size_t size, const char *file, int line)
{
    return gh_realloc(old, size);
}

static void crypto_free(void *ptr, const char *file, int line)
{
    free(ptr);
}

static enum gh_reason whole_way(void)
{
    struct gh_session_keys *read = NULL;
    struct gh_session opened;
    unsigned line = 0;
    const char *why = NULL;
    struct gh_arena *scratch = gh_arena_new(64);
    struct gh_sealer *own = gh_sealer_new();
    enum gh_reason reason = GH_OUT_OF_MEMORY;
    if (scratch != NULL && own != NULL)
        reason = gh_session_keys_read(GH_STR(OLD NEW), &read, &line, &why);
    if (reason == GH_OK) {
        gh_str text = gh_session_seal(own, read, &alice, &session, nonce, scratch);
        reason =
            text.ptr == NULL ? GH_OUT_OF_MEMORY : gh_session_open(own, read, &alice, text, scratch, &opened);
    }
    if (reason == GH_OK)
        assert_true(gh_str_eq(opened.id, session.id));
    gh_session_keys_unref(read);
    gh_sealer_free(own);
    gh_arena_free(scratch);
    return reason;
}

/* OpenSSL gets over some failures: the sweep ends after many runs in a row in which nothing failed. */
static void test_memory_may_run_out(void **state)
{
    unsigned failures = 0;
    assert_int_equal(whole_way(), GH_OK);
    for (unsigned long n = 1, quiet = 0; quiet < 100; n++) {
        gh_alloc_fail_at(n);
        enum gh_reason reason = whole_way();
        gh_alloc_fail_at(0);
        quiet = reason == GH_OK ? quiet + 1 : 0;
        failures += reason != GH_OK;
        assert_true(reason == GH_OK || reason == GH_OUT_OF_MEMORY || reason == GH_SESSION_UNKNOWN);
    }
    assert_true(failures > 8);
    assert_int_equal(whole_way(), GH_OK);
}

int main(void)
{
    if (CRYPTO_set_mem_functions(crypto_malloc, crypto_realloc, crypto_free) != 1)
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known_text),
        cmocka_unit_test(test_nonces_make_texts_differ),
        cmocka_unit_test(test_every_byte_counts),
        cmocka_unit_test(test_every_bit_counts),
        cmocka_unit_test(test_every_length_counts),
        cmocka_unit_test(test_the_longest_id),
        cmocka_unit_test(test_illegal_ids_do_not_open),
        cmocka_unit_test(test_keys_rotate),
        cmocka_unit_test(test_sixteen_keys),
        cmocka_unit_test(test_memory_may_run_out),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
