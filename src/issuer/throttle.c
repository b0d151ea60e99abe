/* issuer/throttle.c: what one account or address may try, counted in the store, so that all nodes and a
 * restart know it. */
#include "base/str.h"
#include "core/grant/rows.h"
#include "issuer/flow.h"

/* issuer.md section 14. After so many tries at one account the next one waits: 30 s, then twice as long each
 * time. Everybody at that account waits, its owner too: that is the price of a limit that no number of
 * addresses gets around. */
#define FREE_TRIES  5
#define FIRST_S     30
#define LONGEST_S   300
#define FORGOTTEN_S 3600
struct tries {
    uint64_t version;
    int64_t count, since, until;
};

gh_str gh_throttle_key(struct gh_arena *arena, const char *kind, gh_str who)
{
    return gh_row_key(arena, kind, &who, 1);
}

static enum gh_reason read_tries(const struct gh_issuer_request *r, gh_str key, struct tries *ret_tries)
{
    const struct gh_stored_row *row = gh_rows_find(r->rows, key);
    struct gh_json value;
    bool ok = true;
    *ret_tries = (struct tries){ .since = gh_issuer_now(r) };
    if (row == NULL || row->version == 0)
        return GH_OK;
    enum gh_reason reason =
        gh_json_read(r->x->arena, row->value, &gh_json_control_limits, GH_STORE_MALFORMED, &value);
    if (reason != GH_OK)
        return reason;
    *ret_tries = (struct tries){ .version = row->version,
                                 .count = gh_get_number(&value, "count", &ok),
                                 .since = gh_get_number(&value, "since", &ok),
                                 .until = gh_get_number(&value, "until", &ok) };
    return ok ? GH_OK : GH_STORE_MALFORMED;
}

static enum gh_reason write_tries(struct gh_issuer_request *r, gh_str key, const struct tries *tries,
                                  int64_t expires)
{
    struct gh_text text = { .arena = r->x->arena };
    gh_put_number(&text, "count", tries->count);
    gh_put_number(&text, "since", tries->since);
    gh_put_number(&text, "until", tries->until);
    gh_str value = gh_put_end(&text);
    return value.ptr != NULL ? gh_effects_write(&r->effects, key, value, expires) : GH_OUT_OF_MEMORY;
}

static int64_t wait_after(int64_t count)
{
    int64_t wait = count >= FREE_TRIES ? FIRST_S : 0;
    for (int64_t i = FREE_TRIES; i < count && wait < LONGEST_S; i++)
        wait *= 2;
    return wait < LONGEST_S ? wait : LONGEST_S;
}

/* The try counts before it is made: a hundred at once are a hundred. */
enum gh_reason gh_throttle_account(struct gh_issuer_request *r, gh_str key, int64_t *ret_wait_s)
{
    struct tries tries;
    int64_t now = gh_issuer_now(r);
    enum gh_reason reason = read_tries(r, key, &tries);
    if (reason != GH_OK)
        return reason;
    *ret_wait_s = tries.until > now ? tries.until - now : 0;
    if (*ret_wait_s > 0)
        return GH_OK;
    tries.count++;
    tries.until = now + wait_after(tries.count);
    reason = gh_effects_expect(&r->effects, key, tries.version);
    return reason == GH_OK ? write_tries(r, key, &tries, now + FORGOTTEN_S) : reason;
}

/* Tries after a conflict are the same request. */
static void take_address(struct gh_issuer_request *r, gh_str key, const struct gh_rate *rate)
{
    const gh_str parts[] = { r->managed->policy.tenant, GH_STR("address"), key };
    const struct gh_limit limit = { .tries = rate->tries, .span_s = rate->span_s };
    struct gh_refusal refusal = { 0 };
    if (!r->is_taken)
        r->is_taken = gh_limits_take(r->server->with.limits, (struct gh_strs){ parts, GH_ARRAY_LEN(parts) },
                                     &limit, gh_issuer_now(r), &refusal);
    r->retry_after_s = refusal.wait_s;
}

enum gh_reason gh_throttle_take(struct gh_issuer_request *r, gh_str key, const struct gh_rate *rate)
{
    struct tries tries;
    if (r->x->shared_source)
        return GH_OK;
    enum gh_reason reason = read_tries(r, key, &tries);
    if (reason != GH_OK)
        return reason;
    int64_t ends = tries.since + rate->span_s, now = gh_issuer_now(r);
    if (tries.count >= rate->tries && ends > now)
        r->retry_after_s = ends - now;
    else
        take_address(r, key, rate);
    return GH_OK;
}

void gh_throttle_give(struct gh_issuer_request *r, gh_str key)
{
    const gh_str parts[] = { r->managed->policy.tenant, GH_STR("address"), key };
    if (r->is_taken)
        gh_limits_give(r->server->with.limits, (struct gh_strs){ parts, GH_ARRAY_LEN(parts) },
                       gh_issuer_now(r));
    r->is_taken = false;
}

