/* app/signing_admin.c: the signing keys of managed issuers as the control thread serves them: changed by the
 * admin interface, looked at in the store; every change is told to the workers and to the key rings of the
 * gateway before it is answered. */
#include "app/control.h"

#include <stdlib.h>

#include "base/arena.h"
#include "base/log.h"
#include "base/str.h"

#define LOOK_MS 500
/* So seldom do made-up kids cost the store a read, and so many wait for one. */
#define KID_LOOK_MS   100
#define KID_LOOK_WAIT 1024

bool gh_control_key_at(void *ctx, const struct gh_managed *managed, size_t i, struct gh_admin_key *ret_key)
{
    const struct gh_control *control = ctx;
    const struct gh_signing_ring *ring = gh_signing_find(&control->signing, managed);
    return ring != NULL && gh_signing_ring_at(ring, i, &ret_key->kid, &ret_key->state, &ret_key->created);
}

static bool tell(struct gh_control *control)
{
    if (gh_control_tell_signing(control, true))
        return true;
    gh_log(GH_LOG_ERROR, "a worker could not be told of new signing keys: out of memory");
    return false;
}

static void say_dropped(const struct gh_managed *managed, gh_str kid)
{
    gh_log(GH_LOG_WARN, "a signing key was dropped", GH_FIELD("issuer", managed->name), GH_FIELD("kid", kid));
}

/* Told also when it failed: what other processes did may have been found on the way, or half of it done. */
static bool change_folder(struct gh_control *control, struct gh_signing_ring *ring,
                          const struct gh_managed *managed, const struct gh_signing_change *change)
{
    int64_t now = gh_loop_wall_s(control->loop);
    bool is_drop = change->wish == GH_SIGNING_DROP;
    bool done = is_drop ? gh_signing_ring_drop(ring, change->kid, now)
                        : gh_signing_ring_rotate(ring, now, change->wish == GH_SIGNING_ROTATE_AT_ONCE);
    if (done && is_drop)
        say_dropped(managed, change->kid);
    return tell(control) && done;
}

enum gh_admin_key_end gh_control_key_change(void *ctx, const struct gh_managed *managed,
                                            const struct gh_signing_change *change, gh_signing_answered done,
                                            void *done_ctx, struct gh_signing_ask **ret_ask)
{
    struct gh_control *control = ctx;
    struct gh_signing_ring *ring = gh_signing_find(&control->signing, managed);
    if (ring == NULL)
        return GH_ADMIN_KEY_REFUSED;
    if (!gh_signing_ring_is_stored(ring))
        return change_folder(control, ring, managed, change) ? GH_ADMIN_KEY_CHANGED : GH_ADMIN_KEY_REFUSED;
    struct gh_signing_ask *ask = gh_signing_ring_ask(ring, change, done, done_ctx);
    if (ask == NULL)
        return GH_ADMIN_KEY_REFUSED;
    *ret_ask = ask;
    return GH_ADMIN_KEY_LATER;
}

/* ---- in the store ---- */

static void hear_change(void *ctx)
{
    (void)tell(ctx);
}

static void look(struct gh_deadline *deadline)
{
    struct gh_control *control = GH_LIST_ENTRY(deadline, struct gh_control, looks);
    gh_signing_look(&control->signing, control->registry);
    gh_deadline_set(control->loop, &control->looks, LOOK_MS); /* a reload may bring the first one */
}

static struct gh_signing_ring *ring_of(const struct gh_control *control, uint32_t slot)
{
    const struct gh_site *site = control->snapshot->conf->site;
    const struct gh_issuer_site *issuers = control->snapshot->conf->issuer_site;
    for (size_t i = 0; i < site->issuer_count; i++)
        for (size_t k = 0; site->issuers[i].slot == slot && k < issuers->issuer_count; k++)
            if (site->issuers[i].conf.managed &&
                gh_str_eq(site->issuers[i].conf.profile.name, issuers->issuers[k].name))
                return gh_signing_find(&control->signing, &issuers->issuers[k]);
    return NULL;
}

/* Who waits for one look. */
struct gh_kid_look {
    struct gh_control *control;
    uint32_t slot;
    size_t count;
    struct {
        void (*done)(void *ctx);
        void *ctx;
    } at[KID_LOOK_WAIT];
};

static void kid_looked_for(void *ctx, enum gh_reason reason)
{
    struct gh_kid_look *look = ctx;
    look->control->kid_look = NULL;
    gh_keyrings_rest(look->control->rings, look->slot, KID_LOOK_MS);
    for (size_t i = 0; i < look->count; i++)
        look->at[i].done(look->at[i].ctx);
    free(look);
}

static bool begin_kid_look(struct gh_control *control, uint32_t slot)
{
    static const struct gh_signing_change change = { .wish = GH_SIGNING_LOOK };
    struct gh_signing_ring *ring = ring_of(control, slot);
    bool is_stored = ring != NULL && gh_signing_ring_is_stored(ring);
    struct gh_kid_look *look = is_stored ? gh_calloc(1, sizeof(*look)) : NULL;
    if (look == NULL)
        return false;
    look->control = control;
    look->slot = slot;
    control->kid_look = look;
    if (gh_signing_ring_ask(ring, &change, kid_looked_for, look) != NULL)
        return true;
    control->kid_look = NULL;
    free(look);
    return false;
}

bool gh_control_look_for_kid(struct gh_control *control, uint32_t slot, void (*done)(void *ctx), void *ctx)
{
    if (control->kid_look == NULL && !begin_kid_look(control, slot))
        return false;
    struct gh_kid_look *look = control->kid_look;
    if (look->slot != slot || look->count == KID_LOOK_WAIT)
        return false;
    look->at[look->count].done = done;
    look->at[look->count++].ctx = ctx;
    return true;
}

bool gh_control_join_keys(struct gh_control *control)
{
    const struct gh_signing_port port = { .loop = control->loop,
                                          .client = gh_store_client_new(control->store, control->mailbox),
                                          .changed = hear_change,
                                          .ctx = control };
    gh_deadline_init(&control->looks, look);
    if (port.client == NULL)
        return false;
    gh_signing_join(&control->signing, &port);
    gh_deadline_set(control->loop, &control->looks, LOOK_MS);
    return true;
}

void gh_control_leave_keys(struct gh_control *control)
{
    struct gh_store_client *client = control->signing.port.client;
    if (client == NULL)
        return;
    gh_deadline_clear(&control->looks);
    gh_signing_leave(&control->signing);
    gh_store_client_free(client);
}
