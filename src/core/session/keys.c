/* core/session/keys.c: keys of sealed sessions: read from a text, derived by HKDF under a label, wiped. */
#include "core/session/keys.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/base64.h"
#include "base/str.h"

/* A root key may serve other purposes under other labels. A new form of sealed text takes a new label. */
#define LABEL         "gatehouse sealed session v1"
#define TICKETS_LABEL "gatehouse tls tickets v1"

/* 32 bytes in base64 without and with padding, and in hexadecimal. */
#define BASE64_LEN 43u
#define PADDED_LEN 44u
#define HEX_LEN    64u

static enum gh_reason read_lines(struct gh_session_keys *keys, gh_str text, unsigned *ret_line,
                                 const char **ret_why);
static enum gh_reason add_key(struct gh_session_keys *keys, gh_str line, const char **ret_why);
static bool read_root(gh_str text, unsigned char ret_root[GH_SESSION_KEY]);
static bool derive(const unsigned char root[GH_SESSION_KEY], struct gh_session_key *ret_key);
static void key_done(struct gh_session_key *key);

enum gh_reason gh_session_keys_read(gh_str text, struct gh_session_keys **ret_keys, unsigned *ret_line,
                                    const char **ret_why)
{
    struct gh_session_keys *keys = gh_calloc(1, sizeof(*keys));
    if (keys == NULL)
        return GH_OUT_OF_MEMORY;
    keys->refs = 1;
    enum gh_reason reason = read_lines(keys, text, ret_line, ret_why);
    if (reason == GH_OK)
        *ret_keys = keys;
    else
        gh_session_keys_unref(keys);
    return reason;
}

static enum gh_reason read_lines(struct gh_session_keys *keys, gh_str text, unsigned *ret_line,
                                 const char **ret_why)
{
    unsigned number = 0;
    while (text.ptr != NULL) {
        gh_str line = gh_str_cut(&text, '\n');
        number++;
        if (gh_str_ends(line, GH_STR("\r")))
            line.len--;
        line = gh_str_trim(line);
        if (line.len == 0 || line.ptr[0] == '#')
            continue;
        const char *why = NULL;
        enum gh_reason reason = add_key(keys, line, &why);
        if (reason == GH_OK)
            continue;
        *ret_line = number;
        *ret_why = why;
        return reason;
    }
    if (keys->count > 0)
        return GH_OK;
    *ret_line = 0;
    *ret_why = "no key is there";
    return GH_SETTINGS_INVALID;
}

/* Who pads a file with zeros has no key. */
static bool is_one_byte(const unsigned char root[GH_SESSION_KEY])
{
    unsigned char differs = 0;
    for (size_t i = 1; i < GH_SESSION_KEY; i++)
        differs |= (unsigned char)(root[i] ^ root[0]);
    return differs == 0;
}

static bool is_there(const struct gh_session_keys *keys, const struct gh_session_key *key)
{
    for (size_t i = 0; i < keys->count; i++)
        if (gh_secret_equals(&keys->at[i].bytes, gh_str_of(key->bytes.bytes, key->bytes.len)))
            return true;
    return false;
}

static enum gh_reason add_key(struct gh_session_keys *keys, gh_str line, const char **ret_why)
{
    unsigned char root[GH_SESSION_KEY];
    struct gh_session_key key = { 0 };
    enum gh_reason reason = GH_SETTINGS_INVALID;
    if (keys->count == GH_SESSION_KEYS_MAX)
        *ret_why = "16 keys at most are allowed";
    else if (!read_root(line, root))
        *ret_why = "is not 32 bytes in hexadecimal or base64";
    else if (is_one_byte(root))
        *ret_why = "is no random key";
    else if (!derive(root, &key))
        reason = GH_OUT_OF_MEMORY;
    else if (is_there(keys, &key))
        *ret_why = "stands there twice";
    else
        reason = GH_OK;
    if (reason == GH_OK)
        keys->at[keys->count++] = key;
    else
        key_done(&key);
    gh_wipe(root, sizeof(root));
    return reason;
}

