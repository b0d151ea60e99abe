/* core/token/signing_key.c: one PEM block becomes one private key that has shown what it can do, or a fault.
 */
#include "core/token/signing.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "base/arena.h"
#include "base/base64.h"
#include "base/secret.h"
#include "base/str.h"
#include "core/text.h"

/* GH_KEYS_MALFORMED with a fault, in one expression. */
#define FAULT(fault) (*ret_fault = GH_SIGNING_FAULT_##fault, GH_KEYS_MALFORMED)

static enum gh_reason read_pem(gh_str pem, enum gh_signing_fault *ret_fault, EVP_PKEY **ret_pkey);
static enum gh_reason read_public(struct gh_arena *arena, EVP_PKEY *pkey, enum gh_signing_fault *ret_fault,
                                  struct gh_key_parts *ret_parts);
static enum gh_reason make_key(struct gh_arena *arena, EVP_PKEY *pkey, const struct gh_key_parts *parts,
                               struct gh_signing_key **ret_key);
static bool keeps_its_word(const struct gh_signing_key *key);

gh_str gh_signing_fault_text(enum gh_signing_fault fault)
{
    static const gh_str texts[GH_SIGNING_FAULT_COUNT] = {
        [GH_SIGNING_FAULT_PEM] = GH_STR_INIT("no PEM block, or several"),
        [GH_SIGNING_FAULT_ENCRYPTED] = GH_STR_INIT("an encrypted key"),
        [GH_SIGNING_FAULT_PKCS8] = GH_STR_INIT("a PEM block that is no PKCS#8 private key"),
        [GH_SIGNING_FAULT_MALFORMED] = GH_STR_INIT("a broken private key"),
        [GH_SIGNING_FAULT_TYPE] = GH_STR_INIT("another curve or kind of key"),
        [GH_SIGNING_FAULT_WEAK] = GH_STR_INIT("a weak RSA key"),
    };
    return (unsigned)fault < GH_SIGNING_FAULT_COUNT ? texts[fault] : GH_STR_NONE;
}

enum gh_reason gh_signing_key_read(gh_str pem, enum gh_signing_fault *ret_fault,
                                   struct gh_signing_key **ret_key)
{
    GH_CLEANUP(gh_arena_free) struct gh_arena *scratch = gh_arena_new(0);
    if (scratch == NULL)
        return GH_OUT_OF_MEMORY;
    EVP_PKEY *pkey = NULL;
    struct gh_key_parts parts = { 0 };
    struct gh_signing_key *key = NULL;
    *ret_fault = GH_SIGNING_FAULT_MALFORMED;
    enum gh_reason reason = read_pem(pem, ret_fault, &pkey);
    if (reason == GH_OK)
        reason = read_public(scratch, pkey, ret_fault, &parts);
    if (reason == GH_OK)
        reason = make_key(scratch, pkey, &parts, &key);
    if (reason == GH_OK && !keeps_its_word(key))
        reason = FAULT(MALFORMED);
    EVP_PKEY_free(pkey); /* the key has its own reference */
    if (reason == GH_KEYS_MALFORMED && gh_crypto_lacked_memory())
        reason = GH_OUT_OF_MEMORY;
    ERR_clear_error();
    if (reason == GH_OK)
        *ret_key = key;
    else
        gh_signing_key_unref(key);
    return reason;
}

/* ---- PEM, PKCS#8 ---- */

static EVP_PKEY *from_pkcs8(const unsigned char *der, long len)
{
    const unsigned char *at = der;
    PKCS8_PRIV_KEY_INFO *info = d2i_PKCS8_PRIV_KEY_INFO(NULL, &at, len);
    EVP_PKEY *pkey = info != NULL && at == der + len ? EVP_PKCS82PKEY(info) : NULL;
    PKCS8_PRIV_KEY_INFO_free(info);
    return pkey;
}

/* Two blocks, or a header inside the block, are somebody's mistake: which key is meant cannot be told. */
static bool has_another_block(BIO *bio)
{
    char *name = NULL, *header = NULL;
    unsigned char *data = NULL;
    long len = 0;
    bool more = PEM_read_bio(bio, &name, &header, &data, &len) == 1;
    if (!more)
        more = ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE;
    OPENSSL_free(name);
    OPENSSL_free(header);
    OPENSSL_clear_free(data, (size_t)len);
    return more;
}

