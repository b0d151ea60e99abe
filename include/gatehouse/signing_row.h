/* include/gatehouse/signing_row.h: the signing keys of one managed issuer as one row of a store: sealed, and
 * bound to whose they are and to a number that only grows. */
#ifndef GATEHOUSE_SIGNING_ROW_H
#define GATEHOUSE_SIGNING_ROW_H

#include "gatehouse/sign.h"

struct gh_secret;

/* The row's value is {"v":1,"ring":NUMBER,"sealed":TEXT}; the text is base64url of
 *
 *   [ nonce 12 | AES-256-GCM( of each key: its line "CREATED LENGTH\n", its PKCS#8 in PEM ) | tag 16 ]
 *
 * Tenant, issuer and number, each behind its length, are authenticated with it: a row opens for nobody else,
 * and not under another number. */

#define GH_SIGNING_KEYS_MAX  16u
#define GH_SIGNING_ROW_NONCE 12u
#define GH_SIGNING_ROW_KEK   32u /* bytes of a key-encryption key, at least */

struct gh_signing_set {
    uint64_t number;
    struct {
        int64_t created;
        struct gh_signing_key *key; /* a reference */
    } at[GH_SIGNING_KEYS_MAX];
    size_t count;
};
/* Lets go of the keys. */
void gh_signing_set_done(struct gh_signing_set *set);

struct gh_signing_seal {
    const struct gh_secret *key; /* gh_signing_row_key's */
    gh_str tenant, issuer;       /* the issuer as its tokens name it */
};

/* Derives (RFC 5869) what seals from the key-encryption key. GH_OK, GH_OUT_OF_MEMORY. */
GH_MUST_USE enum gh_reason gh_signing_row_key(const struct gh_secret *kek, struct gh_secret *ret_key);
/* The row's value, in the arena; ptr NULL when out of memory. At least one key; a nonce is used once. */
gh_str gh_signing_row_write(struct gh_arena *arena, const struct gh_signing_seal *seal,
                            const struct gh_signing_set *set,
                            const unsigned char nonce[GH_SIGNING_ROW_NONCE]);
/* GH_OK; GH_KEYS_MALFORMED for what was not sealed so, with what was found, for the operator;
 * GH_OUT_OF_MEMORY. */
GH_MUST_USE enum gh_reason gh_signing_row_read(struct gh_arena *arena, const struct gh_signing_seal *seal,
                                               gh_str value, struct gh_signing_set *ret_set,
                                               const char **ret_why);

/* What is sealed, without the seal: for the two above, and for tests. */
GH_MUST_USE enum gh_reason gh_signing_keys_write(const struct gh_signing_set *set,
                                                 struct gh_secret *ret_plain);
GH_MUST_USE enum gh_reason gh_signing_keys_read(gh_str plain, uint64_t number,
                                                struct gh_signing_set *ret_set);

#endif
