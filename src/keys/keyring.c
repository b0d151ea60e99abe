/* keys/keyring.c: the rings of all issuers: which there are, which slot each has, what workers are told. */
#include "keys/keyring.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/str.h"
#include "io/file.h"
#include "keys/ring.h"

#define UNKNOWN_MAX   1024u
#define INACTIVE_MAX  4096u
#define JWKS_FILE_MAX ((size_t)256 * 1024)

static void run_answers(struct gh_turn_work *work);
static struct ring *find_ring(struct gh_keyrings *rings, gh_str identity);
static enum gh_reason add_ring(struct gh_keyrings *rings, struct ring_conf *conf, struct ring **ret_ring,
                               char **ret_why);
static enum gh_reason read_set(struct ring *ring, const struct ring_conf *conf, char **ret_why);
static void drop_ring(struct ring *ring);
static void commit_ring(struct ring *ring);
static void roll_back_ring(struct ring *ring);

struct gh_keyrings *gh_keyrings_new(
    struct gh_loop *loop, struct gh_fetcher *fetcher, struct gh_registry *registry,
    void (*publish)(void *ctx, uint32_t slot, const struct gh_keys_view *view), void *ctx)
{
    struct gh_keyrings *rings = gh_calloc(1, sizeof(*rings));
    if (rings == NULL)
        return NULL;
    rings->loop = loop;
    rings->fetcher = fetcher;
    rings->registry = registry;
    rings->publish = publish;
    rings->ctx = ctx;
    gh_recent_init(&rings->unknown, UNKNOWN_MAX);
    gh_recent_init(&rings->inactive, INACTIVE_MAX);
    gh_map_init(&rings->questions);
    gh_list_init(&rings->all_questions);
    gh_list_init(&rings->answers);
    gh_turn_work_init(&rings->answer, run_answers);
    return rings;
}

void gh_keyrings_free(struct gh_keyrings *rings)
{
    if (rings == NULL)
        return;
    for (uint32_t i = 0; i < rings->given; i++)
        drop_ring(rings->at[i]);
    gh_rings_run_answers(rings);
    gh_turn_work_cancel(&rings->answer);
    gh_recent_done(&rings->unknown);
    gh_recent_done(&rings->inactive);
    gh_map_done(&rings->questions);
    free(rings);
}

/* ---- a round: all issuers of a new snapshot ---- */

void gh_keyrings_begin(struct gh_keyrings *rings)
{
    for (uint32_t i = 0; i < rings->given; i++)
        if (rings->at[i] != NULL)
            rings->at[i]->named = false;
}

enum gh_reason gh_keyrings_add(struct gh_keyrings *rings, const struct gh_issuer_conf *conf,
                               uint32_t *ret_slot, char **ret_why)
{
    struct ring_conf *copy;
    enum gh_reason reason = gh_ring_conf_new(conf, &copy, ret_why);
    if (reason != GH_OK)
        return reason;
    struct ring *ring = find_ring(rings, copy->identity);
    if (ring == NULL) {
        reason = add_ring(rings, copy, &ring, ret_why);
    } else if (ring->named) { /* several tenants share the issuer */
        gh_ring_conf_free(copy);
    } else {
        reason = read_set(ring, copy, ret_why);
        ring->next_conf = copy;
    }
    if (reason != GH_OK) {
        if (ring != NULL && ring->next_conf != NULL) {
            gh_ring_conf_free(ring->next_conf);
            ring->next_conf = NULL;
        }
        return reason;
    }
    ring->named = true;
    *ret_slot = ring->slot;
    return GH_OK;
}

static struct ring *find_ring(struct gh_keyrings *rings, gh_str identity)
{
    for (uint32_t i = 0; i < rings->given; i++)
        if (rings->at[i] != NULL && gh_str_eq(rings->at[i]->conf->identity, identity))
            return rings->at[i];
    return NULL;
}

/* A slot never used before while there are such, then the one that has been free for longest: a worker may
 * still hold a snapshot in which a slot means its former issuer. */
static bool take_slot(struct gh_keyrings *rings, uint32_t *ret_slot)
{
    if (rings->given < GH_KEYRING_SLOTS) {
        *ret_slot = rings->given++;
        return true;
    }
    if (rings->freed_count == 0)
        return false;
    *ret_slot = rings->freed[rings->freed_first];
    rings->freed_first = (rings->freed_first + 1) % GH_KEYRING_SLOTS;
    rings->freed_count--;
    return true;
}

