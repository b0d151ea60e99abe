/* issuer/flow.h: what the steps of sign-in and consent have in common. Private to this folder. */
#ifndef GH_ISSUER_FLOW_H
#define GH_ISSUER_FLOW_H

#include "issuer/page.h"

/* ---- transaction.c: an authorization request that waits for a person ---- */
/* Begins r->transaction with a handle that came in; may be empty. */
GH_MUST_USE enum gh_reason gh_transaction_begin(struct gh_issuer_request *r, gh_str handle);
/* Its row, which came with r->rows. GH_TRANSACTION_UNKNOWN. */
GH_MUST_USE enum gh_reason gh_transaction_take(struct gh_issuer_request *r);
/* Writes it: under a new handle when it has none. */
GH_MUST_USE enum gh_reason gh_transaction_put(struct gh_issuer_request *r);
/* Whoever sits at this browser agrees to what the client asks for, before signing in; what proves it later is
 * a cookie that is set now. To be put, unless it has agreed before. GH_REQUESTS_THROTTLED: too many browsers
 * have. */
GH_MUST_USE enum gh_reason gh_transaction_agree(struct gh_issuer_request *r);
/* Did this browser? */
bool gh_transaction_has_agreed(const struct gh_issuer_request *r);
/* It is over: a second answer finds nothing. */
GH_MUST_USE enum gh_reason gh_transaction_end(struct gh_issuer_request *r);
/* A redirect URI as CSP names its origin; ptr NULL when out of memory. */
gh_str gh_transaction_target(struct gh_arena *arena, gh_str redirect_uri);

/* ---- tries.c: tries to sign in with a password, from every page that asks for one ---- */
/* What must be read before the next two: of the account of that name, and of the address. */
gh_str gh_tries_account_key(const struct gh_issuer_request *r, gh_str name);
gh_str gh_tries_address_key(const struct gh_issuer_request *r);
/* Counts a try at that account and from the address. r->retry_after_s: how long until there may be one, 0:
 * now. */
GH_MUST_USE enum gh_reason gh_tries_begin(struct gh_issuer_request *r, gh_str name);
/* It has failed: other nodes and the next start learn of it. */
GH_MUST_USE enum gh_reason gh_tries_failed(struct gh_issuer_request *r);
/* It has not: the address has it again. */
void gh_tries_right(struct gh_issuer_request *r);

/* ---- who has the session ---- */
/* r->session and r->person of the row of its user: is_valid only of an account that is there, lets in, and
 * has not ended the session. */
GH_MUST_USE enum gh_reason gh_session_person(struct gh_issuer_request *r, const struct gh_stored_row *row);
/* All sessions of r->person of before are over, also those begun behind an epoch of this second. */
GH_MUST_USE enum gh_reason gh_session_end_all(struct gh_issuer_request *r);

/* ---- push.c: the way of a pushed request into r->form; nothing happens without one ---- */
enum gh_step_end gh_step_pushed_read(struct gh_issuer_request *r);
enum gh_step_end gh_step_pushed_take(struct gh_issuer_request *r);
enum gh_step_end gh_step_pushed_open(struct gh_issuer_request *r);
/* It came by the browser alone, and the settings want it pushed. */
bool gh_push_is_missing(const struct gh_issuer_request *r);

/* ---- throttle.c: tries that are counted before they are made (threats.md A23) ---- */
gh_str gh_throttle_key(struct gh_arena *arena, const char *kind, gh_str who);
/* How long until the next try may be made; 0: now. Written: one more try. */
GH_MUST_USE enum gh_reason gh_throttle_account(struct gh_issuer_request *r, gh_str key, int64_t *ret_wait_s);
/* So often in so many seconds, all accounts and clients together, from one address; shared sources have no
 * such limit (issuer.md section 14). */
struct gh_rate {
    int64_t tries, span_s;
};
/* Takes one more, in memory: of many at once at this process exactly so many get it. The row of that key,
 * which was read, counts as well: it knows of other nodes, and of before a restart. r->retry_after_s: how
 * long until the next may come; 0: taken. */
GH_MUST_USE enum gh_reason gh_throttle_take(struct gh_issuer_request *r, gh_str key,
                                            const struct gh_rate *rate);
void gh_throttle_give(struct gh_issuer_request *r, gh_str key);
/* One more, in the row. */
GH_MUST_USE enum gh_reason gh_throttle_count(struct gh_issuer_request *r, gh_str key,
                                             const struct gh_rate *rate);
/* One more request of r->client, of so many in a minute: a client that has proven who it is counts as itself
 * wherever it comes from; anybody can name another one, which counts with the address. GH_CLIENT_THROTTLED.
 */
GH_MUST_USE enum gh_reason gh_throttle_client(struct gh_issuer_request *r, const char *kind,
                                              int64_t per_minute);
/* Who was not the client that it named, at an endpoint for clients, costs its address one of so many in a
 * minute: beyond them GH_REQUESTS_THROTTLED in place of `why`, and one line for all. Whoever is a client is
 * never held up by it. Other reasons are returned as they are. */
enum gh_reason gh_throttle_refusal(struct gh_issuer_request *r, enum gh_reason why);
/* One more of that kind, of all addresses together. GH_OVERLOADED. */
GH_MUST_USE enum gh_reason gh_throttle_all(struct gh_issuer_request *r, const char *kind,
                                           const struct gh_rate *rate);
/* Refused for so long by a row of that key: of the refusals of this while one is written down. */
void gh_throttle_tell(struct gh_issuer_request *r, gh_str key);
/* Requests of people who are not signed in are kept for ten minutes each: so many from one address. */
gh_str gh_throttle_pending_key(const struct gh_issuer_request *r);
/* As many begun at providers, counted apart: most are both. */
gh_str gh_throttle_begun_key(const struct gh_issuer_request *r);
/* Both, for what is counted whether it succeeds or not. GH_REQUESTS_THROTTLED. */
GH_MUST_USE enum gh_reason gh_throttle_spend(struct gh_issuer_request *r, gh_str key,
                                             const struct gh_rate *rate);

/* The first alone, for rows that are gone before a restart counts. GH_REQUESTS_THROTTLED. */
GH_MUST_USE enum gh_reason gh_throttle_at_once(struct gh_issuer_request *r, gh_str key,
                                               const struct gh_rate *rate);

/* ---- hasher.c: passwords on other threads ---- */
/* Compares a password with the stored text, or makes its text where that is empty; then goes on. r->verdict:
 * GH_OK or GH_LOGIN_FAILED, which it is without a stored text; r->reply: a text to store, or empty.
 * GH_OVERLOADED when too many wait. */
enum gh_step_end gh_issuer_hash(struct gh_issuer_request *r, gh_str password, gh_str stored);

/* ---- sign_in.c: providers ---- */
struct gh_sign_in_ask;
/* The row of a state that was given out. ptr NULL when out of memory. */
gh_str gh_sign_in_key(struct gh_arena *arena, gh_str state);
/* Asks the control thread; the next step finds r->fetched. */
enum gh_step_end gh_sign_in_send(struct gh_issuer_request *r, const struct gh_sign_in_ask *ask);

#endif
