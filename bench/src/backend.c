/* backend.c: the upstream of the benchmark: a fast HTTP/1.1 keep-alive server on loopback, one thread, epoll.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* A request whose body holds "stream_ms":N is answered with an event stream that sends one event each N ms,
 * each with the monotonic time of its sending; any other with a fixed JSON-RPC result. Bodies come with a
 * length or in chunks, and small: a request fits the buffer, or the connection is closed. */
#define REQUEST_MAX 6144
#define EVENTS      256

struct conn {
    int fd;
    unsigned period_ms; /* 0: no event stream */
    uint64_t due, sent;
    size_t place; /* in the heap, valid while period_ms is set */
    size_t len;
    char buf[REQUEST_MAX];
};

/* ---- event streams by due time: a binary heap, the earliest first */

static struct conn **heap;
static size_t heap_count, heap_room;

static uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000ull + (uint64_t)t.tv_nsec;
}

static void put(size_t i, struct conn *conn)
{
    heap[i] = conn;
    conn->place = i;
}

static void rise(size_t i)
{
    struct conn *conn = heap[i];
    for (; i > 0 && heap[(i - 1) / 2]->due > conn->due; i = (i - 1) / 2)
        put(i, heap[(i - 1) / 2]);
    put(i, conn);
}

static void sink(size_t i)
{
    struct conn *conn = heap[i];
    for (size_t child; (child = 2 * i + 1) < heap_count; i = child) {
        if (child + 1 < heap_count && heap[child + 1]->due < heap[child]->due)
            child++;
        if (heap[child]->due >= conn->due)
            break;
        put(i, heap[child]);
    }
    put(i, conn);
}

static void heap_add(struct conn *conn)
{
    if (heap_count == heap_room) {
        heap_room = heap_room > 0 ? 2 * heap_room : 1024;
        heap = realloc(heap, heap_room * sizeof(struct conn *));
        if (heap == NULL)
            abort();
    }
    put(heap_count, conn);
    rise(heap_count++);
}

static void heap_remove(struct conn *conn)
{
    struct conn *last = heap[--heap_count];
    if (last == conn)
        return;
    put(conn->place, last);
    rise(last->place);
    sink(last->place);
}

static void conn_free(struct conn *conn)
{
    if (conn->period_ms > 0)
        heap_remove(conn);
    close(conn->fd);
    free(conn);
}

/* ---- requests */

static const char result[] =
    "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"content\":[{\"type\":\"text\",\"text\":\"The quick brown "
    "fox jumps "
    "over the lazy dog; 72 degrees and sunny in San Francisco today, light wind.\"}],\"isError\":false}}";
static const char stream_head[] =
    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-cache\r\n"
    "X-Accel-Buffering: no\r\nTransfer-Encoding: chunked\r\n\r\n";
static char answer[1024];
static size_t answer_len;

static bool send_all(struct conn *conn, const char *data, size_t len)
{
    return write(conn->fd, data, len) ==
           (ssize_t)len; /* far below a socket buffer: a short write is a dead peer */
}

/* Length of the complete request at the front of the buffer, 0 while it is incomplete. */
static size_t request_len(const struct conn *conn, const char **ret_body)
{
    const char *head_end = memmem(conn->buf, conn->len, "\r\n\r\n", 4);
    if (head_end == NULL)
        return 0;
    size_t head = (size_t)(head_end - conn->buf) + 4, body = 0;
    bool chunked = false;
    const char *line = memchr(conn->buf, '\n', head);
    while (line != NULL && line < head_end) {
        line++;
        if (strncasecmp(line, "content-length:", 15) == 0)
            body = strtoul(line + 15, NULL, 10);
        else if (strncasecmp(line, "transfer-encoding:", 18) == 0)
            chunked = true;
        line = memchr(line, '\n', (size_t)(head_end + 2 - line));
    }
    *ret_body = conn->buf + head;
    if (chunked) {
        const char *end = memmem(*ret_body - 2, conn->len - head + 2, "\r\n0\r\n\r\n", 7);
        return end != NULL ? (size_t)(end - conn->buf) + 7 : 0;
    }
    return conn->len >= head + body ? head + body : 0;
}

static bool stream_begin(struct conn *conn, unsigned period_ms)
{
    conn->period_ms = period_ms;
    /* A random first phase, so that streams do not send in step. */
    conn->due = now_ns() + (uint64_t)random() % ((uint64_t)period_ms * 1000000);
    heap_add(conn);
    return send_all(conn, stream_head, sizeof(stream_head) - 1);
}

