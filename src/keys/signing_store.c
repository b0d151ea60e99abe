/* keys/signing_store.c: a ring of signing keys that lies in the store, one row for all gateways: read,
 * decided on, committed on condition that nobody was faster. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "keys/signing_draft.h"
#include "store/store.h"

/* So often is somebody else faster before an ask is given up; and so many asks wait. */
#define TRIES_MAX 32u
#define ASKS_MAX  16u
#define KID_MAX   64u

struct gh_signing_ask {
    struct gh_list link;
    enum gh_signing_wish wish;
    gh_signing_answered done; /* NULL: nobody waits */
    void *ctx;
    unsigned tries;
    struct gh_signing_key *made; /* a reference, kept over all tries: it is costly to make; NULL: none yet */
    size_t kid_len;
    char kid[KID_MAX];
};

/* The first of the asks is under way while there is a call. */
struct gh_signing_stored {
    struct gh_signing_ring *ring;
    struct gh_signing_port port;
    struct gh_secret key; /* seals */
    gh_str row;           /* its key in the store */
    uint64_t number;      /* of the ring in memory; 0: there is none yet */
    gh_str value;         /* of the row that it came from; heap */
    struct gh_list asks;
    size_t waiting;
    struct gh_store_call *call;
    struct gh_arena *scratch; /* of one try */
    struct gh_signing_past past;
    struct gh_signing_members draft; /* on its way into the store */
    gh_str draft_value;              /* in the scratch */
    bool is_changed, is_failing;
    char *why;        /* heap */
    const char *told; /* what is wrong and has been logged: once, not twice a second */
};

static void free_ask(struct gh_signing_ask *ask);
static bool begin(struct gh_signing_stored *stored);
static void hear_row(void *ctx, const struct gh_store_answer *answer);
static enum gh_reason take_in(struct gh_signing_stored *stored, const struct gh_stored_row *row,
                              bool *ret_is_behind);
static enum gh_reason decide(struct gh_signing_stored *stored, uint64_t version, bool is_behind);
static void hear_commit(void *ctx, const struct gh_store_answer *answer);
static void end(struct gh_signing_stored *stored, enum gh_reason reason);

/* ---- life ---- */

static enum gh_reason make_stored(struct gh_signing_ring *ring)
{
    struct gh_signing_stored *stored = gh_calloc(1, sizeof(*stored));
    if (stored == NULL)
        return GH_OUT_OF_MEMORY;
    ring->stored = stored;
    stored->ring = ring;
    gh_list_init(&stored->asks);
    stored->row = gh_row_key(ring->arena, "signing", &ring->conf.issuer, 1);
    stored->scratch = gh_arena_new(0);
    if (stored->row.ptr == NULL || stored->scratch == NULL)
        return GH_OUT_OF_MEMORY;
    return gh_signing_row_key(&ring->kek, &stored->key);
}

enum gh_reason gh_signing_ring_open_stored(const struct gh_signing_conf *conf,
                                           struct gh_signing_ring **ret_ring, char **ret_why)
{
    struct gh_signing_ring *ring = NULL;
    enum gh_reason reason = gh_signing_ring_new(conf, &ring, ret_why);
    if (reason == GH_OK && ring->kek.len < GH_SIGNING_ROW_KEK) {
        reason = GH_SETTINGS_INVALID;
        if (asprintf(
                ret_why,
                "%.*s: the key-encryption key is shorter than 32 bytes: whoever reads the store could try "
                "all of them",
                GH_STR_FMT(conf->kek_file)) < 0)
            *ret_why = NULL;
    }
    if (reason == GH_OK)
        reason = make_stored(ring);
    if (reason == GH_OK)
        *ret_ring = ring;
    else
        gh_signing_ring_free(ring);
    return reason;
}

void gh_signing_ring_attach(struct gh_signing_ring *ring, const struct gh_signing_port *port)
{
    ring->stored->port = *port;
}

void gh_signing_ring_detach(struct gh_signing_ring *ring)
{
    struct gh_signing_stored *stored = ring->stored;
    if (stored == NULL)
        return;
    if (stored->call != NULL)
        gh_store_cancel(stored->call);
    stored->call = NULL;
    stored->port.client = NULL;
    gh_members_done(&stored->draft);
    struct gh_list *node;
    while ((node = gh_list_first(&stored->asks)) != NULL) {
        struct gh_signing_ask *ask = GH_LIST_ENTRY(node, struct gh_signing_ask, link);
        gh_list_remove(node);
        stored->waiting--;
        if (ask->done != NULL)
            ask->done(ask->ctx, GH_STORE_DOWN);
        free_ask(ask);
    }
}

