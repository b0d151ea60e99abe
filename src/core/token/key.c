/* core/token/key.c: one JWK becomes one key, bound to its algorithms, or is left out for a named fault. */
#include "core/token/key.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>

#include "base/arena.h"
#include "base/base64.h"
#include "base/str.h"

/* What the members of the JWK say, before any number is looked at. */
struct jwk {
    gh_str kid, issuer;
    struct gh_key_parts parts;
    gh_algs algs;
};

/* GH_KEYS_MALFORMED with a fault, in one expression. */
#define FAULT(fault) (*ret_fault = GH_KEY_FAULT_##fault, GH_KEYS_MALFORMED)

static enum gh_reason read_type(const struct gh_json *json, enum gh_key_fault *ret_fault, struct jwk *jwk);
static enum gh_reason read_use(const struct gh_json *json, enum gh_key_fault *ret_fault);
static enum gh_reason read_algs(const struct gh_json *json, gh_algs allowed, enum gh_key_fault *ret_fault,
                                struct jwk *jwk);
static enum gh_reason read_names(const struct gh_json *json, enum gh_key_fault *ret_fault, struct jwk *jwk);
static enum gh_reason read_parts(struct gh_arena *arena, const struct gh_json *json,
                                 enum gh_key_fault *ret_fault, struct gh_key_parts *parts);
static enum gh_reason make_key(struct gh_arena *arena, const struct jwk *jwk, enum gh_key_fault *ret_fault,
                               struct gh_key **ret_key);

enum gh_reason gh_key_read(struct gh_arena *arena, const struct gh_json *json, gh_algs allowed,
                           enum gh_key_fault *ret_fault, struct gh_key **ret_key)
{
    struct jwk jwk = { 0 };
    enum gh_reason reason = read_type(json, ret_fault, &jwk);
    if (reason == GH_OK)
        reason = read_use(json, ret_fault);
    if (reason == GH_OK)
        reason = read_algs(json, allowed, ret_fault, &jwk);
    if (reason == GH_OK)
        reason = read_names(json, ret_fault, &jwk);
    if (reason == GH_OK)
        reason = read_parts(arena, json, ret_fault, &jwk.parts);
    if (reason == GH_OK)
        reason = make_key(arena, &jwk, ret_fault, ret_key);
    return reason;
}

static enum gh_reason read_type(const struct gh_json *json, enum gh_key_fault *ret_fault, struct jwk *jwk)
{
    if (json->type != GH_JSON_OBJECT)
        return FAULT(MALFORMED);
    gh_str kty = gh_json_text(gh_json_get(json, GH_STR("kty")));
    gh_str crv = gh_json_text(gh_json_get(json, GH_STR("crv")));
    if (gh_str_eq(kty, GH_STR("RSA"))) {
        jwk->parts.kty = GH_KTY_RSA;
        crv = GH_STR("");
    } else if (gh_str_eq(kty, GH_STR("EC"))) {
        jwk->parts.kty = GH_KTY_EC;
    } else if (gh_str_eq(kty, GH_STR("OKP"))) {
        jwk->parts.kty = GH_KTY_OKP;
    } else {
        return FAULT(TYPE);
    }
    jwk->parts.crv = crv;
    return gh_algs_for(jwk->parts.kty, crv) != 0 ? GH_OK : FAULT(TYPE);
}

/* RFC 7517 section 4.2, RFC 7517 section 4.3. */
static enum gh_reason read_use(const struct gh_json *json, enum gh_key_fault *ret_fault)
{
    const struct gh_json *use = gh_json_get(json, GH_STR("use"));
    if (use != NULL && !gh_str_eq(gh_json_text(use), GH_STR("sig")))
        return FAULT(USE);
    const struct gh_json *ops = gh_json_get(json, GH_STR("key_ops"));
    if (ops == NULL)
        return GH_OK;
    for (size_t i = 0; ops->type == GH_JSON_ARRAY && i < ops->count; i++) {
        if (gh_str_eq(gh_json_text(&ops->items[i]), GH_STR("verify")))
            return GH_OK;
    }
    return FAULT(USE);
}

/* threats.md J3: without `alg` an EC or OKP key serves the algorithm of its curve, an RSA key the RSA
 * algorithms its issuer may use. */
static enum gh_reason read_algs(const struct gh_json *json, gh_algs allowed, enum gh_key_fault *ret_fault,
                                struct jwk *jwk)
{
    const struct gh_json *name = gh_json_get(json, GH_STR("alg"));
    jwk->algs = gh_algs_for(jwk->parts.kty, jwk->parts.crv) & allowed;
    if (name != NULL) {
        enum gh_alg alg;
        if (gh_alg_read(gh_json_text(name), &alg) != GH_OK)
            return FAULT(ALGORITHM);
        jwk->algs &= GH_ALG_BIT(alg);
    }
    return jwk->algs != 0 ? GH_OK : FAULT(ALGORITHM);
}

static enum gh_reason read_names(const struct gh_json *json, enum gh_key_fault *ret_fault, struct jwk *jwk)
{
    /* A private half that everybody can fetch makes the key worthless. */
    if (gh_json_get(json, GH_STR("d")) != NULL || gh_json_get(json, GH_STR("p")) != NULL ||
        gh_json_get(json, GH_STR("k")) != NULL)
        return FAULT(WEAK);
    const struct gh_json *kid = gh_json_get(json, GH_STR("kid"));
    jwk->kid = gh_json_text(kid);
    jwk->issuer = gh_json_text(gh_json_get(json, GH_STR("issuer")));
    return kid == NULL || jwk->kid.ptr != NULL ? GH_OK : FAULT(MALFORMED);
}

