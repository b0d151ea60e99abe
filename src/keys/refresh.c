/* keys/refresh.c: when an issuer's keys are fetched, from where, and what becomes of the answer. */
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "keys/ring.h"

#define TTL_MIN_S        300
#define BACKOFF_MAX_S    30
#define FETCH_GAP_MS     1000            /* between the starts of two fetches of one issuer */
#define METADATA_LIFE_MS (3600 * 1000LL) /* how long a jwks_uri is used before the metadata is read again */
#define METADATA_WAIT_MS (300 * 1000LL)  /* the same after metadata that could not be read */

/* One fetch of a key set, with the metadata before it where that is due. It outlives its ring if it must. */
struct flight {
    struct ring *ring;      /* NULL: dropped */
    struct gh_arena *arena; /* urls and the document being read */
    struct gh_strs places;  /* of the metadata; count 0: not asked */
    size_t place;
    gh_str url;       /* the one being asked */
    gh_str malformed; /* the first place whose metadata was; a later one that has none says less */
};

static void on_refresh(struct gh_deadline *deadline);
static void on_stale(struct gh_deadline *deadline);
static void start(struct ring *ring, bool may_discover);
static enum gh_reason find_places(struct flight *flight);
static void ask_metadata(struct flight *flight);
static void metadata_came(void *ctx, const struct gh_fetch_answer *answer);
static void ask_keys(struct flight *flight);
static void keys_came(void *ctx, const struct gh_fetch_answer *answer);
static void land(struct flight *flight);
static void fail(struct flight *flight, enum gh_reason reason, const char *why);
static void plan(struct ring *ring, int64_t max_age_s);

/* Between low and high, both in; the tail that modulo favours is of no account here. */
static int64_t random_between(int64_t low, int64_t high)
{
    uint32_t chance;
    gh_random_fill(&chance, sizeof(chance));
    return high <= low ? low : low + (int64_t)(chance % (uint64_t)(high - low + 1));
}

void gh_ring_init_schedule(struct ring *ring)
{
    gh_deadline_init(&ring->refresh, on_refresh);
    gh_deadline_init(&ring->stale, on_stale);
    ring->last_fetch_ms = INT64_MIN / 2;
    ring->view = (struct gh_keys_view){ .status = GH_KEYS_WAITING, .retry_after_s = 1 };
}

/* ---- from the commit of a round on ---- */

void gh_ring_begin(struct ring *ring)
{
    struct gh_loop *loop = ring->rings->loop;
    int64_t now = gh_loop_now_ms(loop);
    if (!ring->conf->has_keys) {
        ring->view = (struct gh_keys_view){ .status = GH_KEYS_READY, .quiet_until_ms = INT64_MAX };
        gh_ring_tell(ring);
        return;
    }
    if (ring->next_set != NULL) {
        ring->view.quiet_until_ms = ring->conf->is_shared ? 0 : INT64_MAX;
        gh_ring_take_set(ring, ring->next_set, ring->next_digest, ring->next_faults);
        ring->next_set = NULL;
        gh_ring_tell(ring);
        return;
    }
    ring->metadata_until_ms = now; /* a reload is an occasion to ask again, at the next fetch */
    if (ring->is_new || ring->failures > 0) {
        ring->planned_ms = now;
        int64_t soonest = ring->last_fetch_ms + FETCH_GAP_MS;
        if (soonest <= now)
            start(ring, true);
        else if (ring->flight == NULL)
            gh_deadline_set(loop, &ring->refresh, soonest - now);
    }
    gh_ring_tell(ring);
}

void gh_ring_stop(struct ring *ring)
{
    gh_deadline_clear(&ring->refresh);
    gh_deadline_clear(&ring->stale);
    if (ring->flight != NULL)
        ring->flight->ring = NULL;
    ring->flight = NULL;
}

/* The metadata is never asked because a client sent something: only the key set is. */
void gh_ring_fetch_for_wants(struct ring *ring)
{
    int64_t now = gh_loop_now_ms(ring->rings->loop), soonest = ring->last_fetch_ms + FETCH_GAP_MS;
    if (now >= soonest)
        start(ring, false);
    else if (soonest < ring->planned_ms)
        gh_deadline_set(ring->rings->loop, &ring->refresh, soonest - now);
}

static void on_refresh(struct gh_deadline *deadline)
{
    struct ring *ring = GH_LIST_ENTRY(deadline, struct ring, refresh);
    start(ring, gh_loop_now_ms(ring->rings->loop) >= ring->planned_ms);
}

/* ---- one fetch ---- */

static bool must_discover(const struct ring *ring, bool may_discover, int64_t now)
{
    if (ring->conf->jwks_url.len != 0)
        return false;
    return ring->jwks_uri == NULL || (may_discover && now >= ring->metadata_until_ms);
}

