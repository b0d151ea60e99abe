/* app/handover.c: gives a successor the listening sockets, and drains when that one is ready. */
#include "app/handover.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/control.h"
#include "base/arena.h"
#include "base/log.h"
#include "base/str.h"
#include "io/passing.h"
#include "io/watch.h"

/* Longer than a successor waits for its keys. */
#define SESSION_MS 60000

struct gh_handover {
    struct gh_control *control;
    int door;
    struct gh_watch *at_door;
    int session; /* -1: nobody is there */
    struct gh_watch *at_session;
    struct gh_deadline patience;
    size_t given; /* of control->bound */
    pid_t successor;
};

static void on_door(void *ctx, int fd, unsigned ready);
static void on_session(void *ctx, int fd, unsigned ready);
static void on_silence(struct gh_deadline *patience);

static gh_str number(char out[24], long value)
{
    (void)snprintf(out, 24, "%ld", value);
    return gh_str_from(out);
}

/* ---- life ---- */

bool gh_handover_start(struct gh_control *control)
{
    int door = -1;
    for (size_t i = 0; i < control->bound_count; i++)
        if (control->bound[i].door == GH_DOOR_HANDOVER)
            door = control->bound[i].fd;
    if (door < 0)
        return true;
    struct gh_handover *handover = gh_calloc(1, sizeof(*handover));
    if (handover == NULL)
        return false;
    *handover = (struct gh_handover){ .control = control, .door = door, .session = -1 };
    gh_deadline_init(&handover->patience, on_silence);
    handover->at_door = gh_watch_new(control->loop, door, on_door, handover);
    control->handover = handover;
    return handover->at_door != NULL && gh_watch_set(handover->at_door, GH_WATCH_READ, -1);
}

void gh_handover_close_door(struct gh_handover *handover)
{
    if (handover == NULL)
        return;
    gh_watch_free(handover->at_door);
    handover->at_door = NULL;
}

static void end_session(struct gh_handover *handover)
{
    gh_deadline_clear(&handover->patience);
    gh_watch_free(handover->at_session);
    handover->at_session = NULL;
    if (handover->session >= 0)
        (void)close(handover->session);
    handover->session = -1;
}

void gh_handover_free(struct gh_handover *handover)
{
    if (handover == NULL)
        return;
    end_session(handover);
    gh_handover_close_door(handover);
    free(handover);
}

/* ---- the door ---- */

/* Whoever may become us anyway: root, and our own user. */
static bool may_take(struct gh_handover *handover, int fd)
{
    uid_t uid;
    pid_t pid;
    char text[24];
    if (!gh_pass_peer(fd, &uid, &pid))
        return false;
    handover->successor = pid;
    if (gh_uid_is_ours((int64_t)uid))
        return true;
    gh_log(GH_LOG_WARN, "handover: another user asked for the sockets and gets none",
           GH_FIELD("uid", number(text, (long)uid)));
    return false;
}

static void on_door(void *ctx, int fd, unsigned ready)
{
    struct gh_handover *handover = ctx;
    int session = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (session < 0)
        return;
    if (handover->session >= 0) /* its end may have come, and not been heard yet */
        on_session(handover, handover->session, GH_WATCH_READ);
    if (handover->session >= 0 || handover->control->draining) {
        if (!gh_pass_send(session, GH_SAY_BUSY, NULL, 0))
            gh_log(GH_LOG_WARN, "handover: a second successor could not be told so");
        (void)close(session);
        return;
    }
    if (!may_take(handover, session)) {
        (void)close(session);
        return;
    }
    handover->session = session;
    handover->given = 0;
    gh_deadline_set(handover->control->loop, &handover->patience, SESSION_MS);
    handover->at_session = gh_watch_new(handover->control->loop, session, on_session, handover);
    if (handover->at_session == NULL || !gh_watch_set(handover->at_session, GH_WATCH_READ, -1) ||
        !gh_pass_send(session, GH_SAY_HELLO, NULL, 0))
        end_session(handover);
}

/* ---- the session ---- */

static bool give_sockets(struct gh_handover *handover)
{
    const struct gh_control *control = handover->control;
    int fds[GH_PASSED_MAX];
    size_t count = 0;
    while (handover->given < control->bound_count && count < GH_ARRAY_LEN(fds))
        fds[count++] = control->bound[handover->given++].fd;
    return gh_pass_send(handover->session,
                        handover->given < control->bound_count ? GH_SAY_SOCKETS : GH_SAY_LAST, fds, count);
}

/* The successor accepts; what waits in the queues is its own from now on, and so is the door. */
static void hand_over(struct gh_handover *handover)
{
    struct gh_control *control = handover->control;
    char pid[24];
    gh_log(GH_LOG_INFO, "handover: a successor is ready",
           GH_FIELD("pid", number(pid, (long)handover->successor)));
    gh_control_drain(control, true);
    if (!gh_pass_send(handover->session, GH_SAY_DRAINING, NULL, 0))
        gh_log(GH_LOG_WARN, "handover: the successor could not be told that this process drains",
               GH_FIELD("why", gh_str_from(strerror(errno))));
    end_session(handover);
}

static void lose_successor(struct gh_handover *handover)
{
    char pid[24];
    gh_log(GH_LOG_WARN, "handover: a successor ended before it was ready; this process goes on",
           GH_FIELD("pid", number(pid, (long)handover->successor)));
    end_session(handover);
}

/* It hangs, and others may try. Should it wake up, the word tells it from the end of this process. */
static void on_silence(struct gh_deadline *patience)
{
    struct gh_handover *handover = GH_LIST_ENTRY(patience, struct gh_handover, patience);
    if (!gh_pass_send(handover->session, GH_SAY_BUSY, NULL, 0))
        gh_log(GH_LOG_WARN, "handover: a successor that hangs could not be told so");
    lose_successor(handover);
}

static void on_session(void *ctx, int fd, unsigned ready)
{
    struct gh_handover *handover = ctx;
    struct gh_passed passed;
    if (!gh_pass_receive(fd, &passed)) {
        if (errno != EAGAIN)
            lose_successor(handover);
        return;
    }
    gh_passed_close(&passed); /* we want none */
    bool complete = handover->given == handover->control->bound_count;
    if (strcmp(passed.word, GH_SAY_TAKE) == 0 && !complete && !handover->control->draining) {
        if (!give_sockets(handover))
            lose_successor(handover);
    } else if (strcmp(passed.word, GH_SAY_READY) == 0 && complete) {
        hand_over(handover);
    } else {
        lose_successor(handover);
    }
}
