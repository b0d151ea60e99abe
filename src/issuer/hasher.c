/* issuer/hasher.c: passwords on threads of their own, because each takes half a second and 64 MiB. */
#include <stdlib.h>

#include "base/clock.h"
#include "base/secret.h"
#include "base/str.h"
#include "issuer/flow.h"

struct hash_job {
    struct gh_job job; /* first */
    struct gh_issuer_server *server;
    uint64_t ticket;
    unsigned cost;
    bool matches;
    unsigned char salt[16];
    char stored[GH_PASSWORD_TEXT]; /* what it must match; empty: nothing, it is made */
    char made[GH_PASSWORD_TEXT];   /* a text of the present cost; empty: the stored one is good */
    gh_str password;               /* behind this struct */
};

/* An account that does not exist costs as much as one that does. */
static void work(struct gh_job *job)
{
    struct hash_job *self = (struct hash_job *)job;
    unsigned cost = 0;
    if (self->stored[0] != '\0') {
        self->matches = gh_password_matches(gh_str_from(self->stored), self->password, &cost);
        if (!self->matches || cost >= self->cost)
            return;
    }
    if (!gh_password_hash(self->password, self->cost, self->salt, self->made))
        self->made[0] = '\0';
}

static void discard(struct gh_letter *letter)
{
    struct hash_job *self = (struct hash_job *)letter;
    gh_wipe(self + 1, self->password.len);
    free(self);
}

static void open_answer(struct gh_letter *letter, void *owner)
{
    struct hash_job *self = (struct hash_job *)letter;
    struct gh_issuer_request *r = gh_issuer_by_ticket(self->server, self->ticket);
    if (r != NULL) {
        r->ticket = 0;
        r->verdict = self->matches ? GH_OK : GH_LOGIN_FAILED;
        r->reply = gh_arena_dup(r->x->arena, gh_str_from(self->made));
    }
    discard(letter);
    if (r != NULL)
        gh_issuer_run(r);
}

enum gh_step_end gh_issuer_hash(struct gh_issuer_request *r, gh_str password, gh_str stored)
{
    struct gh_issuer_server *server = r->server;
    struct hash_job *job = stored.len < GH_PASSWORD_TEXT ? gh_calloc(1, sizeof(*job) + password.len) : NULL;
    if (job == NULL)
        return gh_issuer_refuse(r, GH_OUT_OF_MEMORY);
    job->job = (struct gh_job){ .letter = { .open = open_answer, .discard = discard },
                                .reply_to = server->with.mailbox,
                                .work = work };
    job->server = server;
    job->ticket = ++server->last_ticket;
    job->cost = r->managed->password_cost;
    gh_random_fill(job->salt, sizeof(job->salt));
    if (stored.len > 0)
        memcpy(job->stored, stored.ptr, stored.len);
    if (password.len > 0)
        memcpy(job + 1, password.ptr, password.len);
    job->password = gh_str_of(job + 1, password.len);
    r->ticket = job->ticket;
    if (gh_offload_submit(server->with.passwords, GH_OFFLOAD_FIRST, &job->job))
        return GH_STEP_WAIT;
    discard(&job->job.letter);
    return gh_issuer_refuse(r, GH_OVERLOADED);
}