/* By hand, since PEM_read_bio_PrivateKey would ask a terminal for the password of an encrypted key. */
static enum gh_reason read_pem(gh_str pem, enum gh_signing_fault *ret_fault, EVP_PKEY **ret_pkey)
{
    char *name = NULL, *header = NULL;
    unsigned char *data = NULL;
    long len = 0;
    BIO *bio = pem.len <= INT32_MAX ? BIO_new_mem_buf(pem.ptr != NULL ? pem.ptr : "", (int)pem.len) : NULL;
    enum gh_reason reason = GH_OK;
    if (bio == NULL || PEM_read_bio(bio, &name, &header, &data, &len) != 1)
        reason = FAULT(PEM);
    else if (strcmp(name, PEM_STRING_PKCS8) == 0 || strstr(header, "ENCRYPTED") != NULL)
        reason = FAULT(ENCRYPTED);
    else if (strcmp(name, PEM_STRING_PKCS8INF) != 0)
        reason = FAULT(PKCS8);
    else if ((*ret_pkey = from_pkcs8(data, len)) == NULL)
        reason = FAULT(MALFORMED);
    else if (header[0] != '\0' || has_another_block(bio))
        reason = FAULT(PEM);
    OPENSSL_free(name);
    OPENSSL_free(header);
    OPENSSL_clear_free(data, (size_t)len);
    BIO_free(bio);
    return reason;
}

/* ---- the public half ---- */

/* `width` 0: as short as it can be. */
static enum gh_reason read_number(struct gh_arena *arena, const EVP_PKEY *pkey, const char *name,
                                  size_t width, gh_str *ret_number)
{
    BIGNUM *number = NULL;
    if (EVP_PKEY_get_bn_param(pkey, name, &number) != 1)
        return GH_KEYS_MALFORMED;
    size_t len = width != 0 ? width : (size_t)BN_num_bytes(number);
    unsigned char *bytes = gh_arena_alloc(arena, len);
    bool fits = bytes != NULL && BN_bn2binpad(number, bytes, (int)len) == (int)len;
    BN_free(number);
    if (fits)
        *ret_number = gh_str_of(bytes, len);
    return fits ? GH_OK : bytes == NULL ? GH_OUT_OF_MEMORY : GH_KEYS_MALFORMED;
}

static bool is_p256(const EVP_PKEY *pkey)
{
    char group[32] = "";
    return EVP_PKEY_get_group_name(pkey, group, sizeof(group), NULL) == 1 && strcmp(group, "prime256v1") == 0;
}

static enum gh_reason read_ed25519(struct gh_arena *arena, const EVP_PKEY *pkey, gh_str *ret_x)
{
    size_t len = 32;
    unsigned char *x = gh_arena_alloc(arena, len);
    if (x == NULL)
        return GH_OUT_OF_MEMORY;
    *ret_x = gh_str_of(x, len);
    return EVP_PKEY_get_raw_public_key(pkey, x, &len) == 1 ? GH_OK : GH_KEYS_MALFORMED;
}

static enum gh_reason read_public(struct gh_arena *arena, EVP_PKEY *pkey, enum gh_signing_fault *ret_fault,
                                  struct gh_key_parts *ret_parts)
{
    struct gh_key_parts parts = { .crv = GH_STR("") };
    enum gh_reason reason;
    if (EVP_PKEY_is_a(pkey, "EC") && is_p256(pkey)) {
        parts.kty = GH_KTY_EC;
        parts.crv = GH_STR("P-256");
        reason = read_number(arena, pkey, OSSL_PKEY_PARAM_EC_PUB_X, 32, &parts.a);
        if (reason == GH_OK)
            reason = read_number(arena, pkey, OSSL_PKEY_PARAM_EC_PUB_Y, 32, &parts.b);
    } else if (EVP_PKEY_is_a(pkey, "ED25519")) {
        parts.kty = GH_KTY_OKP;
        parts.crv = GH_STR("Ed25519");
        reason = read_ed25519(arena, pkey, &parts.a);
    } else if (EVP_PKEY_is_a(pkey, "RSA")) {
        parts.kty = GH_KTY_RSA;
        reason = read_number(arena, pkey, OSSL_PKEY_PARAM_RSA_N, 0, &parts.a);
        if (reason == GH_OK)
            reason = read_number(arena, pkey, OSSL_PKEY_PARAM_RSA_E, 0, &parts.b);
        if (reason == GH_OK && gh_rsa_is_weak(parts.a, parts.b))
            reason = FAULT(WEAK);
    } else {
        reason = FAULT(TYPE);
    }
    if (reason == GH_OK)
        *ret_parts = parts;
    return reason;
}

static enum gh_alg alg_of(enum gh_kty kty)
{
    switch (kty) {
    case GH_KTY_EC:
        return GH_ALG_ES256;
    case GH_KTY_OKP:
        return GH_ALG_EDDSA;
    case GH_KTY_RSA:
        break;
    }
    return GH_ALG_RS256;
}

/* ---- the key ---- */

/* RFC 7517 section 4: the required members, then how the key is used and called. */
static gh_str write_jwk(struct gh_arena *arena, gh_str members, enum gh_alg alg, gh_str kid)
{
    struct gh_text text = { .arena = arena };
    gh_text_add(&text, gh_str_take(members, members.len - 1));
    gh_text_add(&text, GH_STR(",\"kid\":"));
    gh_text_json(&text, kid);
    gh_text_add(&text, GH_STR(",\"alg\":"));
    gh_text_json(&text, gh_alg_name(alg));
    gh_text_add(&text, GH_STR(",\"use\":\"sig\"}"));
    return gh_text_take(&text);
}

