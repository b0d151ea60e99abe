/* app/signing_admin.c: the signing keys of managed issuers as the admin interface sees and changes them;
 * every change is told to the workers and to the key rings of the gateway before it is answered. */
#include "app/control.h"
#include "base/log.h"
#include "base/str.h"

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

/* Told also when it failed: what other processes did may have been found on the way, or half of it done. */
bool gh_control_key_rotate(void *ctx, const struct gh_managed *managed, bool at_once)
{
    struct gh_control *control = ctx;
    struct gh_signing_ring *ring = gh_signing_find(&control->signing, managed);
    bool made = ring != NULL && gh_signing_ring_rotate(ring, gh_loop_wall_s(control->loop), at_once);
    return tell(control) && made;
}

bool gh_control_key_drop(void *ctx, const struct gh_managed *managed, gh_str kid)
{
    struct gh_control *control = ctx;
    struct gh_signing_ring *ring = gh_signing_find(&control->signing, managed);
    bool dropped = ring != NULL && gh_signing_ring_drop(ring, kid, gh_loop_wall_s(control->loop));
    if (dropped)
        gh_log(GH_LOG_WARN, "a signing key was dropped", GH_FIELD("issuer", managed->name),
               GH_FIELD("kid", kid));
    return tell(control) && dropped;
}