static void give_slot_back(struct gh_keyrings *rings, uint32_t slot)
{
    rings->freed[(rings->freed_first + rings->freed_count) % GH_KEYRING_SLOTS] = slot;
    rings->freed_count++;
}

/* Takes over the conf. */
static enum gh_reason add_ring(struct gh_keyrings *rings, struct ring_conf *conf, struct ring **ret_ring,
                               char **ret_why)
{
    struct ring *ring = gh_calloc(1, sizeof(*ring));
    if (ring == NULL) {
        gh_ring_conf_free(conf);
        return GH_OUT_OF_MEMORY;
    }
    ring->rings = rings;
    ring->conf = conf;
    ring->is_new = true;
    ring->stats = gh_registry_issuer_stats(rings->registry, conf->name);
    gh_list_init(&ring->wants);
    gh_ring_init_schedule(ring);
    if (ring->stats == NULL)
        ring->stats = &ring->unlisted;
    enum gh_reason reason = read_set(ring, conf, ret_why);
    if (reason == GH_OK && !take_slot(rings, &ring->slot)) {
        *ret_why = strdup("there are more issuers than there is room for");
        reason = GH_SETTINGS_INVALID;
    }
    if (reason != GH_OK) {
        gh_ring_conf_free(conf);
        gh_jwks_unref(ring->next_set);
        free(ring);
        return reason;
    }
    rings->at[ring->slot] = ring;
    *ret_ring = ring;
    return GH_OK;
}

static enum gh_reason read_bytes(struct ring *ring, const struct ring_conf *conf, gh_str bytes)
{
    enum gh_reason reason = gh_jwks_read(bytes, conf->algs, ring->next_faults, &ring->next_set);
    if (reason == GH_OK &&
        EVP_Digest(bytes.ptr, bytes.len, ring->next_digest, NULL, EVP_sha256(), NULL) != 1) {
        gh_jwks_unref(ring->next_set);
        ring->next_set = NULL;
        reason = GH_OUT_OF_MEMORY;
    }
    return reason;
}

/* Static keys: read at every reload, used from its commit on. */
static enum gh_reason read_set(struct ring *ring, const struct ring_conf *conf, char **ret_why)
{
    struct gh_secret text = { 0 };
    enum gh_reason reason = GH_OK;
    if (conf->managed)
        return read_bytes(ring, conf, conf->jwks_text);
    if (conf->jwks_file.len == 0)
        return GH_OK;
    reason = gh_small_file_read(conf->jwks_file, JWKS_FILE_MAX, false, &text, ret_why);
    if (reason != GH_OK)
        return reason;
    reason = read_bytes(ring, conf, gh_str_of(text.bytes, text.len));
    gh_secret_done(&text);
    if (reason != GH_KEYS_MALFORMED)
        return reason;
    if (asprintf(ret_why, "%.*s: is no JWK set, or none of its keys can be used",
                 GH_STR_FMT(conf->jwks_file)) < 0)
        *ret_why = NULL;
    return GH_SETTINGS_INVALID;
}

bool gh_keyrings_put(struct gh_keyrings *rings, uint32_t slot, gh_str jwks)
{
    struct ring *ring = slot < GH_KEYRING_SLOTS ? rings->at[slot] : NULL;
    if (ring == NULL || !ring->conf->managed || read_bytes(ring, ring->conf, jwks) != GH_OK)
        return false;
    gh_ring_begin(ring);
    return true;
}

void gh_keyrings_rest(struct gh_keyrings *rings, uint32_t slot, int64_t rest_ms)
{
    struct ring *ring = slot < GH_KEYRING_SLOTS ? rings->at[slot] : NULL;
    if (ring == NULL || !ring->conf->is_shared)
        return;
    ring->view.quiet_until_ms = gh_loop_now_ms(rings->loop) + rest_ms;
    gh_ring_tell(ring);
}

void gh_keyrings_end(struct gh_keyrings *rings, bool commit)
{
    for (uint32_t i = 0; i < rings->given; i++) {
        struct ring *ring = rings->at[i];
        if (ring == NULL)
            continue;
        if (commit ? !ring->named : ring->is_new)
            drop_ring(ring);
        else if (!commit)
            roll_back_ring(ring);
    }
    for (uint32_t i = 0; commit && i < rings->given; i++)
        if (rings->at[i] != NULL)
            commit_ring(rings->at[i]);
}

