/* issuer/password.h: passwords at rest: scrypt in the PHC string format. Slow by purpose: never on a worker.
 */
#ifndef GH_ISSUER_PASSWORD_H
#define GH_ISSUER_PASSWORD_H

#include "gatehouse/types.h"

#define GH_PASSWORD_TEXT 128 /* "$scrypt$ln=16,r=8,p=1$" salt "$" hash, and a NUL */
#define GH_PASSWORD_MIN  8u
#define GH_PASSWORD_MAX  1024u

/* `cost` is ln, the binary logarithm of scrypt's N: 2^cost KiB of memory. False when memory or libcrypto
 * fails.
 */
bool gh_password_hash(gh_str password, unsigned cost, const unsigned char salt[16],
                      char ret_text[GH_PASSWORD_TEXT]) GH_MUST_USE;
/* False also for a text that is none of ours. *ret_cost: what it was made with, 0 when it cannot be read. */
bool gh_password_matches(gh_str text, gh_str password, unsigned *ret_cost) GH_MUST_USE;

/* May it be one, typed the same way twice? */
bool gh_password_is_usable(gh_str password, gh_str again);

#endif
