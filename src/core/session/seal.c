/* core/session/seal.c: seals a session to its owner, and opens it again for nobody else. */
#include <openssl/err.h>
#include <openssl/evp.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/base64.h"
#include "base/str.h"
#include "core/session/keys.h"

#define BYTES_MAX (GH_SESSION_BYTES_MIN + GH_SESSION_ID_MAX)
/* Where the parts begin. */
#define AT_NONCE  GH_SESSION_KEY_ID
#define AT_SEALED (GH_SESSION_KEY_ID + GH_SESSION_NONCE)

/* A context that knows its cipher already: each use sets key and nonce, fetches nothing and takes no lock. */
struct gh_sealer {
    EVP_CIPHER *cipher;
    EVP_CIPHER_CTX *ctx;
};

static bool begin(struct gh_sealer *sealer, const struct gh_session_key *key,
                  const struct gh_session_owner *owner, const unsigned char *nonce, int encrypting);
static bool encrypt(struct gh_sealer *sealer, const struct gh_session *session, unsigned char *sealed);
static bool decrypt(struct gh_sealer *sealer, gh_str sealed, unsigned char *plain);

struct gh_sealer *gh_sealer_new(void)
{
    struct gh_sealer *sealer = gh_calloc(1, sizeof(*sealer));
    if (sealer == NULL)
        return NULL;
    sealer->cipher = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);
    sealer->ctx = EVP_CIPHER_CTX_new();
    if (sealer->cipher != NULL && sealer->ctx != NULL &&
        EVP_CipherInit_ex2(sealer->ctx, sealer->cipher, NULL, NULL, 1, NULL) == 1)
        return sealer;
    ERR_clear_error();
    gh_sealer_free(sealer);
    return NULL;
}

void gh_sealer_free(struct gh_sealer *sealer)
{
    if (sealer == NULL)
        return;
    EVP_CIPHER_CTX_free(sealer->ctx); /* wipes the key it used last */
    EVP_CIPHER_free(sealer->cipher);
    free(sealer);
}

bool gh_session_id_is_legal(gh_str id)
{
    /* MCP 2025-11-25, Session Management: "MUST only contain visible ASCII characters". */
    unsigned char bad = 0;
    for (size_t i = 0; i < id.len; i++)
        bad |= (unsigned char)((unsigned char)(id.ptr[i] - 0x21) > 0x7e - 0x21);
    return id.len > 0 && id.len <= GH_SESSION_ID_MAX && bad == 0;
}

bool gh_session_endpoint(const struct gh_url *url, unsigned char ret_name[GH_SESSION_ENDPOINT])
{
    const gh_str parts[] = { url->scheme, GH_STR("://"), url->authority_text, url->path };
    unsigned char digest[EVP_MAX_MD_SIZE];
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool ok = ctx != NULL && EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) == 1;
    for (size_t i = 0; ok && i < GH_ARRAY_LEN(parts); i++)
        ok = EVP_DigestUpdate(ctx, parts[i].ptr, parts[i].len) == 1;
    ok = ok && EVP_DigestFinal_ex(ctx, digest, NULL) == 1;
    EVP_MD_CTX_free(ctx);
    if (ok)
        memcpy(ret_name, digest, GH_SESSION_ENDPOINT);
    else
        ERR_clear_error();
    return ok;
}

/* ---- sealing */

gh_str gh_session_seal(struct gh_sealer *sealer, const struct gh_session_keys *keys,
                       const struct gh_session_owner *owner, const struct gh_session *session,
                       const unsigned char nonce[GH_SESSION_NONCE], struct gh_arena *arena)
{
    const struct gh_session_key *key = &keys->at[0];
    size_t len = GH_SESSION_BYTES_MIN + session->id.len, text_len = gh_base64url_encoded_len(len);
    unsigned char *bytes = gh_arena_alloc(arena, len);
    char *text = gh_arena_alloc(arena, text_len);
    if (bytes == NULL || text == NULL)
        return GH_STR_NONE;
    memcpy(bytes, key->id, GH_SESSION_KEY_ID);
    memcpy(bytes + AT_NONCE, nonce, GH_SESSION_NONCE);
    if (!begin(sealer, key, owner, nonce, 1) || !encrypt(sealer, session, bytes + AT_SEALED)) {
        ERR_clear_error();
        return GH_STR_NONE;
    }
    gh_base64url_encode(gh_str_of(bytes, len), text);
    return gh_str_of(text, text_len);
}

static bool encrypt(struct gh_sealer *sealer, const struct gh_session *session, unsigned char *sealed)
{
    int written = 0;
    unsigned char *at = sealed + GH_SESSION_ENDPOINT, *tag = at + session->id.len;
    return EVP_CipherUpdate(sealer->ctx, sealed, &written, session->endpoint, GH_SESSION_ENDPOINT) == 1 &&
           EVP_CipherUpdate(sealer->ctx, at, &written, (const unsigned char *)session->id.ptr,
                            (int)session->id.len) == 1 &&
           EVP_CipherFinal_ex(sealer->ctx, tag, &written) == 1 &&
           EVP_CIPHER_CTX_ctrl(sealer->ctx, EVP_CTRL_AEAD_GET_TAG, GH_SESSION_TAG, tag) == 1;
}

