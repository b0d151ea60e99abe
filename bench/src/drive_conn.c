/* drive_conn.c: one TLS 1.3 + HTTP/2 client connection of the load driver and its requests. */
#include "drive.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

/* Servers rightly bound the connections of one address, so each 200 come from a loopback address of their
 * own. */
#define CONNS_PER_ADDRESS 200
#define WRITE_CHUNK       15000
#define TOKEN_MAX         16384

struct gh_drive_request {
    bool in_use;
    uint64_t begun;
    int status;
    char last; /* byte of the event stream seen last: two line ends in a row end an event */
};

static void submit(struct gh_drive_conn *conn, uint64_t begun);

/* ---- starting */

static void wait_for(struct gh_drive_conn *conn, bool writing)
{
    if (conn->wants_write == writing)
        return;
    conn->wants_write = writing;
    struct epoll_event event = { .events = EPOLLIN | (writing ? EPOLLOUT : 0u), .data.ptr = conn };
    epoll_ctl(conn->drive->epoll, EPOLL_CTL_MOD, conn->fd, &event);
}

static void options_set(const struct gh_drive *drive, int fd, size_t index)
{
    int one = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof(one));
    if (drive->plan.mode == GH_DRIVE_CONNECTS) {
        /* Reset on close, or ports run out in TIME_WAIT. */
        struct linger linger = { .l_onoff = 1, .l_linger = 0 };
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
    }
    struct sockaddr_in from = { .sin_family = AF_INET };
    from.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1 + (uint32_t)(index / CONNS_PER_ADDRESS));
    if (bind(fd, (struct sockaddr *)&from, sizeof(from)) != 0)
        perror("bind source address");
}

void gh_drive_conn_start(struct gh_drive_conn *conn, size_t index)
{
    struct gh_drive *drive = conn->drive;
    SSL_SESSION *ticket = conn->ticket;
    *conn = (struct gh_drive_conn){ .drive = drive, .state = GH_CONN_CONNECTING, .wants_write = true };
    conn->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (conn->fd < 0) {
        perror("socket");
        exit(1);
    }
    options_set(drive, conn->fd, index);
    struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons((uint16_t)drive->plan.port) };
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    conn->begun = gh_bench_now();
    if (connect(conn->fd, (struct sockaddr *)&to, sizeof(to)) != 0 && errno != EINPROGRESS) {
        perror("connect");
        exit(1);
    }
    conn->ssl = SSL_new(drive->tls);
    SSL_set_fd(conn->ssl, conn->fd);
    SSL_set_tlsext_host_name(conn->ssl, drive->plan.host);
    SSL_set_app_data(conn->ssl, conn);
    if (ticket != NULL)
        SSL_set_session(conn->ssl, ticket);
    SSL_SESSION_free(ticket);
    SSL_set_connect_state(conn->ssl);
    struct epoll_event event = { .events = EPOLLIN | EPOLLOUT, .data.ptr = conn };
    epoll_ctl(drive->epoll, EPOLL_CTL_ADD, conn->fd, &event);
    drive->live++;
    drive->handshaking++;
}

static void begin_http2(struct gh_drive_conn *conn)
{
    struct gh_drive *drive = conn->drive;
    conn->state = GH_CONN_UP;
    drive->handshaking--;
    drive->tally.opened++;
    if (SSL_session_reused(conn->ssl))
        drive->tally.resumed++;
    conn->requests = calloc(drive->plan.streams, sizeof(*conn->requests));
    if (conn->requests == NULL)
        abort();
    nghttp2_session_client_new(&conn->h2, drive->callbacks, conn);
    nghttp2_settings_entry settings[] = { { NGHTTP2_SETTINGS_ENABLE_PUSH, 0 },
                                          { NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 1 << 20 } };
    nghttp2_submit_settings(conn->h2, NGHTTP2_FLAG_NONE, settings, 2);
    nghttp2_session_set_local_window_size(conn->h2, NGHTTP2_FLAG_NONE, 0, 1 << 26);
    uint64_t begun = drive->plan.mode == GH_DRIVE_CONNECTS ? conn->begun : gh_bench_now();
    for (size_t i = 0; i < drive->plan.streams && drive->phase != GH_PHASE_DRAINING; i++)
        submit(conn, begun);
}

/* ---- requests */