static void start(struct ring *ring, bool may_discover)
{
    if (ring->flight != NULL)
        return;
    int64_t now = gh_loop_now_ms(ring->rings->loop);
    struct flight *flight = gh_calloc(1, sizeof(*flight));
    if (flight != NULL)
        flight->arena = gh_arena_new(1024);
    if (flight == NULL || flight->arena == NULL) {
        free(flight);
        gh_log(GH_LOG_ERROR, "out of memory before a fetch of keys", GH_FIELD("issuer", ring->conf->name));
        ring->planned_ms = now + BACKOFF_MAX_S * 1000;
        gh_deadline_set(ring->rings->loop, &ring->refresh, BACKOFF_MAX_S * 1000);
        gh_ring_settle_wants(ring, false);
        return;
    }
    gh_deadline_clear(&ring->refresh);
    ring->last_fetch_ms = now;
    ring->flight = flight;
    flight->ring = ring;
    if (!must_discover(ring, may_discover, now))
        ask_keys(flight);
    else if (find_places(flight) != GH_OK)
        fail(flight, GH_FETCH_REFUSED, "no place for its metadata follows from the issuer");
    else
        ask_metadata(flight);
}

static enum gh_reason find_places(struct flight *flight)
{
    const struct ring_conf *conf = flight->ring->conf;
    if (conf->discovery_url.len == 0)
        return gh_discovery_urls(flight->arena, conf->issuer, &flight->places);
    gh_str *one = GH_ARENA_NEW(flight->arena, gh_str);
    if (one == NULL)
        return GH_OUT_OF_MEMORY;
    *one = gh_arena_dup(flight->arena, conf->discovery_url);
    flight->places = (struct gh_strs){ .at = one, .count = 1 };
    return one->ptr != NULL ? GH_OK : GH_OUT_OF_MEMORY;
}

static void ask(struct flight *flight, gh_str accept,
                void (*came)(void *ctx, const struct gh_fetch_answer *answer))
{
    const struct gh_fetch_request request = { .url = flight->url, .accept = accept };
    if (!gh_fetch(flight->ring->rings->fetcher, &request, came, flight))
        fail(flight, GH_OUT_OF_MEMORY, "out of memory");
}

static void ask_metadata(struct flight *flight)
{
    flight->url = flight->places.at[flight->place];
    ask(flight, GH_STR("application/json"), metadata_came);
}

/* NULL where there is none that can be used: the metadata came by https and this does not, it holds a NUL, or
 * memory ran out. Nobody signs in there then. */
static void take_endpoint(const struct flight *flight, gh_str url, char **at)
{
    bool secure = gh_str_starts(url, GH_STR("https:")) || !gh_str_starts(flight->url, GH_STR("https:"));
    free(*at);
    *at = secure && url.len > 0 && memchr(url.ptr, '\0', url.len) == NULL ? gh_str_to_heap(url) : NULL;
}

/* A jwks_uri may stand on another host (Google's does), but what TLS has said does not lead away from TLS. */
static const char *take_metadata(struct flight *flight, const struct gh_issuer_metadata *metadata)
{
    struct ring *ring = flight->ring;
    if (metadata->jwks_uri.len == 0)
        return "the metadata names no jwks_uri";
    if (gh_str_starts(flight->url, GH_STR("https:")) && !gh_str_starts(metadata->jwks_uri, GH_STR("https:")))
        return "the metadata came by https, its jwks_uri is not https";
    if (memchr(metadata->jwks_uri.ptr, '\0', metadata->jwks_uri.len) != NULL)
        return "the jwks_uri holds a NUL";
    char *copy = gh_str_to_heap(metadata->jwks_uri);
    if (copy == NULL)
        return "out of memory";
    free(ring->jwks_uri);
    ring->jwks_uri = copy;
    take_endpoint(flight, metadata->authorization_endpoint, &ring->authorization_endpoint);
    take_endpoint(flight, metadata->token_endpoint, &ring->token_endpoint);
    ring->sends_iss = metadata->sends_iss;
    ring->metadata_until_ms = gh_loop_now_ms(ring->rings->loop) + METADATA_LIFE_MS;
    return NULL;
}

static bool try_next_place(struct flight *flight, enum gh_reason reason)
{
    if (reason == GH_METADATA_MALFORMED && flight->malformed.ptr == NULL)
        flight->malformed = flight->url;
    if (flight->place + 1 >= flight->places.count)
        return false;
    flight->place++;
    return true;
}

/* `reason` GH_OK: the document could be read, but what it says cannot be used. */
static void fail_at_metadata(struct flight *flight, enum gh_reason reason, const char *why)
{
    if (reason == GH_FETCH_FAILED && flight->malformed.ptr != NULL) {
        flight->url = flight->malformed;
        reason = GH_METADATA_MALFORMED;
        why = "the metadata is malformed";
    }
    fail(flight, reason == GH_OK ? GH_METADATA_MALFORMED : reason, why);
}