/* ---- what is authenticated beside the text: the key id, then each field of the owner behind its length */

static bool add_bytes(struct gh_sealer *sealer, const void *bytes, size_t len)
{
    int written = 0;
    return len == 0 || EVP_CipherUpdate(sealer->ctx, NULL, &written, bytes, (int)len) == 1;
}

static bool add_field(struct gh_sealer *sealer, gh_str field)
{
    const unsigned char len[4] = { (unsigned char)(field.len >> 24), (unsigned char)(field.len >> 16),
                                   (unsigned char)(field.len >> 8), (unsigned char)field.len };
    return field.len <= INT32_MAX && add_bytes(sealer, len, sizeof(len)) &&
           add_bytes(sealer, field.ptr, field.len);
}

static bool begin(struct gh_sealer *sealer, const struct gh_session_key *key,
                  const struct gh_session_owner *owner, const unsigned char *nonce, int encrypting)
{
    return EVP_CipherInit_ex2(sealer->ctx, NULL, key->bytes.bytes, nonce, encrypting, NULL) == 1 &&
           add_bytes(sealer, key->id, sizeof(key->id)) && add_field(sealer, owner->tenant) &&
           add_field(sealer, owner->issuer) && add_field(sealer, owner->subject) &&
           add_field(sealer, owner->issuer_tenant) && add_field(sealer, owner->client) &&
           add_field(sealer, owner->route) && (owner->purpose.len == 0 || add_field(sealer, owner->purpose));
}

/* ---- opening */

static enum gh_reason open_with(struct gh_sealer *sealer, const struct gh_session_key *key,
                                const struct gh_session_owner *owner, gh_str bytes, unsigned char *plain)
{
    const unsigned char *nonce = (const unsigned char *)bytes.ptr + AT_NONCE;
    if (memcmp(bytes.ptr, key->id, GH_SESSION_KEY_ID) != 0)
        return GH_SESSION_UNKNOWN;
    if (begin(sealer, key, owner, nonce, 0) && decrypt(sealer, gh_str_skip(bytes, AT_SEALED), plain))
        return GH_OK;
    ERR_clear_error(); /* what is left in the thread's queue would be read as an error of its next TLS call */
    return GH_SESSION_UNKNOWN;
}

enum gh_reason gh_session_open(struct gh_sealer *sealer, const struct gh_session_keys *keys,
                               const struct gh_session_owner *owner, gh_str text, struct gh_arena *arena,
                               struct gh_session *ret_session)
{
    unsigned char bytes[BYTES_MAX];
    size_t len = gh_base64url_decoded_len(text.len);
    if (len == SIZE_MAX || len <= GH_SESSION_BYTES_MIN || len > BYTES_MAX ||
        !gh_base64url_decode(text, bytes))
        return GH_SESSION_UNKNOWN;
    size_t plain_len = len - GH_SESSION_KEY_ID - GH_SESSION_NONCE - GH_SESSION_TAG;
    unsigned char *plain = gh_arena_alloc(arena, plain_len);
    if (plain == NULL)
        return GH_OUT_OF_MEMORY;
    enum gh_reason reason = GH_SESSION_UNKNOWN;
    for (size_t i = 0; i < keys->count && reason == GH_SESSION_UNKNOWN; i++)
        reason = open_with(sealer, &keys->at[i], owner, gh_str_of(bytes, len), plain);
    gh_str id = gh_str_of(plain + GH_SESSION_ENDPOINT, plain_len - GH_SESSION_ENDPOINT);
    /* It is going into a header: whoever sealed it is held to the same rule as we. */
    if (reason == GH_OK && !gh_session_id_is_legal(id))
        reason = GH_SESSION_UNKNOWN;
    if (reason != GH_OK)
        return reason;
    memcpy(ret_session->endpoint, plain, GH_SESSION_ENDPOINT);
    ret_session->id = id;
    return GH_OK;
}

/* Nothing of `plain` is used unless the tag fits. */
static bool decrypt(struct gh_sealer *sealer, gh_str sealed, unsigned char *plain)
{
    int written = 0;
    size_t len = sealed.len - GH_SESSION_TAG;
    unsigned char tag[GH_SESSION_TAG];
    memcpy(tag, sealed.ptr + len, sizeof(tag));
    return EVP_CipherUpdate(sealer->ctx, plain, &written, (const unsigned char *)sealed.ptr, (int)len) == 1 &&
           EVP_CIPHER_CTX_ctrl(sealer->ctx, EVP_CTRL_AEAD_SET_TAG, GH_SESSION_TAG, tag) == 1 &&
           EVP_CipherFinal_ex(sealer->ctx, plain + len, &written) == 1;
}