static enum gh_reason make_key(struct gh_arena *arena, EVP_PKEY *pkey, const struct gh_key_parts *parts,
                               struct gh_signing_key **ret_key)
{
    unsigned char thumbprint[GH_THUMBPRINT_LEN];
    char kid[GH_KID_LEN];
    gh_str members = gh_key_members(arena, parts);
    if (members.ptr == NULL || !gh_key_thumb(members, thumbprint))
        return GH_OUT_OF_MEMORY;
    gh_base64url_encode(gh_str_of(thumbprint, sizeof(thumbprint)), kid);
    enum gh_alg alg = alg_of(parts->kty);
    gh_str jwk = write_jwk(arena, members, alg, gh_str_of(kid, sizeof(kid)));
    struct gh_signing_key *key = jwk.ptr != NULL ? gh_calloc(1, sizeof(*key) + jwk.len) : NULL;
    if (key == NULL)
        return GH_OUT_OF_MEMORY;
    atomic_init(&key->refs, 1);
    key->alg = alg;
    key->width = parts->kty == GH_KTY_RSA ? parts->a.len : 64;
    memcpy(key->kid, kid, sizeof(kid));
    key->jwk = gh_str_of(memcpy(key + 1, jwk.ptr, jwk.len), jwk.len);
    key->template = EVP_PKEY_up_ref(pkey) == 1 ? gh_key_template(pkey, alg, true) : NULL;
    key->pkey = pkey;
    if (key->template != NULL) {
        *ret_key = key;
        return GH_OK;
    }
    gh_signing_key_unref(key);
    return GH_OUT_OF_MEMORY;
}

/* A file may hold halves of two keys, or a number of RSA that was spoilt: signs once, and asks the public
 * half. */
static bool keeps_its_word(const struct gh_signing_key *key)
{
    static const gh_str word = GH_STR_INIT("gatehouse");
    unsigned char signature[GH_SIGNATURE_MAX];
    size_t len = 0;
    EVP_MD_CTX *ctx = gh_key_template(key->pkey, key->alg, false);
    bool kept = ctx != NULL && gh_signature_make(key, word, signature, &len) &&
                EVP_DigestVerify(ctx, signature, len, (const unsigned char *)word.ptr, word.len) == 1;
    EVP_MD_CTX_free(ctx);
    return kept;
}

enum gh_reason gh_signing_key_write(const struct gh_signing_key *key, struct gh_secret *ret_pem)
{
    BIO *bio = BIO_new(BIO_s_secmem());
    char *pem = NULL;
    bool ok = bio != NULL && PEM_write_bio_PKCS8PrivateKey(bio, key->pkey, NULL, NULL, 0, NULL, NULL) == 1;
    if (ok) {
        long len = BIO_get_mem_data(bio, &pem);
        ok = gh_secret_set(ret_pem, gh_str_of(pem, (size_t)len));
        gh_wipe(pem, (size_t)len);
    }
    BIO_free(bio);
    ERR_clear_error();
    return ok ? GH_OK : GH_OUT_OF_MEMORY;
}

struct gh_signing_key *gh_signing_key_ref(struct gh_signing_key *key)
{
    atomic_fetch_add_explicit(&key->refs, 1, memory_order_relaxed);
    return key;
}

void gh_signing_key_unref(struct gh_signing_key *key)
{
    if (key == NULL || atomic_fetch_sub_explicit(&key->refs, 1, memory_order_acq_rel) != 1)
        return;
    EVP_MD_CTX_free(key->template);
    EVP_PKEY_free(key->pkey);
    free(key);
}

enum gh_alg gh_signing_key_alg(const struct gh_signing_key *key)
{
    return key->alg;
}

gh_str gh_signing_key_kid(const struct gh_signing_key *key)
{
    return gh_str_of(key->kid, sizeof(key->kid));
}

bool gh_signing_key_is_costly(const struct gh_signing_key *key)
{
    return key->alg == GH_ALG_RS256;
}

gh_str gh_signing_key_jwk(const struct gh_signing_key *key)
{
    return key->jwk;
}

gh_str gh_jwks_write(struct gh_arena *arena, struct gh_signing_key *const *keys, size_t count)
{
    struct gh_text text = { .arena = arena };
    gh_text_add(&text, GH_STR("{\"keys\":["));
    for (size_t i = 0; i < count; i++) {
        gh_text_add(&text, i != 0 ? GH_STR(",") : GH_STR(""));
        gh_text_add(&text, keys[i]->jwk);
    }
    gh_text_add(&text, GH_STR("]}"));
    return gh_text_take(&text);
}
