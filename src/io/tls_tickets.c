/* io/tls_tickets.c: the keys that seal session tickets: shared by all workers, in memory only, rotated and
 * wiped; random, or derived of secrets that other processes have too.
 *
 * Derived keys are those of a half-day: all processes have the same ones at the same time, and none need tell
 * another. Tickets of the half-day to come are opened as well, for a neighbour whose clock is ahead. */
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/secret.h"
#include "io/tls_private.h"

#define ROTATE_SECONDS (12 * 3600)
#define KEYS           3 /* the current one and two old ones */
#define SHARED_KEYS    4 /* and the next one */
#define KEYS_MAX       (GH_TICKET_SECRETS * SHARED_KEYS)
#define SECRET_LEN     32
#define NAME_LEN       16

struct ticket_key {
    unsigned char name[NAME_LEN], aes[32], hmac[32];
};

/* A handshake takes the lock for the time of copying 80 bytes. */
struct gh_ticket_keys {
    pthread_mutex_t lock;
    EVP_CIPHER *cipher;
    int64_t made; /* when the current one was; 0: before the first tick */
    unsigned count;
    struct ticket_key keys[KEYS_MAX]; /* the first one seals; random ones are the newest first */
    size_t secrets;                   /* 0: random keys */
    unsigned char secret[GH_TICKET_SECRETS][SECRET_LEN];
    int64_t slot; /* of the derived keys */
};

static void rotate(struct gh_ticket_keys *keys);
static int find(struct gh_ticket_keys *keys, const unsigned char *name, struct ticket_key *ret_key);

struct gh_ticket_keys *gh_ticket_keys_new(void)
{
    struct gh_ticket_keys *keys = gh_calloc(1, sizeof(*keys));
    if (keys == NULL)
        return NULL;
    pthread_mutex_init(&keys->lock, NULL);
    keys->cipher = EVP_CIPHER_fetch(NULL, "AES-256-CBC", NULL);
    if (keys->cipher == NULL)
        goto fail;
    rotate(keys);
    return keys;
fail:
    gh_ticket_keys_free(keys);
    return NULL;
}

void gh_ticket_keys_free(struct gh_ticket_keys *keys)
{
    if (keys == NULL)
        return;
    EVP_CIPHER_free(keys->cipher);
    pthread_mutex_destroy(&keys->lock);
    gh_wipe(keys->keys, sizeof(keys->keys));
    gh_wipe(keys->secret, sizeof(keys->secret));
    free(keys);
}

/* ---- random keys ---- */

static void rotate(struct gh_ticket_keys *keys)
{
    memmove(&keys->keys[1], &keys->keys[0], (KEYS - 1) * sizeof(keys->keys[0]));
    gh_random_fill(&keys->keys[0], sizeof(keys->keys[0]));
    if (keys->count < KEYS)
        keys->count++;
}

/* After a long sleep of the machine it rotates as often as was missed, so that old keys do die. */
static void rotate_when_due(struct gh_ticket_keys *keys, int64_t now)
{
    if (keys->made == 0)
        keys->made = now;
    for (int i = 0; i < KEYS && now - keys->made >= ROTATE_SECONDS; i++) {
        rotate(keys);
        keys->made += ROTATE_SECONDS;
    }
    if (now - keys->made >= ROTATE_SECONDS)
        keys->made = now;
}

/* ---- derived keys ---- */

/* RFC 5869; the half-day is the info. */
static bool derive(unsigned char *secret, int64_t slot, struct ticket_key *ret_key)
{
    char sha256[] = "SHA256", info[32];
    int len = snprintf(info, sizeof(info), "half-day %lld", (long long)slot);
    const OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, sha256, 0),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, secret, SECRET_LEN),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, info, (size_t)len),
        OSSL_PARAM_construct_end(),
    };
    EVP_KDF *kdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
    EVP_KDF_CTX *ctx = kdf != NULL ? EVP_KDF_CTX_new(kdf) : NULL;
    bool ok = ctx != NULL && EVP_KDF_derive(ctx, (unsigned char *)ret_key, sizeof(*ret_key), params) == 1;
    if (!ok)
        ERR_clear_error();
    EVP_KDF_CTX_free(ctx);
    EVP_KDF_free(kdf);
    return ok;
}

