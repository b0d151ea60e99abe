/* drive.h: what the parts of the load driver share: the plan of a run, its tally, and one HTTP/2 connection.
 */
#ifndef GATEHOUSE_BENCH_DRIVE_H
#define GATEHOUSE_BENCH_DRIVE_H

#include "sample.h"

#include <nghttp2/nghttp2.h>
#include <openssl/ssl.h>

/* What a run does. */
enum gh_drive_mode {
    GH_DRIVE_REQUESTS, /* closed loop over connections that stay */
    GH_DRIVE_CONNECTS, /* a new connection for each request */
    GH_DRIVE_HOLD,     /* one request on each connection, then idle */
    GH_DRIVE_STREAMS,  /* event streams that stay open */
    GH_DRIVE_PROBE,    /* one request, its status is the answer */
    GH_DRIVE_DIRECT    /* plain HTTP/1.1 to the backend itself: the floor of latency */
};

struct gh_drive_plan {
    enum gh_drive_mode mode;
    int port;
    size_t connections, streams;
    double seconds, warmup; /* seconds 0: hold until standard input ends */
    char *host;
    const char *path;
    bool resume;
    char *body;
    size_t body_len;
    char **tokens;
    size_t token_count;
};

/* phases in the order they are lived */
enum gh_drive_phase { GH_PHASE_OPENING, GH_PHASE_WARMING, GH_PHASE_MEASURING, GH_PHASE_DRAINING };

/* What was counted over the whole run; `good` and `bad` only while measuring. */
struct gh_drive_tally {
    uint64_t good, bad;
    uint64_t exchanges; /* requests whose final response head arrived: an audit trail has as many lines */
    uint64_t opened, resumed, errors, refused, unanswered;
    int last_status;
};

struct gh_drive {
    struct gh_drive_plan plan;
    struct gh_drive_tally tally;
    struct gh_window window;
    enum gh_drive_phase phase;
    SSL_CTX *tls;
    nghttp2_session_callbacks *callbacks;
    int epoll;
    struct gh_drive_conn *conns;
    size_t started, handshaking, live, in_flight, answered_conns, next_token;
};

enum gh_conn_state { GH_CONN_CLOSED, GH_CONN_CONNECTING, GH_CONN_HANDSHAKE, GH_CONN_UP };

struct gh_drive_request;
struct gh_drive_conn {
    struct gh_drive *drive;
    enum gh_conn_state state;
    int fd;
    bool wants_write, leaving, answered;
    size_t in_flight;
    uint64_t begun;
    SSL *ssl;
    nghttp2_session *h2;
    SSL_SESSION *ticket; /* for the next connection in this place: used once (RFC 8446 appendix C.4) */
    struct gh_drive_request *requests; /* as many as may be in flight */
    unsigned char *unsent;             /* what TLS did not take yet */
    size_t unsent_len;
};

/* Sets up TLS and HTTP/2 for the run. */
void gh_drive_prepare(struct gh_drive *drive);
void gh_drive_finish(struct gh_drive *drive);

void gh_drive_conn_start(struct gh_drive_conn *conn, size_t index);
/* Takes what the socket has, sends what is due; closes the connection when it is at its end. */
void gh_drive_conn_run(struct gh_drive_conn *conn);
void gh_drive_conn_close(struct gh_drive_conn *conn, bool failed);

/* Runs the plan against the backend over plain HTTP/1.1, one request in flight. */
void gh_drive_direct(struct gh_drive *drive);

#endif
