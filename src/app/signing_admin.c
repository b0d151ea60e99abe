/* app/signing_admin.c: the signing keys of managed issuers as the control thread serves them: changed by the
 * admin interface, looked at in the store; every change is told to the workers and to the key rings of the
 * gateway before it is answered. */
#include "app/control.h"

#include "base/log.h"
#include "base/str.h"

#define LOOK_MS 500

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
    gh_signing_look(&control->signing);
    gh_deadline_set(control->loop, &control->looks, LOOK_MS); /* a reload may bring the first one */
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