static ssize_t read_body(nghttp2_session *h2, int32_t id, uint8_t *buf, size_t room, uint32_t *flags,
                         nghttp2_data_source *source, void *user)
{
    const struct gh_drive_plan *plan = source->ptr;
    size_t n = plan->body_len < room ? plan->body_len : room; /* far below one frame: see the option -b */
    memcpy(buf, plan->body, n);
    *flags |= NGHTTP2_DATA_FLAG_EOF;
    return (ssize_t)n;
}

static void field(nghttp2_nv *fields, size_t *count, const char *name, const char *value)
{
    fields[(*count)++] = (nghttp2_nv){ .name = (uint8_t *)(uintptr_t)name,
                                       .namelen = strlen(name),
                                       .value = (uint8_t *)(uintptr_t)value,
                                       .valuelen = strlen(value),
                                       .flags = NGHTTP2_NV_FLAG_NONE };
}

static void submit(struct gh_drive_conn *conn, uint64_t begun)
{
    struct gh_drive *drive = conn->drive;
    struct gh_drive_plan *plan = &drive->plan;
    char authority[128], length[24], bearer[TOKEN_MAX + 8];
    nghttp2_nv fields[10];
    size_t n = 0;
    snprintf(authority, sizeof(authority), "%s:%d", plan->host, plan->port);
    field(fields, &n, ":method", "POST");
    field(fields, &n, ":scheme", "https");
    field(fields, &n, ":authority", authority);
    field(fields, &n, ":path", plan->path);
    field(fields, &n, "accept", "application/json, text/event-stream");
    field(fields, &n, "mcp-protocol-version", "2025-11-25");
    field(fields, &n, "content-type", "application/json");
    snprintf(length, sizeof(length), "%zu", plan->body_len);
    field(fields, &n, "content-length", length);
    if (plan->token_count > 0) {
        size_t i = drive->next_token++ % plan->token_count;
        snprintf(bearer, sizeof(bearer), "Bearer %s", plan->tokens[i]);
        field(fields, &n, "authorization", bearer);
    }
    struct gh_drive_request *request = conn->requests;
    while (request->in_use)
        request++; /* there are as many as may be in flight */
    *request = (struct gh_drive_request){ .begun = begun };
    nghttp2_data_provider provider = { .source.ptr = plan, .read_callback = read_body };
    if (nghttp2_submit_request(conn->h2, NULL, fields, n, &provider, request) < 0) {
        drive->tally.errors++;
        return;
    }
    request->in_use = true;
    conn->in_flight++;
    drive->in_flight++;
}

/* ---- responses */

static int on_header(nghttp2_session *h2, const nghttp2_frame *frame, const uint8_t *name, size_t name_len,
                     const uint8_t *value, size_t value_len, uint8_t flags, void *user)
{
    struct gh_drive_conn *conn = user;
    struct gh_drive_request *request = nghttp2_session_get_stream_user_data(h2, frame->hd.stream_id);
    if (request == NULL || name_len != 7 || memcmp(name, ":status", 7) != 0)
        return 0;
    int status = atoi((const char *)value); /* nghttp2 ends values with a NUL */
    if (status >= 200) {
        request->status = status;
        conn->drive->tally.last_status = status;
        conn->drive->tally.exchanges++;
    }
    return 0;
}

/* The backend writes the monotonic time of sending, of this same machine, into each event as "t":<19 digits>.
 */
static void event_seen(struct gh_drive *drive, const uint8_t *data, size_t len)
{
    const uint8_t *mark = memmem(data, len, "\"t\":", 4);
    if (mark == NULL || (size_t)(data + len - mark) < 4 + 19)
        return;
    uint64_t sent = strtoull((const char *)mark + 4, NULL, 10), now = gh_bench_now();
    gh_latencies_add(&drive->window.latencies, now > sent ? now - sent : 0);
}

static int on_data(nghttp2_session *h2, uint8_t flags, int32_t id, const uint8_t *data, size_t len,
                   void *user)
{
    struct gh_drive_conn *conn = user;
    struct gh_drive *drive = conn->drive;
    struct gh_drive_request *request = nghttp2_session_get_stream_user_data(h2, id);
    if (request == NULL || drive->plan.mode != GH_DRIVE_STREAMS || drive->phase != GH_PHASE_MEASURING)
        return 0;
    event_seen(drive, data, len);
    for (size_t i = 0; i < len; i++) {
        if (data[i] == '\n' && request->last == '\n')
            drive->tally.good++;
        request->last = (char)data[i];
    }
    return 0;
}