/* GH_KEYS_MALFORMED when the member is no strict base64url. */
static enum gh_reason read_bytes(struct gh_arena *arena, const struct gh_json *json, gh_str name,
                                 gh_str *ret_bytes)
{
    gh_str text = gh_json_text(gh_json_get(json, name));
    size_t len = gh_base64url_decoded_len(text.len);
    if (text.len == 0 || len == SIZE_MAX)
        return GH_KEYS_MALFORMED;
    char *bytes = gh_arena_alloc(arena, len);
    if (bytes == NULL)
        return GH_OUT_OF_MEMORY;
    *ret_bytes = gh_str_of(bytes, len);
    return gh_base64url_decode(text, bytes) ? GH_OK : GH_KEYS_MALFORMED;
}

/* Some issuers put a sign byte before n; the number is the same, and so must its thumbprint be. */
static gh_str without_zeros(gh_str number)
{
    while (number.len != 0 && number.ptr[0] == 0)
        number = gh_str_skip(number, 1);
    return number;
}

static size_t coordinate_width(gh_str crv)
{
    return gh_str_eq(crv, GH_STR("P-256")) ? 32 : gh_str_eq(crv, GH_STR("P-384")) ? 48 : 66;
}

static enum gh_reason read_parts(struct gh_arena *arena, const struct gh_json *json,
                                 enum gh_key_fault *ret_fault, struct gh_key_parts *parts)
{
    bool rsa = parts->kty == GH_KTY_RSA;
    enum gh_reason reason = read_bytes(arena, json, rsa ? GH_STR("n") : GH_STR("x"), &parts->a);
    if (reason == GH_OK && parts->kty != GH_KTY_OKP)
        reason = read_bytes(arena, json, rsa ? GH_STR("e") : GH_STR("y"), &parts->b);
    if (reason != GH_OK) {
        *ret_fault = GH_KEY_FAULT_MALFORMED;
        return reason;
    }
    if (rsa) {
        parts->a = without_zeros(parts->a);
        parts->b = without_zeros(parts->b);
        return gh_rsa_is_weak(parts->a, parts->b) ? FAULT(WEAK) : GH_OK;
    }
    if (parts->kty == GH_KTY_OKP)
        return gh_ed25519_is_sound(parts->a) ? GH_OK : FAULT(WEAK);
    /* RFC 7518 section 6.2.1.2: a coordinate is as long as the curve's field. */
    size_t width = coordinate_width(parts->crv);
    return parts->a.len == width && parts->b.len == width ? GH_OK : FAULT(MALFORMED);
}

static size_t signature_width(const struct gh_key_parts *parts)
{
    return parts->kty == GH_KTY_RSA ? parts->a.len : parts->a.len * 2;
}

bool gh_crypto_lacked_memory(void)
{
    bool memory = false;
    for (unsigned long error = ERR_get_error(); error != 0; error = ERR_get_error())
        memory = memory || ERR_GET_REASON(error) == ERR_R_MALLOC_FAILURE;
    return memory;
}

static enum gh_reason make_key(struct gh_arena *arena, const struct jwk *jwk, enum gh_key_fault *ret_fault,
                               struct gh_key **ret_key)
{
    struct gh_key *key = gh_calloc(1, sizeof(*key) + jwk->kid.len + jwk->issuer.len);
    if (key == NULL)
        return GH_OUT_OF_MEMORY;
    atomic_init(&key->refs, 1);
    key->kty = jwk->parts.kty;
    key->algs = jwk->algs;
    key->width = signature_width(&jwk->parts);
    char *names = (char *)(key + 1);
    if (jwk->kid.ptr != NULL)
        key->kid = gh_str_of(memcpy(names, jwk->kid.ptr, jwk->kid.len), jwk->kid.len);
    if (jwk->issuer.ptr != NULL)
        key->issuer =
            gh_str_of(memcpy(names + jwk->kid.len, jwk->issuer.ptr, jwk->issuer.len), jwk->issuer.len);

    enum gh_reason reason = GH_OUT_OF_MEMORY;
    gh_str members = gh_key_members(arena, &jwk->parts);
    if (members.ptr == NULL || !gh_key_thumb(members, key->thumbprint))
        goto fail;
    key->pkey = gh_key_material(&jwk->parts);
    if (key->pkey == NULL) {
        *ret_fault = jwk->parts.kty == GH_KTY_RSA ? GH_KEY_FAULT_WEAK : GH_KEY_FAULT_MALFORMED;
        reason = gh_crypto_lacked_memory() ? GH_OUT_OF_MEMORY : GH_KEYS_MALFORMED;
        goto fail;
    }
    if (!gh_key_prepare(key))
        goto fail;
    *ret_key = key;
    return GH_OK;
fail:
    ERR_clear_error();
    gh_key_unref(key);
    return reason;
}

struct gh_key *gh_key_ref(struct gh_key *key)
{
    atomic_fetch_add_explicit(&key->refs, 1, memory_order_relaxed);
    return key;
}

void gh_key_unref(struct gh_key *key)
{
    if (key == NULL || atomic_fetch_sub_explicit(&key->refs, 1, memory_order_acq_rel) != 1)
        return;
    for (size_t i = 0; i < GH_ALG_COUNT; i++)
        EVP_MD_CTX_free(key->templates[i]);
    EVP_PKEY_free(key->pkey);
    free(key);
}

gh_str gh_key_kid(const struct gh_key *key)
{
    return key->kid;
}

const unsigned char *gh_key_thumbprint(const struct gh_key *key)
{
    return key->thumbprint;
}

gh_algs gh_key_algs(const struct gh_key *key)
{
    return key->algs;
}