/* byoa.md section 5: the first JSON object that comes with a 200 counts; its issuer must be ours byte for
 * byte (RFC 8414 section 3.3). A jwks_uri that was good before is used on while the metadata cannot be read,
 * but not when it is read and belongs to somebody else. */
static void metadata_came(void *ctx, const struct gh_fetch_answer *answer)
{
    struct flight *flight = ctx;
    struct ring *ring = flight->ring;
    if (ring == NULL || answer->reason == GH_SHUTTING_DOWN) {
        land(flight);
        return;
    }
    struct gh_issuer_metadata metadata;
    enum gh_reason reason = answer->reason;
    const char *why = answer->why;
    if (reason == GH_OK) {
        reason = gh_issuer_metadata_read(flight->arena, answer->body, ring->conf->issuers, &metadata);
        why = reason == GH_METADATA_ISSUER ? "the metadata is another issuer's" : "the metadata is malformed";
    }
    bool is_elsewhere = (reason == GH_FETCH_FAILED && answer->status != 0) || reason == GH_METADATA_MALFORMED;
    if (reason == GH_OK)
        why = take_metadata(flight, &metadata);
    if (why == NULL) {
        ask_keys(flight);
    } else if (is_elsewhere && try_next_place(flight, reason)) {
        ask_metadata(flight);
    } else if (ring->jwks_uri == NULL || reason == GH_METADATA_ISSUER || reason == GH_OK) {
        fail_at_metadata(flight, reason, why);
    } else {
        gh_log(GH_LOG_WARN, "the metadata of an issuer could not be read, its last jwks_uri is used",
               GH_FIELD("issuer", ring->conf->name), GH_FIELD("url", flight->url),
               GH_FIELD("reason", gh_str_from(gh_reason_row(reason)->slug)),
               GH_FIELD("why", gh_str_from(why)));
        ring->metadata_until_ms = gh_loop_now_ms(ring->rings->loop) + METADATA_WAIT_MS;
        ask_keys(flight);
    }
}

static void ask_keys(struct flight *flight)
{
    const struct ring *ring = flight->ring;
    gh_str url = ring->conf->jwks_url.len != 0 ? ring->conf->jwks_url : gh_str_from(ring->jwks_uri);
    flight->url = gh_arena_dup(flight->arena, url);
    if (flight->url.ptr == NULL)
        fail(flight, GH_OUT_OF_MEMORY, "out of memory");
    else
        ask(flight, GH_STR("application/jwk-set+json, application/json"), keys_came);
}

static void keys_came(void *ctx, const struct gh_fetch_answer *answer)
{
    struct flight *flight = ctx;
    struct ring *ring = flight->ring;
    if (ring == NULL || answer->reason == GH_SHUTTING_DOWN) {
        land(flight);
        return;
    }
    struct gh_jwks *set = NULL;
    unsigned faults[GH_KEY_FAULT_COUNT];
    unsigned char digest[RING_DIGEST];
    const char *why = answer->why;
    enum gh_reason reason = answer->reason;
    if (reason == GH_OK) {
        reason = gh_jwks_read(answer->body, ring->conf->algs, faults, &set);
        why = reason == GH_KEYS_MALFORMED ? "it is no JWK set, or none of its keys can be used"
                                          : "out of memory";
    }
    if (reason == GH_OK &&
        EVP_Digest(answer->body.ptr, answer->body.len, digest, NULL, EVP_sha256(), NULL) != 1) {
        gh_jwks_unref(set);
        reason = GH_INTERNAL;
    }
    if (reason != GH_OK) {
        ring->metadata_until_ms = 0; /* perhaps the set has moved */
        fail(flight, reason, why);
        return;
    }
    GH_COUNT_ADD(ring->stats->fetches_ok, 1);
    ring->failures = 0;
    gh_ring_take_set(ring, set, digest, faults);
    plan(ring, answer->max_age_s);
    land(flight);
    gh_ring_settle_wants(ring, true);
}

/* The flight has ended, whatever came of it. */
static void land(struct flight *flight)
{
    if (flight->ring != NULL)
        flight->ring->flight = NULL;
    gh_arena_free(flight->arena);
    free(flight);
}

/* ---- what came of it ---- */