static void count(struct gh_drive *drive, const struct gh_drive_request *request, uint32_t error,
                  uint64_t now)
{
    if (error == NGHTTP2_REFUSED_STREAM && request->status == 0) {
        drive->tally.refused++; /* never processed, by RFC 9113 section 8.7: asked again */
        return;
    }
    if (request->status == 0 || (request->status == 200 && error != NGHTTP2_NO_ERROR)) {
        drive->tally.errors++;
        return;
    }
    if (drive->phase != GH_PHASE_MEASURING)
        return;
    if (request->status != 200) {
        drive->tally.bad++;
        return;
    }
    drive->tally.good++;
    gh_latencies_add(&drive->window.latencies, now - request->begun);
}

static int on_close(nghttp2_session *h2, int32_t id, uint32_t error, void *user)
{
    struct gh_drive_conn *conn = user;
    struct gh_drive *drive = conn->drive;
    struct gh_drive_request *request = nghttp2_session_get_stream_user_data(h2, id);
    if (request == NULL)
        return 0;
    uint64_t now = gh_bench_now();
    conn->in_flight--;
    drive->in_flight--;
    if (drive->plan.mode == GH_DRIVE_STREAMS)
        drive->tally.errors += drive->phase != GH_PHASE_DRAINING; /* an event stream that ended */
    else
        count(drive, request, error, now);
    request->in_use = false;
    if (!conn->answered)
        drive->answered_conns++;
    conn->answered = true;
    if (drive->plan.mode == GH_DRIVE_REQUESTS && drive->phase != GH_PHASE_DRAINING && !conn->leaving &&
        nghttp2_session_check_request_allowed(h2))
        submit(conn, now);
    return 0;
}

static int on_frame(nghttp2_session *h2, const nghttp2_frame *frame, void *user)
{
    struct gh_drive_conn *conn = user;
    if (frame->hd.type == NGHTTP2_GOAWAY)
        conn->leaving = true;
    return 0;
}

/* ---- moving bytes */

/* Hands bytes to TLS; false when the connection is broken. What TLS does not take now waits in `unsent`. */
static bool write_tls(struct gh_drive_conn *conn, const unsigned char *data, size_t len)
{
    int written = SSL_write(conn->ssl, data, (int)len);
    if (written > 0)
        return true;
    int error = SSL_get_error(conn->ssl, written);
    if (error != SSL_ERROR_WANT_WRITE && error != SSL_ERROR_WANT_READ)
        return false;
    if (conn->unsent == NULL) {
        conn->unsent = malloc(len);
        if (conn->unsent == NULL)
            abort();
        memcpy(conn->unsent, data, len);
        conn->unsent_len = len;
    }
    wait_for(conn, true);
    return true;
}

static size_t gather(struct gh_drive_conn *conn, unsigned char *room, size_t size)
{
    size_t n = 0;
    while (n < WRITE_CHUNK) {
        const uint8_t *data;
        ssize_t got = nghttp2_session_mem_send(conn->h2, &data);
        if (got <= 0)
            break;
        if ((size_t)got > size - n)
            abort();
        memcpy(room + n, data, (size_t)got);
        n += (size_t)got;
    }
    return n;
}

static bool send_due(struct gh_drive_conn *conn)
{
    static unsigned char chunk[1 << 16];
    if (conn->unsent != NULL) {
        unsigned char *unsent = conn->unsent;
        int written = SSL_write(conn->ssl, unsent, (int)conn->unsent_len);
        if (written <= 0) {
            int error = SSL_get_error(conn->ssl, written);
            return error == SSL_ERROR_WANT_WRITE || error == SSL_ERROR_WANT_READ;
        }
        free(unsent);
        conn->unsent = NULL;
    }
    for (;;) {
        size_t n = gather(conn, chunk, sizeof(chunk));
        if (n == 0) {
            wait_for(conn, false);
            return true;
        }
        if (!write_tls(conn, chunk, n))
            return false;
        if (conn->unsent != NULL)
            return true;
    }
}

/* Reads what there is; false when the connection has ended. */
static bool take_input(struct gh_drive_conn *conn)
{
    static unsigned char input[1 << 15];
    for (;;) {
        int got = SSL_read(conn->ssl, input, sizeof(input));
        if (got <= 0) {
            int error = SSL_get_error(conn->ssl, got);
            return error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE;
        }
        if (nghttp2_session_mem_recv(conn->h2, input, (size_t)got) < 0)
            return false;
        if (got < 1000 && !SSL_has_pending(conn->ssl))
            return true; /* level triggered: saves a read that would find nothing */
    }
}

