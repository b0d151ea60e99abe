/* gateway/check.c: the signature of a token not seen before, checked here or on an offload thread, and what
 * failures cost whom. */
#include <stdlib.h>

#include "base/arena.h"
#include "base/budget.h"
#include "base/str.h"
#include "gateway/request.h"

/* Checks under way at once for one connection that is broke; its others wait their turn. */
#define BROKE_CHECKS 2

/* A connection that is broke, or comes from an address that is. Its checks under way count until they come
 * back, whatever became of their requests. */
struct gh_turnstile {
    struct gh_map_node node; /* in gateway->turnstiles, by connection */
    uint64_t connection;
    unsigned checks;
    bool turning;           /* those who wait are being let through */
    struct gh_list waiting; /* of struct gh_request */
};

/* ---- what failures cost ---- */

/* They are paid for by the connection and by its address. Whoever is broke is not refused: unseen tokens of
 * theirs are checked behind everybody else's, so that garbage cannot starve a worker and a good token still
 * gets through (DESIGN decision 14). */
static struct gh_offender_rate address_rate(const struct gh_request *r)
{
    const struct gh_site_limits *limits = &r->site->limits;
    return (struct gh_offender_rate){ .burst = (double)limits->verify_address_burst,
                                      .per_s = (double)limits->verify_address_per_s,
                                      .now_ms = gh_loop_now_ms(r->gateway->with.loop) };
}

bool gh_check_is_broke(struct gh_request *r)
{
    const struct gh_offender_rate rate = address_rate(r);
    struct gh_budget *budget = r->x->verify_budget;
    if (budget != NULL) {
        gh_budget_refill(budget, (double)r->site->limits.verify_burst, (double)r->site->limits.verify_per_s,
                         rate.now_ms);
        if (!gh_budget_has(budget))
            return true;
    }
    return !r->x->shared_source && gh_offenders_is_broke(r->gateway->offenders, r->x->client_ip, &rate);
}

enum gh_next gh_check_failed(struct gh_request *r, enum gh_reason reason)
{
    const struct gh_offender_rate rate = address_rate(r);
    if (r->x->verify_budget != NULL && gh_budget_has(r->x->verify_budget))
        gh_budget_spend(r->x->verify_budget, 1);
    if (!r->x->shared_source)
        gh_offenders_spend(r->gateway->offenders, r->x->client_ip, &rate);
    /* Only what nobody can have been given in good faith is answered as garbage. */
    bool is_garbage = r->was_broke && reason == GH_TOKEN_SIGNATURE;
    return gh_request_refuse(r, is_garbage ? GH_VERIFY_BUDGET : reason);
}

/* ---- turns of those who are broke ---- */

static struct gh_turnstile *turnstile_of(struct gh_request *r)
{
    struct gh_map *map = &r->gateway->turnstiles;
    struct gh_map_node *node = gh_map_find(map, gh_str_of(&r->x->connection_id, sizeof(r->x->connection_id)));
    if (node != NULL)
        return GH_MAP_ENTRY(node, struct gh_turnstile, node);
    struct gh_turnstile *turnstile = gh_calloc(1, sizeof(*turnstile));
    if (turnstile == NULL)
        return NULL;
    turnstile->connection = r->x->connection_id;
    turnstile->node.key = gh_str_of(&turnstile->connection, sizeof(turnstile->connection));
    gh_list_init(&turnstile->waiting);
    if (gh_map_add(map, &turnstile->node))
        return turnstile;
    free(turnstile);
    return NULL;
}

static void close_turnstile(struct gh_gateway *gateway, struct gh_turnstile *turnstile)
{
    if (turnstile->checks != 0 || turnstile->turning || !gh_list_is_empty(&turnstile->waiting))
        return;
    gh_map_remove(&gateway->turnstiles, &turnstile->node);
    free(turnstile);
}

/* A check has come back. Whoever is let through takes the place, or is refused and leaves it to the next. */
static void turn(struct gh_gateway *gateway, struct gh_turnstile *turnstile)
{
    struct gh_list *node;
    turnstile->checks--;
    turnstile->turning = true;
    while (turnstile->checks < BROKE_CHECKS && (node = gh_list_first(&turnstile->waiting)) != NULL) {
        struct gh_request *r = GH_LIST_ENTRY(node, struct gh_request, turn);
        gh_list_remove(node);
        gh_authn_resume(r, GH_OK);
    }
    turnstile->turning = false;
    close_turnstile(gateway, turnstile);
}

void gh_check_free_turnstiles(struct gh_gateway *gateway)
{
    struct gh_map *map = &gateway->turnstiles;
    for (size_t i = 0; map->slots != NULL && i <= map->mask; i++) {
        struct gh_map_node *next = map->slots[i];
        while (next != NULL) {
            struct gh_turnstile *turnstile = GH_MAP_ENTRY(next, struct gh_turnstile, node);
            next = next->next;
            free(turnstile);
        }
    }
    gh_map_done(map);
}

/* ---- on another thread ---- */

