/* io/resolve.c: names to addresses by the system's resolver, which blocks: on offload threads only. */
#include "io/resolve.h"

#include <netdb.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/str.h"
#include "io/address_bytes.h"

#define NAME_MAX_LEN 253 /* RFC 1035 section 2.3.4, without the root's dot */

struct question {
    struct gh_job job; /* first: the letter in it is what comes back */
    uint16_t port;
    char host[NAME_MAX_LEN + 1];
    void (*done)(void *ctx, const struct gh_address *addresses, size_t count);
    void *ctx;
    size_t count;
    struct gh_address found[GH_RESOLVE_MAX];
};

static size_t ask(const char *host, uint16_t port, struct gh_address *ret_addresses);
static void work(struct gh_job *job);
static void answer(struct gh_letter *letter, void *owner);
static void discard(struct gh_letter *letter);

size_t gh_resolve_now(gh_str host, uint16_t port, struct gh_address *ret_addresses)
{
    if (gh_address_of_literal(host, port, &ret_addresses[0]))
        return 1;
    char name[NAME_MAX_LEN + 1];
    if (host.len == 0 || host.len > NAME_MAX_LEN || memchr(host.ptr, '\0', host.len) != NULL)
        return 0;
    memcpy(name, host.ptr, host.len);
    name[host.len] = '\0';
    return ask(name, port, ret_addresses);
}

static size_t ask(const char *host, uint16_t port, struct gh_address *ret_addresses)
{
    const struct addrinfo hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM };
    struct addrinfo *list = NULL;
    size_t count = 0;
    if (getaddrinfo(host, NULL, &hints, &list) != 0)
        return 0;
    for (const struct addrinfo *one = list; one != NULL && count < GH_RESOLVE_MAX; one = one->ai_next) {
        struct gh_address address = { .len = one->ai_addrlen };
        unsigned char bytes[16];
        if (one->ai_addrlen > sizeof(address.storage))
            continue;
        memcpy(&address.storage, one->ai_addr, one->ai_addrlen);
        if (!gh_address_bytes(&address, bytes))
            continue;
        bool v6 = one->ai_family == AF_INET6;
        gh_address_of_ip(v6, v6 ? bytes : bytes + 12, port, &ret_addresses[count++]);
    }
    freeaddrinfo(list);
    return count;
}

bool gh_resolve_later(struct gh_offload *offload, struct gh_mailbox *reply_to, gh_str host, uint16_t port,
                      void (*done)(void *ctx, const struct gh_address *addresses, size_t count), void *ctx)
{
    struct question *question = gh_calloc(1, sizeof(*question));
    if (question == NULL)
        return false;
    question->job = (struct gh_job){ .letter = { .open = answer, .discard = discard },
                                     .reply_to = reply_to,
                                     .work = work };
    question->port = port;
    question->done = done;
    question->ctx = ctx;
    if (host.len <= NAME_MAX_LEN && host.len != 0) /* a longer name stays empty and finds nothing */
        memcpy(question->host, host.ptr, host.len);
    if (gh_offload_submit(offload, GH_OFFLOAD_FIRST, &question->job))
        return true;
    free(question);
    return false;
}

static void work(struct gh_job *job)
{
    struct question *question = GH_LIST_ENTRY(job, struct question, job);
    question->count = gh_resolve_now(gh_str_from(question->host), question->port, question->found);
}

static void answer(struct gh_letter *letter, void *owner)
{
    struct question *question = GH_LIST_ENTRY(letter, struct question, job.letter);
    question->done(question->ctx, question->found, question->count);
    free(question);
}

static void discard(struct gh_letter *letter)
{
    free(GH_LIST_ENTRY(letter, struct question, job.letter));
}