static bool answer_one(struct conn *conn, const char *body, size_t body_len)
{
    const char *mark = memmem(body, body_len, "\"stream_ms\":", 12);
    unsigned long period = mark != NULL ? strtoul(mark + 12, NULL, 10) : 0;
    if (period > 0)
        return stream_begin(conn, (unsigned)period);
    return send_all(conn, answer, answer_len);
}

/* Answers what is complete; false when the connection is at its end. */
static bool take_input(struct conn *conn)
{
    ssize_t got = read(conn->fd, conn->buf + conn->len, sizeof(conn->buf) - 1 - conn->len);
    if (got < 0 && errno == EAGAIN)
        return true;
    if (got <= 0)
        return false;
    if (conn->period_ms > 0)
        return true; /* nothing is expected beside an event stream */
    conn->len += (size_t)got;
    conn->buf[conn->len] = '\0';
    const char *body = NULL;
    for (size_t len; conn->len > 0 && (len = request_len(conn, &body)) > 0;) {
        if (!answer_one(conn, body, (size_t)(conn->buf + len - body)))
            return false;
        memmove(conn->buf, conn->buf + len, conn->len - len);
        conn->len -= len;
        if (conn->period_ms > 0)
            conn->len = 0;
    }
    return conn->len < sizeof(conn->buf) - 1;
}

static bool send_event(struct conn *conn, uint64_t now)
{
    char event[512], chunk[600];
    int len = snprintf(event, sizeof(event),
                       "event: message\ndata: {\"t\":%019llu,\"seq\":%llu,\"jsonrpc\":\"2.0\",\"method\":"
                       "\"notifications/progress\",\"params\":{\"progressToken\":\"abc123\",\"progress\":50,"
                       "\"total\":100,\"message\":\"working\"}}\n\n",
                       (unsigned long long)now, (unsigned long long)conn->sent++);
    int chunk_len = snprintf(chunk, sizeof(chunk), "%x\r\n%s\r\n", (unsigned)len, event);
    return send_all(conn, chunk, (size_t)chunk_len);
}

static void send_due_events(void)
{
    uint64_t now;
    while (heap_count > 0 && heap[0]->due <= (now = now_ns())) {
        struct conn *conn = heap[0];
        if (!send_event(conn, now)) {
            conn_free(conn);
            continue;
        }
        conn->due += (uint64_t)conn->period_ms * 1000000;
        sink(0);
    }
}

/* ---- sockets */

static void accept_all(int listener, int epoll)
{
    int one = 1, fd;
    for (int i = 0; i < EVENTS && (fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0;
         i++) {
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
        struct conn *conn = calloc(1, sizeof(*conn));
        if (conn == NULL)
            abort();
        conn->fd = fd;
        struct epoll_event event = { .events = EPOLLIN, .data.ptr = conn };
        epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
    }
}

static int listen_on(int port)
{
    int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    if (bind(fd, (struct sockaddr *)&address, sizeof(address)) != 0 || listen(fd, 4096) != 0) {
        perror("backend: listen");
        exit(1);
    }
    return fd;
}

static int wait_ms(void)
{
    if (heap_count == 0)
        return -1;
    uint64_t now = now_ns();
    return heap[0]->due <= now ? 0 : (int)((heap[0]->due - now) / 1000000 + 1);
}

int main(int argc, char **argv)
{
    static struct epoll_event events[EVENTS];
    struct rlimit files;
    signal(SIGPIPE, SIG_IGN);
    if (argc != 2) {
        fputs("backend PORT\n", stderr);
        return 2;
    }
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
    answer_len = (size_t)snprintf(answer, sizeof(answer),
                                  "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                                  "Content-Length: %zu\r\n\r\n%s",
                                  sizeof(result) - 1, result);
    int listener = listen_on(atoi(argv[1])), epoll = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event = { .events = EPOLLIN, .data.ptr = NULL };
    epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event);
    for (;;) {
        int n = epoll_wait(epoll, events, EVENTS, wait_ms());
        for (int i = 0; i < n; i++) {
            struct conn *conn = events[i].data.ptr;
            if (conn == NULL)
                accept_all(listener, epoll);
            else if (!take_input(conn))
                conn_free(conn);
        }
        send_due_events();
    }
}