void gh_signing_stored_free(struct gh_signing_stored *stored)
{
    if (stored == NULL)
        return;
    gh_signing_ring_detach(stored->ring);
    gh_secret_done(&stored->key);
    gh_arena_free(stored->scratch);
    free((void *)(uintptr_t)stored->value.ptr);
    free(stored->why);
    free(stored);
}

/* ---- asks ---- */

static void free_ask(struct gh_signing_ask *ask)
{
    gh_signing_key_unref(ask->made);
    free(ask);
}

struct gh_signing_ask *gh_signing_ring_ask(struct gh_signing_ring *ring,
                                           const struct gh_signing_change *change, gh_signing_answered done,
                                           void *ctx)
{
    struct gh_signing_stored *stored = ring->stored;
    bool fits = stored->waiting < ASKS_MAX && change->kid.len <= KID_MAX && stored->port.client != NULL;
    struct gh_signing_ask *ask = fits ? gh_calloc(1, sizeof(*ask)) : NULL;
    if (ask == NULL)
        return NULL;
    ask->wish = change->wish;
    ask->done = done;
    ask->ctx = ctx;
    ask->kid_len = change->kid.len;
    if (change->kid.len > 0)
        memcpy(ask->kid, change->kid.ptr, change->kid.len);
    gh_list_append(&stored->asks, &ask->link);
    stored->waiting++;
    if (stored->call != NULL || begin(stored))
        return ask;
    gh_list_remove(&ask->link);
    stored->waiting--;
    free_ask(ask);
    return NULL;
}

void gh_signing_ask_cancel(struct gh_signing_ask *ask)
{
    ask->done = NULL;
}

/* Which is there: it is asked for on behalf of one that is under way. */
static struct gh_signing_ask *first_ask(struct gh_signing_stored *stored)
{
    return GH_LIST_ENTRY(stored->asks.next, struct gh_signing_ask, link);
}

static int64_t now_of(const struct gh_signing_stored *stored)
{
    return gh_loop_wall_s(stored->port.loop);
}

/* For the operator: kept, and logged where it has not been yet. */
static enum gh_reason fail(struct gh_signing_stored *stored, enum gh_reason reason, const char *message,
                           const char *why)
{
    free(stored->why);
    stored->why = gh_str_to_heap(gh_str_from(why));
    if (stored->told != message)
        gh_log(GH_LOG_ERROR, message, GH_FIELD("issuer", stored->ring->conf.issuer),
               GH_FIELD("why", gh_str_from(why)));
    stored->told = message;
    return reason;
}

/* ---- reading ---- */

static bool begin(struct gh_signing_stored *stored)
{
    stored->call = gh_store_read(stored->port.client, stored->ring->conf.tenant,
                                 (struct gh_strs){ &stored->row, 1 }, now_of(stored), hear_row, stored);
    return stored->call != NULL;
}

static void hear_row(void *ctx, const struct gh_store_answer *answer)
{
    struct gh_signing_stored *stored = ctx;
    bool is_behind = false;
    stored->call = NULL;
    gh_arena_reset(stored->scratch);
    enum gh_reason reason = answer->reason;
    if (reason == GH_OK && answer->rows.count != 1)
        reason = GH_STORE_MALFORMED;
    if (reason == GH_OK)
        reason = take_in(stored, &answer->rows.at[0], &is_behind);
    if (reason == GH_OK)
        reason = decide(stored, answer->rows.at[0].version, is_behind);
    if (stored->call == NULL)
        end(stored, reason);
}

static bool keep_value(struct gh_signing_stored *stored, gh_str value)
{
    char *copy = gh_str_to_heap(value);
    if (copy == NULL)
        return false;
    free((void *)(uintptr_t)stored->value.ptr);
    stored->value = gh_str_of(copy, value.len);
    return true;
}

static struct gh_signing_seal seal_of(const struct gh_signing_stored *stored)
{
    return (struct gh_signing_seal){ .key = &stored->key,
                                     .tenant = stored->ring->conf.tenant,
                                     .issuer = stored->ring->conf.issuer };
}

static void replace(struct gh_signing_stored *stored, struct gh_signing_members *keys)
{
    gh_past_add(&stored->past, &stored->ring->keys, keys);
    gh_members_done(&stored->ring->keys);
    stored->ring->keys = *keys;
    keys->count = 0;
    stored->is_changed = true;
}

static const char by_somebody[] = "somebody else has changed the store";

/* Two have gone on from one row, of which one was lost: nobody's keys are. What was dropped at one of them is
 * past there, and is taken out again. */
