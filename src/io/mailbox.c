/* io/mailbox.c: letters between threads: a lock-free stack that its owner turns round, and one eventfd. */
#include "io/mailbox.h"

#include <errno.h>
#include <event2/event.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/arena.h"

struct gh_mailbox {
    _Atomic(struct gh_letter *) posted; /* newest first */
    struct gh_letter *opening;          /* oldest first: taken out, to be opened in this turn */
    struct gh_loop *loop;
    void *owner;
    struct event *wake;
    int fd;
    bool gone;
};

static void on_wake(evutil_socket_t fd, short what, void *arg);
static struct gh_letter *take_all(struct gh_mailbox *mailbox);
static void discard_all(struct gh_letter *letter);
static void bury(void *ptr);

struct gh_mailbox *gh_mailbox_new(struct gh_loop *loop, void *owner)
{
    struct gh_mailbox *mailbox = gh_calloc(1, sizeof(*mailbox));
    if (mailbox == NULL)
        return NULL;
    atomic_init(&mailbox->posted, NULL);
    mailbox->loop = loop;
    mailbox->owner = owner;
    mailbox->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (mailbox->fd < 0)
        goto fail;
    mailbox->wake = event_new(gh_loop_peek_base(loop), mailbox->fd, EV_READ | EV_PERSIST, on_wake, mailbox);
    if (mailbox->wake == NULL || event_add(mailbox->wake, NULL) != 0)
        goto fail;
    return mailbox;
fail:
    bury(mailbox);
    return NULL;
}

/* May be called by a letter that is being opened: the memory stands until the end of the turn. */
void gh_mailbox_free(struct gh_mailbox *mailbox)
{
    if (mailbox == NULL)
        return;
    mailbox->gone = true;
    event_del(mailbox->wake);
    gh_loop_free_later(mailbox->loop, bury, mailbox);
}

void gh_mailbox_post(struct gh_mailbox *mailbox, struct gh_letter *letter)
{
    struct gh_letter *newest = atomic_load_explicit(&mailbox->posted, memory_order_relaxed);
    do {
        letter->next = newest;
    } while (!atomic_compare_exchange_weak_explicit(&mailbox->posted, &newest, letter, memory_order_acq_rel,
                                                    memory_order_relaxed));
    if (newest != NULL)
        return; /* somebody has woken the owner, and it has not yet looked */
    uint64_t one = 1;
    while (write(mailbox->fd, &one, sizeof(one)) < 0 && errno == EINTR)
        ;
}

static void on_wake(evutil_socket_t fd, short what, void *arg)
{
    struct gh_mailbox *mailbox = arg;
    uint64_t count;
    if (read(mailbox->fd, &count, sizeof(count)) < 0)
        return;
    mailbox->opening = take_all(mailbox); /* after the read: who posts from now on wakes us again */
    while (mailbox->opening != NULL && !mailbox->gone) {
        struct gh_letter *letter = mailbox->opening;
        mailbox->opening = letter->next;
        letter->open(letter, mailbox->owner);
    }
}

static struct gh_letter *take_all(struct gh_mailbox *mailbox)
{
    struct gh_letter *newest = atomic_exchange_explicit(&mailbox->posted, NULL, memory_order_acq_rel);
    struct gh_letter *oldest = NULL;
    while (newest != NULL) {
        struct gh_letter *before = newest->next;
        newest->next = oldest;
        oldest = newest;
        newest = before;
    }
    return oldest;
}

static void discard_all(struct gh_letter *letter)
{
    while (letter != NULL) {
        struct gh_letter *next = letter->next;
        letter->discard(letter);
        letter = next;
    }
}

static void bury(void *ptr)
{
    struct gh_mailbox *mailbox = ptr;
    discard_all(mailbox->opening);
    discard_all(take_all(mailbox));
    if (mailbox->wake != NULL)
        event_free(mailbox->wake);
    if (mailbox->fd >= 0)
        close(mailbox->fd);
    free(mailbox);
}
