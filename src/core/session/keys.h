/* core/session/keys.h: what is derived of each root key; private to this folder. */
#ifndef GH_CORE_SESSION_KEYS_H
#define GH_CORE_SESSION_KEYS_H

#include "base/secret.h"
#include "gatehouse/session.h"

struct gh_session_key {
    unsigned char id[GH_SESSION_KEY_ID]; /* no secret: it stands in every sealed text */
    struct gh_secret bytes;
    struct gh_secret tickets; /* of TLS: for another purpose, under another label */
};

struct gh_session_keys {
    unsigned refs; /* atomic */
    size_t count;
    struct gh_session_key at[GH_SESSION_KEYS_MAX];
};

#endif
