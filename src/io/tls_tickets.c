/* io/tls_tickets.c: the keys that seal session tickets: shared by all workers, in memory only, rotated and
 * wiped. */
#include <openssl/core_names.h>
#include <openssl/params.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/secret.h"
#include "io/tls_private.h"

#define ROTATE_SECONDS (12 * 3600)
#define KEYS           3 /* the current one and two old ones */
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
    struct ticket_key keys[KEYS]; /* newest first */
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
    free(keys);
}

/* After a long sleep of the machine it rotates as often as was missed, so that old keys do die. */
void gh_ticket_keys_tick(struct gh_ticket_keys *keys, int64_t now)
{
    pthread_mutex_lock(&keys->lock);
    if (keys->made == 0)
        keys->made = now;
    for (int i = 0; i < KEYS && now - keys->made >= ROTATE_SECONDS; i++) {
        rotate(keys);
        keys->made += ROTATE_SECONDS;
    }
    if (now - keys->made >= ROTATE_SECONDS)
        keys->made = now;
    pthread_mutex_unlock(&keys->lock);
}

static void rotate(struct gh_ticket_keys *keys)
{
    memmove(&keys->keys[1], &keys->keys[0], (KEYS - 1) * sizeof(keys->keys[0]));
    gh_random_fill(&keys->keys[0], sizeof(keys->keys[0]));
    if (keys->count < KEYS)
        keys->count++;
}

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
    int found = name == NULL ? 0 : -1;
    pthread_mutex_lock(&keys->lock);
    for (unsigned i = 0; i < keys->count && found < 0; i++)
        if (memcmp(keys->keys[i].name, name, NAME_LEN) == 0)
            found = (int)i;
    if (found >= 0)
        *ret_key = keys->keys[found];
    pthread_mutex_unlock(&keys->lock);
    return found;
}
