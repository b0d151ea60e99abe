/* keys/want.c: requests that wait for a key: who joins a fetch, who causes one, who is refused at once. */
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/str.h"
#include "keys/ring.h"

#define KID_MAX 1024u /* no issuer has longer ones; such a token is not worth a fetch */

struct want {
    struct answer answer; /* its link is in the ring's wants while it waits for the fetch */
    void (*done)(void *ctx);
    void *ctx;
    bool takes_any; /* asked without a kid while there was no set: any will do */
    size_t kid_len;
    char kid[];
};

static bool may_fetch(struct ring *ring, gh_str kid);

static void run_want(struct answer *answer)
{
    struct want *want = GH_LIST_ENTRY(answer, struct want, answer);
    want->done(want->ctx);
    free(want);
}

bool gh_keyrings_want(struct gh_keyrings *rings, uint32_t slot, gh_str kid, void (*done)(void *ctx),
                      void *ctx)
{
    struct ring *ring = slot < GH_KEYRING_SLOTS ? rings->at[slot] : NULL;
    size_t len = kid.len <= KID_MAX ? kid.len : 0;
    struct want *want = rings->waiting < RINGS_WAITING_MAX ? gh_malloc(sizeof(*want) + len) : NULL;
    if (want == NULL)
        return false;
    *want = (struct want){ .answer = { .run = run_want }, .done = done, .ctx = ctx, .kid_len = len };
    want->takes_any = kid.len == 0 && ring != NULL && ring->view.set == NULL;
    gh_list_init(&want->answer.link);
    if (len != 0)
        memcpy(want->kid, kid.ptr, len);
    rings->waiting++;
    bool fits = kid.len <= KID_MAX;
    if (ring != NULL && fits && ring->flight != NULL) {
        gh_list_append(&ring->wants, &want->answer.link);
    } else if (ring != NULL && fits && may_fetch(ring, kid)) {
        gh_list_append(&ring->wants, &want->answer.link);
        gh_ring_fetch_for_wants(ring);
    } else {
        gh_rings_answer_later(rings, &want->answer);
    }
    return true;
}

/* byoa.md section 5: one fetch for an unknown kid. None while it is known that it would be in vain, and none
 * without keys: then the schedule alone decides. */
static bool may_fetch(struct ring *ring, gh_str kid)
{
    int64_t now = gh_loop_now_ms(ring->rings->loop);
    unsigned char key[GH_RECENT_KEY];
    if (ring->conf->managed || ring->view.set == NULL || gh_jwks_has_kid(ring->view.set, kid) ||
        now < ring->view.quiet_until_ms)
        return false;
    return gh_recent_key(ring->slot, kid, key) && !gh_recent_has(&ring->rings->unknown, key, now);
}

/* What the fetch did not bring is remembered for the cool-down. When it brought none of what was wanted, the
 * whole issuer rests for that long; when it brought one, only the others do. */
void gh_ring_settle_wants(struct ring *ring, bool fetched)
{
    struct gh_keyrings *rings = ring->rings;
    int64_t until = gh_loop_now_ms(rings->loop) + ring->conf->cooldown_s * 1000;
    bool waited = !gh_list_is_empty(&ring->wants), brought = false;
    GH_LIST_EACH (node, &ring->wants) {
        struct want *want = GH_LIST_ENTRY(node, struct want, answer.link);
        gh_str kid = gh_str_of(want->kid, want->kid_len);
        unsigned char key[GH_RECENT_KEY];
        if (ring->view.set != NULL && (want->takes_any || gh_jwks_has_kid(ring->view.set, kid)))
            brought = true;
        else if (fetched && gh_recent_key(ring->slot, kid, key))
            gh_recent_add(&rings->unknown, key, until);
    }
    if (waited && !brought && ring->view.set != NULL && until > ring->view.quiet_until_ms)
        ring->view.quiet_until_ms = until;
    gh_ring_tell(ring);
    gh_ring_release_wants(ring);
}

void gh_ring_release_wants(struct ring *ring)
{
    struct gh_list *node;
    while ((node = gh_list_first(&ring->wants)) != NULL) {
        gh_list_remove(node);
        gh_rings_answer_later(ring->rings, GH_LIST_ENTRY(node, struct answer, link));
    }
}