/* 1: done, 0: goes on, -1: failed. */
static int handshake(struct gh_drive_conn *conn)
{
    int done = SSL_do_handshake(conn->ssl);
    if (done == 1)
        return 1;
    int error = SSL_get_error(conn->ssl, done);
    if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE)
        return -1;
    wait_for(conn, error == SSL_ERROR_WANT_WRITE);
    return 0;
}

void gh_drive_conn_run(struct gh_drive_conn *conn)
{
    if (conn->state == GH_CONN_CLOSED)
        return;
    ERR_clear_error(); /* SSL_get_error looks at the thread's queue, which another connection may have left
                          full */
    if (conn->state == GH_CONN_CONNECTING) {
        int error = 0;
        socklen_t len = sizeof(error);
        getsockopt(conn->fd, SOL_SOCKET, SO_ERROR, &error, &len);
        if (error != 0) {
            gh_drive_conn_close(conn, true);
            return;
        }
        conn->state = GH_CONN_HANDSHAKE;
    }
    if (conn->state == GH_CONN_HANDSHAKE) {
        int done = handshake(conn);
        if (done < 0)
            gh_drive_conn_close(conn, true);
        if (done <= 0)
            return;
        begin_http2(conn);
        if (!send_due(conn)) {
            gh_drive_conn_close(conn, true);
            return;
        }
    }
    bool alive = take_input(conn);
    if (alive && conn->drive->plan.mode == GH_DRIVE_CONNECTS && conn->answered) {
        nghttp2_session_terminate_session(conn->h2, NGHTTP2_NO_ERROR);
        send_due(conn);
        gh_drive_conn_close(conn, false);
        return;
    }
    alive = alive && send_due(conn);
    bool over = conn->leaving && conn->in_flight == 0;
    if (!alive || over)
        gh_drive_conn_close(conn, conn->in_flight > 0 || conn->drive->plan.mode == GH_DRIVE_HOLD);
}

void gh_drive_conn_close(struct gh_drive_conn *conn, bool failed)
{
    struct gh_drive *drive = conn->drive;
    if (conn->state == GH_CONN_CLOSED)
        return;
    if (conn->state != GH_CONN_UP)
        drive->handshaking--;
    if (failed && drive->phase != GH_PHASE_DRAINING)
        drive->tally.errors++;
    conn->state = GH_CONN_CLOSED;
    drive->live--;
    drive->in_flight -= conn->in_flight;
    drive->tally.unanswered += conn->in_flight;
    if (!failed)
        SSL_shutdown(conn->ssl);
    SSL_free(conn->ssl);
    nghttp2_session_del(conn->h2);
    free(conn->requests);
    conn->requests = NULL;
    close(conn->fd);
    free(conn->unsent);
    conn->unsent = NULL;
}

/* ---- the run's TLS and HTTP/2 settings */

static int on_ticket(SSL *ssl, SSL_SESSION *session)
{
    struct gh_drive_conn *conn = SSL_get_app_data(ssl);
    if (!conn->drive->plan.resume)
        return 0;
    SSL_SESSION_free(conn->ticket);
    conn->ticket = session;
    return 1;
}

void gh_drive_prepare(struct gh_drive *drive)
{
    static char groups[] = "X25519:P-256";
    drive->tls = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_min_proto_version(drive->tls, TLS1_3_VERSION);
    SSL_CTX_set_ciphersuites(drive->tls, "TLS_AES_128_GCM_SHA256");
    SSL_CTX_set1_groups_list(drive->tls, groups);
    SSL_CTX_set_mode(drive->tls, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_session_cache_mode(drive->tls, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(drive->tls, on_ticket);
    SSL_CTX_set_alpn_protos(drive->tls, (const unsigned char *)"\x02h2", 3);
    nghttp2_session_callbacks_new(&drive->callbacks);
    nghttp2_session_callbacks_set_on_header_callback(drive->callbacks, on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(drive->callbacks, on_data);
    nghttp2_session_callbacks_set_on_stream_close_callback(drive->callbacks, on_close);
    nghttp2_session_callbacks_set_on_frame_recv_callback(drive->callbacks, on_frame);
}

void gh_drive_finish(struct gh_drive *drive)
{
    nghttp2_session_callbacks_del(drive->callbacks);
    for (size_t i = 0; i < drive->plan.connections; i++)
        SSL_SESSION_free(drive->conns[i].ticket);
    free(drive->conns);
    SSL_CTX_free(drive->tls);
}