static void join_ours(const struct gh_signing_stored *stored, struct gh_signing_members *keys)
{
    const struct gh_signing_members *ours = &stored->ring->keys;
    for (size_t i = 0; i < ours->count && keys->count < GH_SIGNING_KEYS_MAX; i++)
        if (gh_members_find(keys, gh_signing_key_kid(ours->at[i].key)) == keys->count)
            gh_members_insert(keys, ours->at[i].created, gh_signing_key_ref(ours->at[i].key));
}

/* What the row holds takes the place of what is known, but for keys that are past: its number is right where
 * a gateway that knew nothing else went on with an older row. */
static enum gh_reason take_keys(struct gh_signing_stored *stored, struct gh_signing_members *keys,
                                const struct gh_stored_row *row, uint64_t number, bool *ret_is_behind)
{
    bool has_past = gh_past_remove(&stored->past, keys), is_twin = number == stored->number;
    *ret_is_behind = has_past || is_twin;
    if (is_twin)
        join_ours(stored, keys);
    if (has_past)
        (void)fail(stored, GH_OK, "signing keys of the past were put back, and are taken out again",
                   by_somebody);
    else if (is_twin)
        (void)fail(stored, GH_OK, "two rings of signing keys had one number, and are joined",
                   "a write was lost, or somebody else has changed the store");
    if (keys->count == 0)
        return GH_OK; /* those in memory sign on */
    /* What is to be mended is no row of ours. */
    if (!*ret_is_behind && !keep_value(stored, row->value))
        return GH_OUT_OF_MEMORY;
    if (!*ret_is_behind && stored->number > 0)
        gh_log(GH_LOG_INFO, "another gateway has changed the signing keys",
               GH_FIELD("issuer", stored->ring->conf.issuer));
    replace(stored, keys);
    return GH_OK;
}

/* An older row, or none, was put there by somebody: that says nothing, the keys in memory sign on. */
static enum gh_reason take_in(struct gh_signing_stored *stored, const struct gh_stored_row *row,
                              bool *ret_is_behind)
{
    struct gh_signing_set set = { .count = 0 };
    struct gh_signing_members keys = { .count = 0 };
    const struct gh_signing_seal seal = seal_of(stored);
    const char *why;
    *ret_is_behind = row->version == 0 && stored->number > 0;
    if (*ret_is_behind)
        (void)fail(stored, GH_OK, "the row of signing keys was deleted, and is written again", by_somebody);
    if (row->version == 0 || (stored->number > 0 && gh_str_eq(row->value, stored->value)))
        return GH_OK;
    enum gh_reason reason = gh_signing_row_read(stored->scratch, &seal, row->value, &set, &why);
    if (reason == GH_KEYS_MALFORMED)
        return fail(stored, reason, "the row of signing keys cannot be used, and stays as it is", why);
    if (reason != GH_OK)
        return reason;
    for (size_t i = 0; i < set.count; i++) /* the references go along */
        gh_members_insert(&keys, set.at[i].created, set.at[i].key);
    if (set.number < stored->number) {
        *ret_is_behind = true;
        (void)fail(stored, GH_OK, "an older row of signing keys was put back, and is written over",
                   by_somebody);
    } else {
        reason = take_keys(stored, &keys, row, set.number, ret_is_behind);
        if (reason == GH_OK)
            stored->number = set.number;
    }
    gh_members_done(&keys);
    return reason;
}

/* ---- deciding ---- */

static enum gh_reason commit(struct gh_signing_stored *stored, uint64_t version)
{
    struct gh_signing_set set = { .number = stored->number + 1 };
    const struct gh_signing_seal seal = seal_of(stored);
    struct gh_effects effects = { 0 };
    unsigned char nonce[GH_SIGNING_ROW_NONCE];
    gh_random_fill(nonce, sizeof(nonce));
    for (; set.count < stored->draft.count; set.count++) { /* lent */
        set.at[set.count].created = stored->draft.at[set.count].created;
        set.at[set.count].key = stored->draft.at[set.count].key;
    }
    stored->draft_value = gh_signing_row_write(stored->scratch, &seal, &set, nonce);
    if (stored->draft_value.ptr == NULL)
        return GH_OUT_OF_MEMORY;
    enum gh_reason reason = gh_effects_expect(&effects, stored->row, version);
    if (reason == GH_OK)
        reason = gh_effects_write(&effects, stored->row, stored->draft_value, 0);
    if (reason != GH_OK)
        return reason;
    stored->call = gh_store_commit(stored->port.client, stored->ring->conf.tenant, &effects, now_of(stored),
                                   hear_commit, stored);
    return stored->call != NULL ? GH_OK : GH_OUT_OF_MEMORY;
}

