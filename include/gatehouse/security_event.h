/* include/gatehouse/security_event.h: what an issuer says of its users behind their backs: logout tokens
 * (OpenID Connect Back-Channel Logout 1.0) and security event tokens (RFC 8417) of Shared Signals (CAEP,
 * RISC). Pure: tokens in, what is to be revoked out. */
#ifndef GATEHOUSE_SECURITY_EVENT_H
#define GATEHOUSE_SECURITY_EVENT_H

#include "gatehouse/revocation.h"

enum gh_event_form {
    GH_EVENT_FORM_LOGOUT, /* a form with logout_token */
    GH_EVENT_FORM_SET     /* pushed as it is (RFC 8935) */
};

/* Form, algorithm, typ and issuer; nothing in it is believed yet. GH_EVENT_MALFORMED, GH_EVENT_ISSUER,
 * GH_OUT_OF_MEMORY. typ of a logout token: "logout+jwt", "JWT" or none (Back-Channel Logout section 2.4); of
 * a SET "secevent+jwt" (RFC 8417 section 2.3). The key is found by gh_token_key, the signature checked by
 * gh_token_signature. */
GH_MUST_USE enum gh_reason gh_security_event_open(struct gh_arena *arena, gh_str text,
                                                  enum gh_event_form form, const struct gh_profile *profile,
                                                  struct gh_token *ret_token);

/* Slices lie in the token's arena. */
struct gh_security_event {
    enum gh_revoked level; /* GH_REVOKED_USER, GH_REVOKED_GRANT; GH_REVOKED_COUNT: it asks nothing of us */
    gh_str id;             /* subject or session, as the issuer's access tokens name them */
    int64_t issued;        /* by the issuer's clock, as its tokens are: what is older is meant */
};
/* After the signature. `audiences`: the names by which the issuer knows us. GH_EVENT_AUDIENCE, GH_EVENT_TIME
 * (iat, exp), GH_EVENT_MALFORMED (no jti, no event, a nonce; Back-Channel Logout section 2.6, RFC 8417
 * section 2.2), GH_EVENT_SUBJECT (names nobody in a way that access tokens name them). Events that are not
 * known are no fault. */
GH_MUST_USE enum gh_reason gh_security_event_judge(const struct gh_token *token, enum gh_event_form form,
                                                   const struct gh_profile *profile, struct gh_strs audiences,
                                                   int64_t now, struct gh_security_event *ret_event);

#endif
