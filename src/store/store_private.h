/* store/store_private.h: what a store is made of, shared by store.c (thread and queue), client.c (calls) and
 * follow.c (the log). */
#ifndef GH_STORE_PRIVATE_H
#define GH_STORE_PRIVATE_H

#include <pthread.h>

#include "store/driver.h"

/* How the follower is kept informed. What is not under the lock belongs to the store's thread. */
struct gh_follow {
    struct gh_mailbox *mailbox; /* under the lock until set, then fixed; NULL: nobody follows */
    struct gh_store_follower follower;
    unsigned unopened; /* letters on their way; under the lock */
    bool wanted;       /* set by gh_store_follow; under the lock */
    bool on;
    bool behind;          /* there may be entries behind `position` */
    bool starved;         /* it goes on as soon as the follower has opened some letters */
    uint64_t position;    /* the last one told */
    int64_t look_at_ms;   /* when to look again */
    int64_t told_at_ms;   /* when the follower last heard that all is told */
    bool failing;         /* trouble has been told, and not yet its end */
    char words[256];      /* that were told of it: others are told too */
    int64_t words_at_ms;  /* when they were */
    int64_t failed_at_ms; /* the last failure */
};

struct gh_store {
    pthread_mutex_t lock;
    pthread_cond_t more;
    struct gh_store_call *first, **last; /* waiting; under the lock */
    size_t queued;
    bool stopping;
    struct gh_store_conf conf; /* its numbers; the url is not kept */
    const struct gh_store_driver *driver;
    void *self;
    struct gh_follow follow;
    int64_t sweep_at_ms;
    pthread_t thread;
    bool started;
};

/* client.c */
void gh_store_call_free(struct gh_store_call *call);

/* follow.c; on the store's thread. */
/* Looks when it is time, and tells what is new. */
void gh_follow_turn(struct gh_store *store, int64_t now_ms);
/* Tells at once what this process has appended; false: it cannot be read. */
bool gh_follow_appended(struct gh_store *store, int64_t now_ms);
/* When gh_follow_turn has something to do; INT64_MAX: only when it is woken. Under the lock. */
int64_t gh_follow_due_ms(const struct gh_store *store);
/* How a driver's function ended: trouble and its end are told, not each failure. */
void gh_follow_outcome(struct gh_store *store, enum gh_reason reason, int64_t now_ms);

#endif