static enum gh_reason decide(struct gh_signing_stored *stored, uint64_t version, bool is_behind)
{
    struct gh_signing_ask *ask = first_ask(stored);
    struct gh_signing_draft draft;
    const struct gh_signing_change change = { .wish = ask->wish, .kid = gh_str_of(ask->kid, ask->kid_len) };
    enum gh_reason reason =
        gh_signing_draft_make(stored->ring, &change, stored->number == 0, now_of(stored), &ask->made, &draft);
    if (reason != GH_OK && draft.message != NULL)
        (void)fail(stored, reason, draft.message, draft.why != NULL ? draft.why : "out of memory");
    free(draft.why);
    stored->draft = draft.keys;
    /* A key that could not be made is no reason to leave an older row where it is. */
    bool mends = is_behind && ask->wish == GH_SIGNING_LOOK;
    if (mends || (reason == GH_OK && (draft.changes || is_behind)))
        reason = commit(stored, version);
    if (stored->call == NULL)
        gh_members_done(&stored->draft);
    return reason;
}

/* ---- committed ---- */

/* A key that was made for a try that came too late is in nobody's ring. */
static void say_what_was_done(const struct gh_signing_stored *stored, const struct gh_signing_ask *ask)
{
    const struct gh_signing_members *keys = &stored->ring->keys;
    gh_str made = ask->made != NULL ? gh_signing_key_kid(ask->made) : GH_STR("");
    bool is_made = gh_members_find(keys, made) < keys->count;
    if (stored->number == 1 && keys->count > (is_made ? 1u : 0u))
        gh_log(GH_LOG_INFO, "the signing keys of the folder were taken over into the store",
               GH_FIELD("issuer", stored->ring->conf.issuer), GH_FIELD("folder", stored->ring->conf.folder));
    if (is_made)
        gh_log(GH_LOG_INFO, "a signing key was made", GH_FIELD("kid", made));
    if (ask->wish == GH_SIGNING_DROP)
        gh_log(GH_LOG_WARN, "a signing key was dropped", GH_FIELD("issuer", stored->ring->conf.issuer),
               GH_FIELD("kid", gh_str_of(ask->kid, ask->kid_len)));
}

static void hear_commit(void *ctx, const struct gh_store_answer *answer)
{
    struct gh_signing_stored *stored = ctx;
    struct gh_signing_ask *ask = first_ask(stored);
    stored->call = NULL;
    if (answer->reason == GH_OK && keep_value(stored, stored->draft_value)) {
        replace(stored, &stored->draft);
        stored->number++;
        say_what_was_done(stored, ask);
        end(stored, GH_OK);
        return;
    }
    gh_members_done(&stored->draft);
    bool again = answer->reason == GH_STORE_CONFLICT && ++ask->tries < TRIES_MAX;
    if (!again || !begin(stored))
        end(stored, answer->reason == GH_OK || again ? GH_OUT_OF_MEMORY : answer->reason);
}

/* ---- answered ---- */

/* What each key is follows from the clock, whether or not the store answers. */
static void tell_changes(struct gh_signing_stored *stored)
{
    struct gh_signing_members *keys = &stored->ring->keys;
    const struct gh_signing_key *active = gh_members_active(keys);
    bool due;
    gh_members_judge(&stored->ring->conf, keys, now_of(stored), &due);
    bool changed = stored->is_changed || gh_members_active(keys) != active;
    stored->is_changed = false;
    if (changed && stored->port.changed != NULL)
        stored->port.changed(stored->port.ctx);
}

static void end(struct gh_signing_stored *stored, enum gh_reason reason)
{
    struct gh_signing_ask *ask = first_ask(stored);
    tell_changes(stored);
    gh_list_remove(&ask->link);
    stored->waiting--;
    if (reason == GH_OK)
        stored->told = NULL;
    if (ask->wish == GH_SIGNING_LOOK)
        stored->is_failing = reason != GH_OK;
    if (ask->done != NULL)
        ask->done(ask->ctx, reason);
    free_ask(ask);
    if (stored->call == NULL && stored->port.client != NULL && !gh_list_is_empty(&stored->asks) &&
        !begin(stored))
        end(stored, GH_OUT_OF_MEMORY);
}

/* ---- asked of the ring ---- */

bool gh_signing_ring_is_stored(const struct gh_signing_ring *ring)
{
    return ring->stored != NULL;
}

bool gh_signing_ring_is_busy(const struct gh_signing_ring *ring)
{
    return ring->stored != NULL && ring->stored->waiting > 0;
}

bool gh_signing_ring_is_failing(const struct gh_signing_ring *ring)
{
    return ring->stored != NULL && ring->stored->is_failing;
}

const char *gh_signing_ring_why(const struct gh_signing_ring *ring)
{
    return ring->stored->why != NULL ? ring->stored->why : "out of memory";
}
