/* signals/signals.h: the back channel of issuers: what they say of their users is taken in here, judged by
 * the control thread, and answered. */
#ifndef GH_SIGNALS_SIGNALS_H
#define GH_SIGNALS_SIGNALS_H

#include "exchange/exchange.h"
#include "gatehouse/security_event.h"

/* Where one issuer reaches us. Owned by the settings snapshot. */
struct gh_signal_place {
    gh_str issuer; /* its name in the settings */
    gh_str host;
    uint16_t port;
    gh_str path;
    struct gh_strs audiences; /* what it calls us */
};
struct gh_signal_site {
    const struct gh_signal_place *at;
    size_t count;
};
/* NULL: nobody's. A Host without a port means the usual one of either scheme. */
const struct gh_signal_place *gh_signal_find(const struct gh_signal_site *site,
                                             const struct gh_authority *authority, gh_str path);

/* What came in, not believed yet. */
struct gh_signal {
    gh_str issuer; /* whose place it came to */
    gh_str source; /* the address that failures are counted against; empty: none */
    enum gh_event_form form;
    gh_str token;
};
/* As text between threads, and back (false: none of ours). ptr NULL when out of memory. */
gh_str gh_signal_write(struct gh_arena *arena, const struct gh_signal *signal);
bool gh_signal_read(gh_str text, struct gh_signal *ret_signal);

/* What came of it. */
struct gh_signal_outcome {
    enum gh_reason reason;
    enum gh_revoked level; /* GH_REVOKED_COUNT: nothing was to be revoked */
    uint64_t count;        /* of revocations: one for each tenant that trusts the issuer */
    gh_str id;             /* lent */
};

/* One worker's part. */
struct gh_signals;
struct gh_signals_new {
    /* Asks the control thread (gh_signal_write's text): gh_signals_heard follows with the ticket. False: out
     * of memory. */
    bool (*ask)(void *ctx, gh_str signal, uint64_t ticket);
    void *ctx;
};
struct gh_signals *gh_signals_new(const struct gh_signals_new *with);
/* After the front: no exchange is left. */
void gh_signals_free(struct gh_signals *signals);
/* Lent until the next. */
void gh_signals_set_site(struct gh_signals *signals, const struct gh_signal_site *site);
bool gh_signals_own(const struct gh_signals *signals, const struct gh_exchange *x);
void gh_signals_heard(struct gh_signals *signals, uint64_t ticket, const struct gh_signal_outcome *outcome);

/* handler_ctx is a struct gh_signals. */
extern const struct gh_handler gh_signals_handler;

#endif
