/* keys/signing_draft.h: what a ring in the store becomes by one wish: decided on a copy, which is committed
 * or thrown away. Private to this folder. */
#ifndef GH_KEYS_SIGNING_DRAFT_H
#define GH_KEYS_SIGNING_DRAFT_H

#include "keys/signing_ring.h"

struct gh_signing_draft {
    struct gh_signing_members keys; /* references; gh_members_done */
    bool changes;                   /* it differs from the ring */
    const char *message;            /* why it could not be made, for the log: fixed words, */
    char *why;                      /* and what was found; heap */
};

/* `is_first`: no row was ever known, so the folder's keys are taken over. `made` is a key that an earlier try
 * has made, a reference or NULL; one that is made now is left there. GH_OK; GH_KEYS_UNAVAILABLE: no key could
 * be made; GH_SETTINGS_INVALID: the folder; GH_OUT_OF_MEMORY. What is gone is left out in any case. */
GH_MUST_USE enum gh_reason gh_signing_draft_make(const struct gh_signing_ring *ring,
                                                 const struct gh_signing_change *change, bool is_first,
                                                 int64_t now, struct gh_signing_key **made,
                                                 struct gh_signing_draft *draft);

#endif