/* Nothing is expected of the row: of two at once one may go unwritten, not uncounted (take_address). */
enum gh_reason gh_throttle_count(struct gh_issuer_request *r, gh_str key, const struct gh_rate *rate)
{
    struct tries tries;
    int64_t now = gh_issuer_now(r);
    enum gh_reason reason = read_tries(r, key, &tries);
    if (reason != GH_OK)
        return reason;
    if (tries.since + rate->span_s <= now)
        tries = (struct tries){ .since = now };
    tries.count++;
    return write_tries(r, key, &tries, tries.since + rate->span_s);
}

gh_str gh_throttle_pending_key(const struct gh_issuer_request *r)
{
    return gh_throttle_key(r->x->arena, "pending", r->address);
}

gh_str gh_throttle_begun_key(const struct gh_issuer_request *r)
{
    return gh_throttle_key(r->x->arena, "begun", r->address);
}

static enum gh_reason refuse_if_it_waits(struct gh_issuer_request *r, gh_str key)
{
    if (r->retry_after_s == 0)
        return GH_OK;
    gh_throttle_tell(r, key);
    return GH_REQUESTS_THROTTLED;
}

enum gh_reason gh_throttle_spend(struct gh_issuer_request *r, gh_str key, const struct gh_rate *rate)
{
    if (r->x->shared_source)
        return GH_OK;
    enum gh_reason reason = gh_throttle_take(r, key, rate);
    if (reason == GH_OK)
        reason = refuse_if_it_waits(r, key);
    return reason == GH_OK ? gh_throttle_count(r, key, rate) : reason;
}

enum gh_reason gh_throttle_at_once(struct gh_issuer_request *r, gh_str key, const struct gh_rate *rate)
{
    if (key.ptr == NULL)
        return GH_OUT_OF_MEMORY;
    if (r->x->shared_source)
        return GH_OK;
    take_address(r, key, rate);
    return refuse_if_it_waits(r, key);
}

void gh_throttle_tell(struct gh_issuer_request *r, gh_str key)
{
    const gh_str parts[] = { r->managed->policy.tenant, GH_STR("told"), key };
    const struct gh_limit none = { .tries = 0, .span_s = r->retry_after_s };
    struct gh_refusal refusal = { .is_first = true };
    (void)gh_limits_take(r->server->with.limits, (struct gh_strs){ parts, GH_ARRAY_LEN(parts) }, &none,
                         gh_issuer_now(r), &refusal);
    r->x->is_quiet = !refusal.is_first;
}

/* ---- in memory: what would cost the store a write for each request ---- */

static enum gh_reason take(struct gh_issuer_request *r, struct gh_strs parts, const struct gh_limit *limit,
                           enum gh_reason why)
{
    struct gh_refusal refusal;
    if (gh_limits_take(r->server->with.limits, parts, limit, gh_issuer_now(r), &refusal))
        return GH_OK;
    r->retry_after_s = refusal.wait_s;
    r->x->is_quiet = !refusal.is_first;
    return why;
}

/* Tries after a conflict are the same request. */
enum gh_reason gh_throttle_client(struct gh_issuer_request *r, const char *kind, int64_t per_minute)
{
    bool is_secret = r->is_proven && r->client.auth != GH_CLIENT_AUTH_NONE && !r->endpoint->is_page;
    const gh_str parts[] = { r->managed->policy.tenant, gh_str_from(kind), r->client.id,
                             is_secret ? GH_STR("") : r->address };
    const struct gh_limit limit = { .tries = per_minute, .span_s = 60 };
    if (r->is_counted || (!is_secret && r->x->shared_source))
        return GH_OK;
    r->is_counted = true;
    return take(r, (struct gh_strs){ parts, GH_ARRAY_LEN(parts) }, &limit, GH_CLIENT_THROTTLED);
}

enum gh_reason gh_throttle_refusal(struct gh_issuer_request *r, enum gh_reason why)
{
    const gh_str parts[] = { r->managed->policy.tenant, GH_STR("client-failures"), r->address };
    const struct gh_limit limit = { .tries = r->managed->limits.client_failures, .span_s = 60 };
    bool counts = why == GH_CLIENT_UNKNOWN || why == GH_CLIENT_UNAUTHENTICATED;
    if (!counts || r->x->shared_source)
        return why;
    enum gh_reason reason =
        take(r, (struct gh_strs){ parts, GH_ARRAY_LEN(parts) }, &limit, GH_REQUESTS_THROTTLED);
    return reason == GH_OK ? why : reason;
}

enum gh_reason gh_throttle_all(struct gh_issuer_request *r, const char *kind, const struct gh_rate *rate)
{
    const gh_str parts[] = { r->managed->policy.tenant, gh_str_from(kind) };
    const struct gh_limit limit = { .tries = rate->tries, .span_s = rate->span_s };
    return take(r, (struct gh_strs){ parts, GH_ARRAY_LEN(parts) }, &limit, GH_OVERLOADED);
}
