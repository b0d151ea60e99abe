/* app/hearings.h: what issuers say over the back channel, judged on the control thread: keys, signature, and
 * the revocations that follow. */
#ifndef GH_APP_HEARINGS_H
#define GH_APP_HEARINGS_H

#include "app/worker.h"

struct gh_control;
struct gh_hearings;
/* The control's rings, limits, store and settings in force are used when they are needed. */
struct gh_hearings *gh_hearings_new(struct gh_control *control);
/* Before the store's client and the rings are gone: who waits for the store is answered now, who waits for
 * keys when the rings are freed. */
void gh_hearings_close(struct gh_hearings *hearings);
/* After the rings; NULL is fine, as above. */
void gh_hearings_free(struct gh_hearings *hearings);
/* `signal` as gh_signal_write writes it. False: too many are under way. Else gh_worker_heard follows. */
bool gh_hearings_ask(struct gh_hearings *hearings, struct gh_worker *worker, gh_str signal, uint64_t ticket)
    GH_MUST_USE;

#endif
