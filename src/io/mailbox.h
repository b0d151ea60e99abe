/* io/mailbox.h: how one thread tells another something: posted from any thread, run in the owner's loop. */
#ifndef GH_IO_MAILBOX_H
#define GH_IO_MAILBOX_H

#include "io/loop.h"

/* The sender allocates a letter (heap, its own bytes and references, never an arena pointer). `open` runs in
 * the owner's thread and frees the letter. A letter that is never opened (mailbox freed) gets `discard`. */
struct gh_letter {
    struct gh_letter *next;
    void (*open)(struct gh_letter *letter, void *owner);
    void (*discard)(struct gh_letter *letter);
};

struct gh_mailbox;
struct gh_mailbox *gh_mailbox_new(struct gh_loop *loop, void *owner);
void gh_mailbox_free(struct gh_mailbox *mailbox);
/* From any thread. Wakes the owner once however many letters wait. */
void gh_mailbox_post(struct gh_mailbox *mailbox, struct gh_letter *letter);

#endif
