/* app/signing_store.c: rings of signing keys that lie in the store: waited for at the start, looked at twice
 * a second. */
#include <stdio.h>
#include <stdlib.h>

#include "app/signing.h"
#include "base/clock.h"
#include "base/str.h"
#include "observe/metrics.h"
#include "store/store.h"

/* The store answers or gives up sooner (store.timeout, store.busy_timeout); this is for one that does not. */
#define SETTLE_MS 60000
#define TURN_MS   20

/* ---- the wait ---- */

struct settling {
    bool is_over;
    enum gh_reason reason;
};

static void settled(void *ctx, enum gh_reason reason)
{
    struct settling *settling = ctx;
    settling->is_over = true;
    settling->reason = reason;
}

static enum gh_reason look(struct gh_store *store, struct gh_signing_ring *ring,
                           const struct gh_signing_port *port)
{
    static const struct gh_signing_change change = { .wish = GH_SIGNING_LOOK };
    struct settling settling = { .reason = GH_STORE_DOWN };
    int64_t until_ms = gh_clock_mono_ms() + SETTLE_MS;
    gh_signing_ring_attach(ring, port);
    struct gh_signing_ask *ask = gh_signing_ring_ask(ring, &change, settled, &settling);
    while (ask != NULL && !settling.is_over && gh_clock_mono_ms() < until_ms) {
        gh_store_run_early(store);
        gh_loop_turn(port->loop, TURN_MS);
    }
    gh_signing_ring_detach(ring);
    return ask != NULL ? settling.reason : GH_OUT_OF_MEMORY;
}

/* Inside a turn of the control thread's loop, that one cannot be turned. */
static enum gh_reason look_apart(struct gh_store *store, struct gh_signing_ring *ring)
{
    struct gh_loop *loop = gh_loop_new();
    struct gh_mailbox *mailbox = loop != NULL ? gh_mailbox_new(loop, NULL) : NULL;
    const struct gh_signing_port port = { .loop = loop,
                                          .client =
                                              mailbox != NULL ? gh_store_client_new(store, mailbox) : NULL };
    enum gh_reason reason = port.client != NULL ? look(store, ring, &port) : GH_OUT_OF_MEMORY;
    gh_store_client_free(port.client);
    gh_mailbox_free(mailbox);
    gh_loop_free(loop);
    return reason;
}

/* ---- what came of it ---- */

/* For whoever starts the process: the same again may go well only where the store is at fault. */
static enum gh_reason explain(enum gh_reason reason, const struct gh_signing_ring *ring,
                              const struct gh_managed *managed, char **ret_why)
{
    bool is_ours =
        reason == GH_KEYS_MALFORMED || reason == GH_KEYS_UNAVAILABLE || reason == GH_SETTINGS_INVALID;
    if (reason == GH_OK || reason == GH_OUT_OF_MEMORY)
        return reason;
    const char *what = reason == GH_KEYS_MALFORMED ? "the row of signing keys "
                       : is_ours                   ? ""
                                                   : "the signing keys cannot be read from the store: ";
    const char *why = is_ours ? gh_signing_ring_why(ring) : gh_reason_row(reason)->slug;
    if (asprintf(ret_why, "issuers.%.*s.managed.keys_in: %s%s", GH_STR_FMT(managed->name), what, why) < 0)
        *ret_why = NULL;
    return is_ours ? GH_SETTINGS_INVALID : GH_STORE_DOWN;
}

enum gh_reason gh_signing_settle(const struct gh_signing *signing, struct gh_signing_ring *ring,
                                 const struct gh_managed *managed, char **ret_why)
{
    gh_signing_ring_detach(ring);
    enum gh_reason reason = explain(look_apart(signing->store, ring), ring, managed, ret_why);
    if (signing->port.client != NULL)
        gh_signing_ring_attach(ring, &signing->port);
    return reason;
}

/* ---- from then on ---- */

void gh_signing_join(struct gh_signing *signing, const struct gh_signing_port *port)
{
    signing->port = *port;
    for (size_t i = 0; i < signing->count; i++)
        if (gh_signing_ring_is_stored(signing->at[i].ring))
            gh_signing_ring_attach(signing->at[i].ring, port);
}

void gh_signing_look(struct gh_signing *signing, struct gh_registry *registry)
{
    static const struct gh_signing_change change = { .wish = GH_SIGNING_LOOK };
    for (size_t i = 0; i < signing->count; i++) {
        const struct gh_signing_here *here = &signing->at[i];
        if (here->name == NULL || !gh_signing_ring_is_stored(here->ring))
            continue;
        struct gh_issuer_stats *stats = gh_registry_issuer_stats(registry, gh_str_from(here->name));
        if (stats != NULL)
            __atomic_store_n(&stats->signing_failing, gh_signing_ring_is_failing(here->ring),
                             __ATOMIC_RELAXED);
        if (!gh_signing_ring_is_busy(here->ring)) /* without memory the next look comes soon */
            (void)gh_signing_ring_ask(here->ring, &change, NULL, NULL);
    }
}

void gh_signing_leave(struct gh_signing *signing)
{
    for (size_t i = 0; i < signing->count; i++)
        gh_signing_ring_detach(signing->at[i].ring);
    signing->port.client = NULL;
}
