/* front/listening.h: a listening socket of one worker, and the door its connections come through. Private to
 * this folder. */
#ifndef GH_FRONT_LISTENING_H
#define GH_FRONT_LISTENING_H

#include "front/client.h"

struct gh_listening {
    struct gh_front *front;
    struct gh_list link;
    size_t index;                 /* in the settings' list */
    struct gh_listener *listener; /* NULL: draining */
    struct gh_tls_context *tls;   /* NULL: plain HTTP */
};

/* A fresh socket: counted, refused, or made a client. */
void gh_client_accept(struct gh_listening *listening, int fd, const struct gh_address *peer);
/* A client is gone: the front may have drained. */
void gh_front_one_less(struct gh_front *front);

#endif