/* Of each secret the present half-day, two before it and the next. */
static bool derive_all(struct gh_ticket_keys *keys, int64_t slot)
{
    static const int offsets[SHARED_KEYS] = { 0, -1, -2, 1 };
    keys->count = 0;
    keys->slot = slot;
    for (size_t i = 0; i < keys->secrets; i++)
        for (size_t k = 0; k < SHARED_KEYS; k++) {
            if (!derive(keys->secret[i], slot + offsets[k], &keys->keys[keys->count])) {
                keys->count = 0; /* no key, no tickets */
                return false;
            }
            keys->count++;
        }
    return true;
}

static bool share(struct gh_ticket_keys *keys, struct gh_strs secrets, int64_t now)
{
    bool were_random = keys->secrets == 0;
    gh_wipe(keys->secret, sizeof(keys->secret));
    if (!were_random || secrets.count > 0)
        gh_wipe(keys->keys, sizeof(keys->keys));
    for (size_t i = 0; i < secrets.count; i++)
        memcpy(keys->secret[i], secrets.at[i].ptr, SECRET_LEN);
    keys->secrets = secrets.count;
    if (secrets.count > 0)
        return derive_all(keys, now / ROTATE_SECONDS);
    if (!were_random) {
        keys->count = 0;
        keys->made = now;
        rotate(keys);
    }
    return true;
}

bool gh_ticket_keys_share(struct gh_ticket_keys *keys, struct gh_strs secrets, int64_t now)
{
    pthread_mutex_lock(&keys->lock);
    bool ok = share(keys, secrets, now);
    pthread_mutex_unlock(&keys->lock);
    return ok;
}

void gh_ticket_keys_tick(struct gh_ticket_keys *keys, int64_t now)
{
    pthread_mutex_lock(&keys->lock);
    if (keys->secrets == 0)
        rotate_when_due(keys, now);
    else if (now / ROTATE_SECONDS != keys->slot || keys->count == 0)
        (void)derive_all(keys, now / ROTATE_SECONDS);
    pthread_mutex_unlock(&keys->lock);
}

/* ---- sealing and opening ---- */

static bool set_up(struct gh_ticket_keys *keys, struct ticket_key *key, const unsigned char *iv,
                   EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, int encrypting)
{
    char sha256[] = "SHA256";
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, key->hmac, sizeof(key->hmac)),
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, sha256, 0), OSSL_PARAM_construct_end()
    };
    return EVP_CipherInit_ex2(cipher, keys->cipher, key->aes, iv, encrypting, NULL) == 1 &&
           EVP_MAC_CTX_set_params(mac, params) == 1;
}

/* SSL_CTX_set_tlsext_ticket_key_evp_cb(3): 1 go on, 2 go on and renew the ticket, 0 unknown: full handshake,
 * -1 error. */
int gh_tls_ticket_key(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher,
                      EVP_MAC_CTX *mac, int encrypting)
{
    struct gh_ticket_keys *keys = gh_tls_of(ssl)->context->tickets;
    struct ticket_key key;
    if (keys == NULL)
        return 0;
    int at = find(keys, encrypting ? NULL : name, &key);
    if (at < 0)
        return 0;
    if (encrypting) {
        memcpy(name, key.name, NAME_LEN);
        gh_random_fill(iv, (size_t)EVP_CIPHER_get_iv_length(keys->cipher));
    }
    bool ok = set_up(keys, &key, iv, cipher, mac, encrypting);
    gh_wipe(&key, sizeof(key));
    if (!ok)
        return -1;
    return at == 0 ? 1 : 2;
}

/* The place of the key of that name (NULL: the current one), or -1. */
static int find(struct gh_ticket_keys *keys, const unsigned char *name, struct ticket_key *ret_key)
{
    pthread_mutex_lock(&keys->lock);
    int found = name == NULL && keys->count > 0 ? 0 : -1;
    for (unsigned i = 0; name != NULL && i < keys->count && found < 0; i++)
        if (memcmp(keys->keys[i].name, name, NAME_LEN) == 0)
            found = (int)i;
    if (found >= 0)
        *ret_key = keys->keys[found];
    pthread_mutex_unlock(&keys->lock);
    return found;
}
