/* issuer/signer.c: access tokens signed: here, or by an offload thread where a signature would hold up a
 * worker. */
#include <stdlib.h>

#include "base/str.h"
#include "issuer/request.h"

#define TYP GH_STR("at+jwt")

/* Owns its bytes and a reference to the key; what it makes lies in an arena of its own. */
struct sign_job {
    struct gh_job job; /* first */
    struct gh_issuer_server *server;
    uint64_t ticket;
    struct gh_signing_key *key;
    struct gh_arena *arena;
    enum gh_reason reason;
    gh_str token;
    gh_str claims; /* behind this struct */
};

static void work(struct gh_job *job)
{
    struct sign_job *self = (struct sign_job *)job;
    self->reason = gh_token_sign(self->arena, self->key, TYP, self->claims, &self->token);
}

static void discard(struct gh_letter *letter)
{
    struct sign_job *self = (struct sign_job *)letter;
    gh_signing_key_unref(self->key);
    gh_arena_free(self->arena);
    free(self);
}

static void take(struct gh_issuer_request *r, const struct sign_job *job)
{
    r->ticket = 0;
    r->verdict = job->reason;
    if (job->reason == GH_OK)
        r->signed_token = gh_arena_dup(r->x->arena, job->token);
    if (job->reason == GH_OK && r->signed_token.ptr == NULL)
        r->verdict = GH_OUT_OF_MEMORY;
}

/* Who is gone by now wants nothing any more: nothing has been committed for them. */
static void open_answer(struct gh_letter *letter, void *owner)
{
    struct sign_job *self = (struct sign_job *)letter;
    struct gh_issuer_request *r = gh_issuer_by_ticket(self->server, self->ticket);
    if (r != NULL)
        take(r, self);
    discard(letter);
    if (r != NULL)
        gh_issuer_run(r);
}

static struct sign_job *new_job(struct gh_issuer_server *server, struct gh_signing_key *key, gh_str claims)
{
    struct gh_arena *arena = gh_arena_new(0);
    struct sign_job *job = arena != NULL ? gh_calloc(1, sizeof(*job) + claims.len) : NULL;
    if (job == NULL) {
        gh_arena_free(arena);
        return NULL;
    }
    job->job = (struct gh_job){ .letter = { .open = open_answer, .discard = discard },
                                .reply_to = server->with.mailbox,
                                .work = work };
    job->server = server;
    job->ticket = ++server->last_ticket;
    job->key = gh_signing_key_ref(key);
    job->arena = arena;
    memcpy(job + 1, claims.ptr, claims.len);
    job->claims = gh_str_of(job + 1, claims.len);
    return job;
}

enum gh_step_end gh_issuer_sign(struct gh_issuer_request *r, gh_str claims)
{
    const struct gh_issuer_keys *keys = gh_issuer_keys_of(r);
    if (keys == NULL)
        return gh_issuer_refuse(r, GH_KEYS_UNAVAILABLE);
    if (!gh_signing_key_is_costly(keys->active)) {
        r->verdict = gh_token_sign(r->x->arena, keys->active, TYP, claims, &r->signed_token);
        return GH_STEP_NEXT;
    }
    struct sign_job *job = new_job(r->server, keys->active, claims);
    if (job == NULL)
        return gh_issuer_refuse(r, GH_OUT_OF_MEMORY);
    r->ticket = job->ticket;
    if (gh_offload_submit(r->server->with.offload, GH_OFFLOAD_FIRST, &job->job))
        return GH_STEP_WAIT;
    r->ticket = 0;
    discard(&job->job.letter);
    return gh_issuer_refuse(r, GH_OVERLOADED);
}