struct signature_job {
    struct gh_job job; /* first */
    struct gh_gateway *gateway;
    struct gh_turnstile *turnstile; /* NULL: nobody is broke */
    uint64_t ticket;
    struct gh_key *key; /* a reference */
    enum gh_alg alg;
    gh_str signed_part, signature; /* behind this struct */
    enum gh_reason reason;
};

static void job_work(struct gh_job *job)
{
    struct signature_job *self = (struct signature_job *)job;
    self->reason = gh_token_signature(self->key, self->alg, self->signed_part, self->signature);
}

static void job_discard(struct gh_letter *letter)
{
    struct signature_job *self = (struct signature_job *)letter;
    gh_key_unref(self->key);
    free(self);
}

static void job_open(struct gh_letter *letter, void *owner)
{
    struct signature_job *self = (struct signature_job *)letter;
    struct gh_request *r = gh_request_by_ticket(self->gateway, self->ticket);
    if (r != NULL)
        gh_authn_resume(r, self->reason);
    if (self->turnstile != NULL)
        turn(self->gateway, self->turnstile);
    job_discard(letter);
}

static struct signature_job *new_job(const struct gh_request *r)
{
    size_t len = r->token.signed_part.len + r->token.signature.len;
    struct signature_job *job = gh_malloc(sizeof(*job) + len);
    if (job == NULL)
        return NULL;
    char *bytes = (char *)(job + 1);
    memcpy(bytes, r->token.signed_part.ptr, r->token.signed_part.len);
    memcpy(bytes + r->token.signed_part.len, r->token.signature.ptr, r->token.signature.len);
    *job = (struct signature_job){
        .job = { .letter = { .open = job_open, .discard = job_discard },
                 .reply_to = r->gateway->with.mailbox,
                 .work = job_work },
        .gateway = r->gateway,
        .ticket = r->ticket,
        .key = gh_key_ref(r->key),
        .alg = r->token.alg,
        .signed_part = gh_str_of(bytes, r->token.signed_part.len),
        .signature = gh_str_of(bytes + r->token.signed_part.len, r->token.signature.len),
    };
    return job;
}

static enum gh_next check_elsewhere(struct gh_request *r, struct gh_turnstile *turnstile)
{
    if (r->gateway->with.offload == NULL || !gh_request_take_ticket(r))
        return gh_request_refuse(r, GH_OVERLOADED);
    struct signature_job *job = new_job(r);
    if (job == NULL)
        return gh_request_refuse(r, GH_OUT_OF_MEMORY);
    job->turnstile = turnstile;
    enum gh_offload_lane lane = turnstile != NULL ? GH_OFFLOAD_SECOND : GH_OFFLOAD_FIRST;
    if (!gh_offload_submit(r->gateway->with.offload, lane, &job->job)) {
        job_discard(&job->job.letter);
        return gh_request_refuse(r, turnstile != NULL ? GH_VERIFY_BUDGET : GH_OVERLOADED);
    }
    if (turnstile != NULL)
        turnstile->checks++;
    GH_COUNT_ADD(r->gateway->stats->verdict_offloaded, 1);
    return gh_authn_wait(r, AUTHN_OFFLOADED);
}

static enum gh_next check_behind_others(struct gh_request *r)
{
    struct gh_gateway *gateway = r->gateway;
    struct gh_turnstile *turnstile = turnstile_of(r);
    if (turnstile == NULL)
        return gh_request_refuse(r, GH_OUT_OF_MEMORY);
    if (turnstile->checks >= BROKE_CHECKS) {
        gh_list_append(&turnstile->waiting, &r->turn);
        return gh_authn_wait(r, AUTHN_TURN);
    }
    enum gh_next next = check_elsewhere(r, turnstile);
    close_turnstile(gateway, turnstile); /* where nothing was submitted */
    return next;
}

enum gh_next gh_check_signature(struct gh_request *r)
{
    r->was_broke = r->authn == AUTHN_TURN || gh_check_is_broke(r);
    if (r->was_broke)
        return check_behind_others(r);
    if (gh_alg_is_costly(r->token.alg))
        return check_elsewhere(r, NULL);
    return gh_check_done(r,
                         gh_token_signature(r->key, r->token.alg, r->token.signed_part, r->token.signature));
}

/* While another thread checked, a set without the key may have come. */
static bool key_was_withdrawn(const struct gh_request *r)
{
    const struct keys_here *keys = &r->gateway->keys[r->issuer->slot];
    if (keys->published == r->keys_seen)
        return false;
    return keys->view.set == NULL || !gh_jwks_has_thumbprint(keys->view.set, gh_key_thumbprint(r->key));
}

enum gh_next gh_check_done(struct gh_request *r, enum gh_reason reason)
{
    if (reason == GH_OUT_OF_MEMORY)
        return gh_request_refuse(r, reason);
    if (reason != GH_OK)
        return gh_check_failed(r, reason);
    return key_was_withdrawn(r) ? gh_request_refuse(r, GH_TOKEN_KEY_UNKNOWN) : gh_authn_judge(r);
}