void gh_ring_take_set(struct ring *ring, struct gh_jwks *set, const unsigned char digest[RING_DIGEST],
                      const unsigned *faults)
{
    bool had = ring->view.set != NULL;
    bool same = had && memcmp(digest, ring->digest, RING_DIGEST) == 0;
    unsigned rejected = 0;
    for (size_t i = 0; i < GH_KEY_FAULT_COUNT; i++) {
        __atomic_store_n(&ring->stats->keys_rejected[i], faults[i], __ATOMIC_RELAXED);
        rejected += faults[i];
    }
    __atomic_store_n(&ring->stats->keys_usable, gh_jwks_count(set), __ATOMIC_RELAXED);
    __atomic_store_n(&ring->stats->keys_fetched_at_s, (uint64_t)gh_loop_wall_s(ring->rings->loop),
                     __ATOMIC_RELAXED);
    ring->view.status = GH_KEYS_READY;
    ring->view.retry_after_s = 0;
    if (same) { /* workers keep the set they have */
        gh_jwks_unref(set);
        return;
    }
    char usable[24], left_out[24];
    (void)snprintf(usable, sizeof(usable), "%zu", gh_jwks_count(set));
    (void)snprintf(left_out, sizeof(left_out), "%u", rejected);
    gh_str from = ring->flight != NULL ? ring->flight->url : ring->conf->jwks_file;
    gh_log(rejected > 0 ? GH_LOG_WARN : GH_LOG_INFO,
           had ? "the keys of an issuer have changed" : "the keys of an issuer are here",
           GH_FIELD("issuer", ring->conf->name), GH_FIELD("url", from),
           GH_FIELD("usable", gh_str_from(usable)), GH_FIELD("left_out", gh_str_from(left_out)));
    gh_jwks_unref(ring->view.set);
    ring->view.set = set;
    ring->set_is_told = false;
    memcpy(ring->digest, digest, RING_DIGEST);
}

/* byoa.md section 5: TTL = max-age within [5 min, max_age], refreshed at 80 % of it, less a jitter so that
 * gateways started together part. Never later than the set would become too old. */
static void plan(struct ring *ring, int64_t max_age_s)
{
    const struct ring_conf *conf = ring->conf;
    struct gh_loop *loop = ring->rings->loop;
    int64_t ttl = max_age_s >= 0 ? max_age_s : conf->max_age_s;
    if (ttl < TTL_MIN_S)
        ttl = TTL_MIN_S;
    if (ttl > conf->max_age_s)
        ttl = conf->max_age_s;
    if (ttl > conf->max_stale_s)
        ttl = conf->max_stale_s;
    int64_t in = random_between(ttl * 720, ttl * 800);
    if (in < FETCH_GAP_MS)
        in = FETCH_GAP_MS;
    ring->planned_ms = gh_loop_now_ms(loop) + in;
    gh_deadline_set(loop, &ring->refresh, in);
    gh_deadline_set(loop, &ring->stale, conf->max_stale_s * 1000);
}

/* A good set stays, and the next try comes sooner or later: 1 to 2 s, then doubled up to 15 to 30 s. */
static void fail(struct flight *flight, enum gh_reason reason, const char *why)
{
    struct ring *ring = flight->ring;
    GH_COUNT_ADD(ring->stats->fetches_failed, 1);
    int64_t most = ring->failures < 4 ? 2000LL << ring->failures : BACKOFF_MAX_S * 1000;
    if (most > BACKOFF_MAX_S * 1000)
        most = BACKOFF_MAX_S * 1000;
    int64_t in = random_between(most / 2, most);
    ring->failures++;
    ring->planned_ms = gh_loop_now_ms(ring->rings->loop) + in;
    gh_deadline_set(ring->rings->loop, &ring->refresh, in);
    char next[32];
    (void)snprintf(next, sizeof(next), "%lld ms", (long long)in);
    gh_log(GH_LOG_WARN, "the keys of an issuer could not be fetched", GH_FIELD("issuer", ring->conf->name),
           GH_FIELD("url", flight->url), GH_FIELD("reason", gh_str_from(gh_reason_row(reason)->slug)),
           GH_FIELD("why", gh_str_from(why)), GH_FIELD("next_try_in", gh_str_from(next)));
    if (ring->view.set == NULL) {
        ring->view.status = GH_KEYS_STALE;
        ring->view.retry_after_s = (in + 999) / 1000;
    }
    land(flight);
    gh_ring_settle_wants(ring, false);
}

static void on_stale(struct gh_deadline *deadline)
{
    struct ring *ring = GH_LIST_ENTRY(deadline, struct ring, stale);
    int64_t in = ring->planned_ms - gh_loop_now_ms(ring->rings->loop);
    gh_log(GH_LOG_ERROR, "the keys of an issuer are too old and are not used any more",
           GH_FIELD("issuer", ring->conf->name));
    gh_jwks_unref(ring->view.set);
    ring->view.set = NULL;
    ring->set_is_told = false;
    ring->view.status = GH_KEYS_STALE;
    ring->view.retry_after_s = in > 1000 ? (in + 999) / 1000 : 1;
    __atomic_store_n(&ring->stats->keys_usable, 0, __ATOMIC_RELAXED);
    gh_ring_tell(ring);
}
