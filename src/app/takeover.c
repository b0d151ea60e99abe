/* app/takeover.c: takes the listening sockets of the running process, and lets it drain when this one is
 * ready. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/control.h"
#include "app/handover.h"
#include "app/notify.h"
#include "base/arena.h"
#include "base/log.h"
#include "base/str.h"
#include "io/passing.h"
#include "io/watch.h"

/* For each word of the running process, which is never busy for long. */
#define WORD_MS 10000
/* For the keys of all issuers and the revocations, which it has already: without them it serves better. */
#define READY_MS 30000
#define LOOK_MS  100

struct gh_takeover {
    struct gh_control *control;
    int session;
    struct gh_watch *at_session;
    struct gh_deadline look;
    int64_t give_up_ms;
    bool listens; /* and has said so */
};

static void look(struct gh_deadline *deadline);

static bool refuse(gh_str at, const char *why)
{
    (void)fprintf(stderr, "gatehouse: handover: %.*s: %s\n", GH_STR_FMT(at), why);
    return false;
}

/* ---- before the process is complete: blocking ---- */

/* Somebody else's sockets are not ours to serve. */
static bool is_trusted(int session, gh_str at)
{
    uid_t uid;
    pid_t pid; /* of who made the door, maybe several processes ago */
    if (!gh_pass_peer(session, &uid, &pid) || !gh_uid_is_ours((int64_t)uid))
        return refuse(at, "belongs to a process of another user");
    gh_log(GH_LOG_INFO, "handover: taking the sockets of the running process");
    return true;
}

static bool add_all(struct gh_inherited *set, struct gh_passed *passed)
{
    bool added = true;
    for (size_t i = 0; i < passed->count; i++)
        added = gh_inherited_add(set, passed->fds[i]) && added;
    return added;
}

static bool hear(int session, gh_str at, struct gh_passed *ret_passed)
{
    if (gh_pass_receive(session, ret_passed))
        return true;
    return refuse(at, errno == EAGAIN ? "the running process does not answer" : strerror(errno));
}

static bool take_all(int session, gh_str at, struct gh_inherited *set)
{
    struct gh_passed passed;
    if (!hear(session, at, &passed))
        return false;
    gh_passed_close(&passed); /* there are none yet */
    if (strcmp(passed.word, GH_SAY_BUSY) == 0)
        return refuse(at, "another process is taking over already");
    if (strcmp(passed.word, GH_SAY_HELLO) != 0)
        return refuse(at, "the running process speaks another protocol");
    do {
        if (!gh_pass_send(session, GH_SAY_TAKE, NULL, 0))
            return refuse(at, strerror(errno));
        if (!hear(session, at, &passed))
            return false;
        if (!add_all(set, &passed))
            return refuse(at, "out of memory");
    } while (strcmp(passed.word, GH_SAY_SOCKETS) == 0);
    return strcmp(passed.word, GH_SAY_LAST) == 0 || refuse(at, "the running process speaks another protocol");
}

bool gh_takeover_begin(struct gh_control *control, const struct gh_conf *conf, struct gh_inherited *set)
{
    if (conf->handover.len == 0)
        return true;
    int session = gh_pass_connect(&conf->handover_address, WORD_MS);
    if (session < 0 && (errno == ENOENT || errno == ECONNREFUSED))
        return true; /* nobody runs yet */
    if (session < 0)
        return refuse(conf->handover, strerror(errno));
    struct gh_takeover *takeover = gh_calloc(1, sizeof(*takeover));
    if (takeover == NULL) {
        (void)close(session);
        return refuse(conf->handover, "out of memory");
    }
    *takeover = (struct gh_takeover){ .control = control, .session = session };
    gh_deadline_init(&takeover->look, look);
    control->takeover = takeover;
    return is_trusted(session, conf->handover) && take_all(session, conf->handover, set);
}

void gh_takeover_free(struct gh_takeover *takeover)
{
    if (takeover == NULL)
        return;
    gh_deadline_clear(&takeover->look);
    gh_watch_free(takeover->at_session);
    if (takeover->session >= 0)
        (void)close(takeover->session);
    free(takeover);
}

/* ---- in the loop ---- */

/* The door is ours: the next successor comes to us. */
static void finish(struct gh_takeover *takeover)
{
    struct gh_control *control = takeover->control;
    control->takeover = NULL;
    gh_takeover_free(takeover);
    if (!gh_handover_start(control))
        gh_log(GH_LOG_ERROR, "handover: nobody can take over from this process: out of memory");
}

static void start_listening(struct gh_takeover *takeover)
{
    struct gh_control *control = takeover->control;
    takeover->listens = true;
    gh_deadline_clear(&takeover->look);
    if (!gh_control_listen(control)) {
        gh_log(GH_LOG_ERROR, "handover: the sockets that were taken cannot be listened on");
        gh_control_fail(control);
        return;
    }
    gh_notify("READY=1");
}

static void look(struct gh_deadline *deadline)
{
    struct gh_takeover *takeover = GH_LIST_ENTRY(deadline, struct gh_takeover, look);
    struct gh_control *control = takeover->control;
    gh_str waiting = GH_STR_NONE;
    bool ready = gh_keyrings_ready(control->rings, &waiting) && control->table.knows_revocations(control);
    if (ready) {
        start_listening(takeover);
        if (!control->failed && !gh_pass_send(takeover->session, GH_SAY_READY, NULL, 0))
            finish(takeover); /* it has ended by itself */
    } else if (gh_loop_now_ms(control->loop) >= takeover->give_up_ms) {
        gh_log(GH_LOG_ERROR, "handover: not ready in time; the running process goes on, this one ends",
               GH_FIELD("waiting_for",
                        waiting.len != 0 ? GH_STR("the keys of an issuer") : GH_STR("revocations")),
               GH_FIELD("issuer", waiting));
        gh_control_fail(control);
    } else {
        gh_deadline_set(control->loop, &takeover->look, LOOK_MS);
    }
}

/* "draining", or the end of a process that was killed meanwhile: then nobody else accepts. */
static void on_session(void *ctx, int fd, unsigned ready)
{
    struct gh_takeover *takeover = ctx;
    struct gh_passed passed;
    bool said = gh_pass_receive(fd, &passed);
    if (!said && errno == EAGAIN)
        return;
    if (said)
        gh_passed_close(&passed);
    if (said && strcmp(passed.word, GH_SAY_DRAINING) != 0) {
        gh_log(GH_LOG_ERROR, "handover: this took too long; the running process goes on, this one ends");
        gh_control_fail(takeover->control);
        return;
    }
    gh_log(said ? GH_LOG_INFO : GH_LOG_WARN,
           said ? "handover: the old process drains" : "handover: the old process has ended");
    if (!takeover->listens)
        start_listening(takeover);
    if (!takeover->control->failed)
        finish(takeover);
}

bool gh_takeover_run(struct gh_control *control)
{
    struct gh_takeover *takeover = control->takeover;
    if (takeover == NULL)
        return true;
    takeover->at_session = gh_watch_new(control->loop, takeover->session, on_session, takeover);
    if (takeover->at_session == NULL || !gh_watch_set(takeover->at_session, GH_WATCH_READ, -1))
        return false;
    takeover->give_up_ms = gh_loop_now_ms(control->loop) + READY_MS;
    gh_deadline_set(control->loop, &takeover->look, 0);
    return true;
}