static void drop_ring(struct ring *ring)
{
    if (ring == NULL)
        return;
    gh_ring_stop(ring);
    gh_ring_release_wants(ring);
    gh_ring_forget_questions(ring);
    if (!ring->is_new) {
        __atomic_store_n(&ring->stats->ready, 0, __ATOMIC_RELAXED);
        __atomic_store_n(&ring->stats->keys_usable, 0, __ATOMIC_RELAXED);
    }
    ring->rings->at[ring->slot] = NULL;
    give_slot_back(ring->rings, ring->slot);
    gh_jwks_unref(ring->view.set);
    gh_jwks_unref(ring->next_set);
    gh_ring_conf_free(ring->conf);
    gh_ring_conf_free(ring->next_conf);
    free(ring->jwks_uri);
    free(ring->authorization_endpoint);
    free(ring->token_endpoint);
    free(ring);
}

static void commit_ring(struct ring *ring)
{
    if (ring->next_conf != NULL) {
        gh_ring_conf_free(ring->conf);
        ring->conf = ring->next_conf;
        ring->next_conf = NULL;
    }
    gh_ring_begin(ring);
    ring->is_new = false;
}

static void roll_back_ring(struct ring *ring)
{
    gh_ring_conf_free(ring->next_conf);
    ring->next_conf = NULL;
    gh_jwks_unref(ring->next_set);
    ring->next_set = NULL;
    ring->named = true;
}

/* ---- what workers know ---- */

void gh_ring_tell(struct ring *ring)
{
    const struct gh_keys_view *view = &ring->view, *told = &ring->told;
    bool changed = ring->is_new || !ring->set_is_told || view->status != told->status ||
                   view->retry_after_s != told->retry_after_s || view->quiet_until_ms != told->quiet_until_ms;
    __atomic_store_n(&ring->stats->ready, view->status == GH_KEYS_READY ? 1 : 0, __ATOMIC_RELAXED);
    if (!changed)
        return;
    ring->told = ring->view;
    ring->told.set = NULL;
    ring->set_is_told = true;
    struct gh_keys_view copy = gh_keyrings_view(ring->rings, ring->slot);
    ring->rings->publish(ring->rings->ctx, ring->slot, &copy);
}

struct gh_keys_view gh_keyrings_view(struct gh_keyrings *rings, uint32_t slot)
{
    struct ring *ring = slot < GH_KEYRING_SLOTS ? rings->at[slot] : NULL;
    if (ring == NULL)
        return (struct gh_keys_view){ .status = GH_KEYS_WAITING, .retry_after_s = 1 };
    struct gh_keys_view view = ring->view;
    view.set = view.set != NULL ? gh_jwks_ref(view.set) : NULL;
    return view;
}

bool gh_keyrings_endpoints(const struct gh_keyrings *rings, uint32_t slot,
                           struct gh_keys_endpoints *ret_endpoints)
{
    const struct ring *ring = slot < GH_KEYRING_SLOTS ? rings->at[slot] : NULL;
    if (ring == NULL || ring->authorization_endpoint == NULL || ring->token_endpoint == NULL)
        return false;
    *ret_endpoints =
        (struct gh_keys_endpoints){ .authorization_endpoint = gh_str_from(ring->authorization_endpoint),
                                    .token_endpoint = gh_str_from(ring->token_endpoint),
                                    .sends_iss = ring->sends_iss };
    return true;
}

bool gh_keyrings_ready(struct gh_keyrings *rings, gh_str *ret_not_ready)
{
    for (uint32_t i = 0; i < rings->given; i++) {
        const struct ring *ring = rings->at[i];
        if (ring == NULL || ring->conf->is_login || ring->view.status == GH_KEYS_READY)
            continue;
        *ret_not_ready = ring->conf->name;
        return false;
    }
    return true;
}

/* ---- answers at the end of the turn ---- */

void gh_rings_answer_later(struct gh_keyrings *rings, struct answer *answer)
{
    gh_list_append(&rings->answers, &answer->link);
    gh_loop_at_end(rings->loop, &rings->answer);
}

static void run_answers(struct gh_turn_work *work)
{
    gh_rings_run_answers(GH_LIST_ENTRY(work, struct gh_keyrings, answer));
}

/* Who is answered may ask anew: that is answered in the next round, so this one ends. */
void gh_rings_run_answers(struct gh_keyrings *rings)
{
    struct gh_list now, *node;
    gh_list_init(&now);
    gh_list_append(&rings->answers, &now);
    gh_list_remove(&rings->answers);
    while ((node = gh_list_first(&now)) != NULL) {
        struct answer *answer = GH_LIST_ENTRY(node, struct answer, link);
        gh_list_remove(node);
        rings->waiting--;
        answer->run(answer);
    }
}
