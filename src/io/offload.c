/* io/offload.c: a few threads and a bounded queue in two lanes. */
#include "io/offload.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

#include "base/arena.h"

struct lane {
    struct gh_job *first, **last;
    size_t queued;
};

struct gh_offload {
    pthread_mutex_t lock;
    pthread_cond_t more;
    struct lane lanes[GH_OFFLOAD_LANES];
    size_t max_queued;
    bool stopping;
    unsigned wanted, running; /* threads; running: that were started */
    pthread_t threads[];
};

static void *work_loop(void *arg);
static struct gh_job *next_job(struct gh_offload *offload);
static struct gh_job *take_first(struct lane *lane);

struct gh_offload *gh_offload_new(unsigned threads, size_t max_queued)
{
    struct gh_offload *offload = gh_calloc(1, sizeof(*offload) + threads * sizeof(offload->threads[0]));
    if (offload == NULL)
        return NULL;
    for (size_t i = 0; i < GH_OFFLOAD_LANES; i++)
        offload->lanes[i].last = &offload->lanes[i].first;
    offload->max_queued = max_queued;
    offload->wanted = threads;
    pthread_mutex_init(&offload->lock, NULL);
    pthread_cond_init(&offload->more, NULL);
    return offload;
}

/* Signals belong to the control thread. */
bool gh_offload_start(struct gh_offload *offload)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    while (offload->running < offload->wanted &&
           pthread_create(&offload->threads[offload->running], NULL, work_loop, offload) == 0) {
        pthread_setname_np(offload->threads[offload->running], "gh-offload");
        offload->running++;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return offload->running == offload->wanted;
}

void gh_offload_free(struct gh_offload *offload)
{
    if (offload == NULL)
        return;
    pthread_mutex_lock(&offload->lock);
    offload->stopping = true;
    pthread_cond_broadcast(&offload->more);
    pthread_mutex_unlock(&offload->lock);
    for (unsigned i = 0; i < offload->running; i++)
        pthread_join(offload->threads[i], NULL);
    for (size_t i = 0; i < GH_OFFLOAD_LANES; i++) {
        struct gh_job *job;
        while ((job = take_first(&offload->lanes[i])) != NULL)
            job->letter.discard(&job->letter);
    }
    pthread_cond_destroy(&offload->more);
    pthread_mutex_destroy(&offload->lock);
    free(offload);
}

bool gh_offload_submit(struct gh_offload *offload, enum gh_offload_lane which, struct gh_job *job)
{
    struct lane *lane = &offload->lanes[which];
    pthread_mutex_lock(&offload->lock);
    bool room = lane->queued < offload->max_queued && !offload->stopping;
    if (room) {
        job->next = NULL;
        *lane->last = job;
        lane->last = &job->next;
        lane->queued++;
        pthread_cond_signal(&offload->more);
    }
    pthread_mutex_unlock(&offload->lock);
    return room;
}

static void *work_loop(void *arg)
{
    struct gh_offload *offload = arg;
    struct gh_job *job;
    while ((job = next_job(offload)) != NULL) {
        job->work(job);
        gh_mailbox_post(job->reply_to, &job->letter); /* from here on the job is its owner's */
    }
    return NULL;
}

/* NULL when the threads are to end. */
static struct gh_job *next_job(struct gh_offload *offload)
{
    struct gh_job *job = NULL;
    pthread_mutex_lock(&offload->lock);
    while (job == NULL && !offload->stopping) {
        for (size_t i = 0; job == NULL && i < GH_OFFLOAD_LANES; i++)
            job = take_first(&offload->lanes[i]);
        if (job == NULL)
            pthread_cond_wait(&offload->more, &offload->lock);
    }
    pthread_mutex_unlock(&offload->lock);
    return job;
}

static struct gh_job *take_first(struct lane *lane)
{
    struct gh_job *job = lane->first;
    if (job == NULL)
        return NULL;
    lane->first = job->next;
    if (lane->first == NULL)
        lane->last = &lane->first;
    lane->queued--;
    return job;
}
