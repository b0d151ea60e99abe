/* io/offload.c: a few threads and one bounded queue. */
#include "io/offload.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

#include "base/arena.h"

struct gh_offload {
    pthread_mutex_t lock;
    pthread_cond_t more;
    struct gh_job *first, **last;
    size_t queued, max_queued;
    bool stopping;
    unsigned running; /* threads that were started */
    pthread_t threads[];
};

static bool start_threads(struct gh_offload *offload, unsigned threads);
static void *work_loop(void *arg);
static struct gh_job *next_job(struct gh_offload *offload);

struct gh_offload *gh_offload_new(unsigned threads, size_t max_queued)
{
    struct gh_offload *offload = gh_calloc(1, sizeof(*offload) + threads * sizeof(offload->threads[0]));
    if (offload == NULL)
        return NULL;
    offload->last = &offload->first;
    offload->max_queued = max_queued;
    pthread_mutex_init(&offload->lock, NULL);
    pthread_cond_init(&offload->more, NULL);
    if (!start_threads(offload, threads))
        goto fail;
    return offload;
fail:
    gh_offload_free(offload);
    return NULL;
}

/* Signals belong to the control thread. */
static bool start_threads(struct gh_offload *offload, unsigned threads)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    while (offload->running < threads &&
           pthread_create(&offload->threads[offload->running], NULL, work_loop, offload) == 0) {
        pthread_setname_np(offload->threads[offload->running], "gh-offload");
        offload->running++;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return offload->running == threads;
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
    while (offload->first != NULL) {
        struct gh_job *job = offload->first;
        offload->first = job->next;
        job->letter.discard(&job->letter);
    }
    pthread_cond_destroy(&offload->more);
    pthread_mutex_destroy(&offload->lock);
    free(offload);
}

bool gh_offload_submit(struct gh_offload *offload, struct gh_job *job)
{
    pthread_mutex_lock(&offload->lock);
    bool room = offload->queued < offload->max_queued && !offload->stopping;
    if (room) {
        job->next = NULL;
        *offload->last = job;
        offload->last = &job->next;
        offload->queued++;
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
    while (offload->first == NULL && !offload->stopping)
        pthread_cond_wait(&offload->more, &offload->lock);
    if (!offload->stopping) {
        job = offload->first;
        offload->first = job->next;
        if (offload->first == NULL)
            offload->last = &offload->first;
        offload->queued--;
    }
    pthread_mutex_unlock(&offload->lock);
    return job;
}