/* ---- one line */

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static bool read_hex(gh_str text, unsigned char ret_root[GH_SESSION_KEY])
{
    for (size_t i = 0; i < GH_SESSION_KEY; i++) {
        int high = hex_value(text.ptr[2 * i]), low = hex_value(text.ptr[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        ret_root[i] = (unsigned char)(high << 4 | low);
    }
    return true;
}

/* Either alphabet: `openssl rand -base64 32` writes '+' and '/', others '-' and '_'. */
static bool read_base64(gh_str text, unsigned char ret_root[GH_SESSION_KEY])
{
    char url[BASE64_LEN];
    for (size_t i = 0; i < BASE64_LEN; i++) {
        char c = text.ptr[i];
        url[i] = (char)(c == '+' ? '-' : c == '/' ? '_' : c);
    }
    bool ok = gh_base64url_decode(gh_str_of(url, sizeof(url)), ret_root);
    gh_wipe(url, sizeof(url));
    return ok;
}

static bool read_root(gh_str text, unsigned char ret_root[GH_SESSION_KEY])
{
    if (text.len == HEX_LEN)
        return read_hex(text, ret_root);
    if (text.len == BASE64_LEN || (text.len == PADDED_LEN && text.ptr[BASE64_LEN] == '='))
        return read_base64(text, ret_root);
    return false;
}

/* ---- RFC 5869: the cipher's key and its id are one output, cut in two */

static bool expand(const unsigned char root[GH_SESSION_KEY], const char *label, unsigned char *out,
                   size_t len)
{
    unsigned char copy[GH_SESSION_KEY];
    char sha256[] = "SHA256";
    memcpy(copy, root, sizeof(copy));
    const OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, sha256, 0),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, copy, sizeof(copy)),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, (void *)(uintptr_t)label, strlen(label)),
        OSSL_PARAM_construct_end(),
    };
    EVP_KDF *kdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
    EVP_KDF_CTX *ctx = kdf != NULL ? EVP_KDF_CTX_new(kdf) : NULL;
    bool ok = ctx != NULL && EVP_KDF_derive(ctx, out, len, params) == 1;
    if (!ok)
        ERR_clear_error();
    EVP_KDF_CTX_free(ctx);
    EVP_KDF_free(kdf);
    gh_wipe(copy, sizeof(copy));
    return ok;
}

static bool derive(const unsigned char root[GH_SESSION_KEY], struct gh_session_key *ret_key)
{
    unsigned char out[GH_SESSION_KEY + GH_SESSION_KEY_ID], tickets[GH_SESSION_KEY];
    bool ok = expand(root, LABEL, out, sizeof(out)) &&
              expand(root, TICKETS_LABEL, tickets, sizeof(tickets)) &&
              gh_secret_set(&ret_key->bytes, gh_str_of(out, GH_SESSION_KEY)) &&
              gh_secret_set(&ret_key->tickets, gh_str_of(tickets, sizeof(tickets)));
    if (ok)
        memcpy(ret_key->id, out + GH_SESSION_KEY, GH_SESSION_KEY_ID);
    gh_wipe(out, sizeof(out));
    gh_wipe(tickets, sizeof(tickets));
    return ok;
}

static void key_done(struct gh_session_key *key)
{
    gh_secret_done(&key->bytes);
    gh_secret_done(&key->tickets);
}

size_t gh_session_keys_count(const struct gh_session_keys *keys)
{
    return keys->count;
}

gh_str gh_session_keys_peek_tickets(const struct gh_session_keys *keys, size_t i)
{
    return gh_str_of(keys->at[i].tickets.bytes, keys->at[i].tickets.len);
}

/* ---- references */

struct gh_session_keys *gh_session_keys_ref(struct gh_session_keys *keys)
{
    __atomic_add_fetch(&keys->refs, 1, __ATOMIC_RELAXED);
    return keys;
}

void gh_session_keys_unref(struct gh_session_keys *keys)
{
    if (keys == NULL || __atomic_sub_fetch(&keys->refs, 1, __ATOMIC_ACQ_REL) > 0)
        return;
    for (size_t i = 0; i < keys->count; i++)
        key_done(&keys->at[i]);
    free(keys);
}
