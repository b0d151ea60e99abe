/* gateway/verdict.h: verdicts of one worker: a token judged once is known until it expires, its key goes, or
 * its route changes. */
#ifndef GH_GATEWAY_VERDICT_H
#define GH_GATEWAY_VERDICT_H

#include "base/list.h"
#include "base/map.h"
#include "gatehouse/revocation.h"
#include "gateway/rates.h"
#include "gateway/streams.h"

#define GH_VERDICT_KEY 40 /* SHA-256 of the token, then the route's fingerprint */

/* What was signed for a verdict; assertion.c makes and reads it. One block of memory. */
struct gh_signed {
    int64_t at, renew_at; /* seconds since 1970: used from the first on, until before the second */
    uint64_t generation;  /* of the settings it was signed under */
    gh_str text;          /* behind this struct */
};

/* One accepted token at one route; immutable but for the bookkeeping of its cache, and what is signed for it.
 */
struct gh_verdict {
    struct gh_map_node node;
    struct gh_list age; /* in the cache's order of use */
    unsigned refs;      /* of this worker: the cache's and those of running requests */
    unsigned char key[GH_VERDICT_KEY];
    struct gh_principal principal;              /* its slices live behind this struct, in the same block */
    const struct gh_dependencies *dependencies; /* behind this struct too; NULL: nobody asks */
    struct gh_stream_owner owner;               /* who its event streams are counted for */
    struct gh_rate_cell **rates;                /* references, rate_count of them: each counts its requests */
    size_t rate_count;
    int64_t until;       /* seconds since 1970: not used from then on */
    uint32_t slot;       /* of the issuer in the key rings */
    bool has_thumbprint; /* false: introspected, bound to no key */
    unsigned char thumbprint[32];
    uint64_t keys_seen;          /* the last key-set publication under which the thumbprint was found */
    struct gh_signed *assertion; /* owned; NULL: none was asked for yet */
};

struct gh_verdicts;
struct gh_verdicts *gh_verdicts_new(size_t max);
void gh_verdicts_free(struct gh_verdicts *verdicts);
void gh_verdicts_resize(struct gh_verdicts *verdicts, size_t max);
/* GH_OK, or GH_INTERNAL when libcrypto fails. */
GH_MUST_USE enum gh_reason gh_verdict_key(struct gh_verdicts *verdicts, gh_str token, uint64_t fingerprint,
                                          unsigned char ret_key[GH_VERDICT_KEY]);
/* A reference, or NULL. An expired one is dropped on the way. */
struct gh_verdict *gh_verdicts_find(struct gh_verdicts *verdicts, const unsigned char key[GH_VERDICT_KEY],
                                    int64_t now);
/* Copies the principal and its dependencies (may be NULL); returns a reference (also when the cache holds
 * none). NULL when out of memory. */
struct gh_verdict *gh_verdicts_add(struct gh_verdicts *verdicts, const unsigned char key[GH_VERDICT_KEY],
                                   const struct gh_principal *principal,
                                   const struct gh_dependencies *dependencies, int64_t until);
/* Takes it out of the cache; the caller's reference stays. */
void gh_verdicts_drop(struct gh_verdicts *verdicts, struct gh_verdict *verdict);
void gh_verdict_unref(struct gh_verdict *verdict);

#endif
