/* drive.c: the load driver: TLS 1.3 + HTTP/2 requests with bearer tokens against one server on loopback. */
#include "drive.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

#define HANDSHAKES_AT_ONCE 32
#define READY_WITHIN_NS    60000000000ull
#define DRAIN_WITHIN_NS    5000000000ull
#define ERRORS_MAX         1000
#define BODY_MAX           4096

static const char usage[] =
    "drive MODE -p PORT -b BODY_FILE [options]: prints one line of key=value pairs\n"
    "  requests   -c connections with -m requests in flight on each, closed loop\n"
    "  connects   -c workers, each: connect, handshake, one request, close (-R: resume the TLS session)\n"
    "  hold       -c connections, one request on each, then READY, then idle\n"
    "  streams    -c connections with -m event streams on each, then READY, then count events\n"
    "  probe      one request; its status is in the output\n"
    "  direct     one plain HTTP/1.1 connection to the backend at PORT, one request in flight\n"
    "  -t FILE    bearer tokens, one a line, used in rotation   -n N  only the first N of them\n"
    "  -D SECS    measured time; 0: until standard input ends   -W SECS  warm-up before it\n"
    "  -P PID,..  processes of the server, -B PID of the backend: their CPU time is counted\n"
    "  -C CPU,..  the CPUs of the run: slices in which others used them are left out\n"
    "  -H HOST    authority (gw.test)                           -u PATH  (/mcp)\n";

/* ---- options */

static void die(const char *what)
{
    fprintf(stderr, "drive: %s: %s\n", what, errno != 0 ? strerror(errno) : "wrong");
    exit(2);
}

static void read_tokens(struct gh_drive_plan *plan, const char *path, size_t most)
{
    FILE *file = fopen(path, "re");
    if (file == NULL)
        die(path);
    char *line = NULL;
    size_t room = 0, size = 0;
    ssize_t len;
    while (plan->token_count < most && (len = getline(&line, &size, file)) > 0) {
        line[strcspn(line, "\r\n")] = '\0';
        if (plan->token_count == room) {
            room = room > 0 ? 2 * room : 1024;
            plan->tokens = realloc(plan->tokens, room * sizeof(*plan->tokens));
        }
        plan->tokens[plan->token_count++] = strdup(line);
    }
    free(line);
    fclose(file);
    if (plan->token_count == 0)
        die(path);
}

static void read_body(struct gh_drive_plan *plan, const char *path)
{
    static char body[BODY_MAX];
    FILE *file = fopen(path, "re");
    if (file == NULL)
        die(path);
    plan->body = body;
    plan->body_len = fread(body, 1, sizeof(body), file);
    fclose(file);
    if (plan->body_len == sizeof(body))
        die("body too long");
}

static void read_pids(struct gh_pids *pids, char *list)
{
    for (char *at = strtok(list, ","); at != NULL && pids->count < GH_BENCH_PIDS_MAX; at = strtok(NULL, ","))
        pids->at[pids->count++] = atoi(at);
}

static void read_cpus(struct gh_window *window, char *list)
{
    for (char *at = strtok(list, ","); at != NULL && window->cpu_count < GH_BENCH_CPUS_MAX;
         at = strtok(NULL, ","))
        window->cpus[window->cpu_count++] = (unsigned)atoi(at);
}

static enum gh_drive_mode read_mode(const char *name)
{
    static const char *const names[] = { "requests", "connects", "hold", "streams", "probe", "direct" };
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (strcmp(names[i], name) == 0)
            return (enum gh_drive_mode)i;
    fputs(usage, stderr);
    exit(2);
}

static void read_option(struct gh_drive *drive, int option, char *value, const char **tokens, size_t *most)
{
    struct gh_drive_plan *plan = &drive->plan;
    switch (option) {
    case 'p':
        plan->port = atoi(value);
        break;
    case 'c':
        plan->connections = strtoul(value, NULL, 10);
        break;
    case 'm':
        plan->streams = strtoul(value, NULL, 10);
        break;
    case 'D':
        plan->seconds = atof(value);
        break;
    case 'W':
        plan->warmup = atof(value);
        break;
    case 'H':
        plan->host = value;
        break;
    case 'u':
        plan->path = value;
        break;
    case 'b':
        read_body(plan, value);
        break;
    case 't':
        *tokens = value;
        break;
    case 'n':
        *most = strtoul(value, NULL, 10);
        break;
    case 'R':
        plan->resume = true;
        break;
    case 'P':
        read_pids(&drive->window.server, value);
        break;
    case 'B':
        read_pids(&drive->window.backend, value);
        break;
    case 'C':
        read_cpus(&drive->window, value);
        break;
    default:
        fputs(usage, stderr);
        exit(2);
    }
}

static void read_options(struct gh_drive *drive, int argc, char **argv)
{
    struct gh_drive_plan *plan = &drive->plan;
    static char host[] = "gw.test";
    *plan =
        (struct gh_drive_plan){ .connections = 1, .streams = 1, .seconds = 1, .host = host, .path = "/mcp" };
    const char *tokens = NULL;
    size_t most = SIZE_MAX;
    int option;
    plan->mode = read_mode(argc > 1 ? argv[1] : "");
    optind = 2;
    while ((option = getopt(argc, argv, "p:c:m:D:W:H:u:b:t:n:RP:B:C:")) > 0)
        read_option(drive, option, optarg, &tokens, &most);
    errno = 0;
    if (plan->port <= 0 || plan->body_len == 0)
        die("-p and -b are needed");
    if (tokens != NULL)
        read_tokens(plan, tokens, most);
    if (plan->mode == GH_DRIVE_PROBE)
        plan->connections = 1;
    if (plan->mode != GH_DRIVE_REQUESTS && plan->mode != GH_DRIVE_STREAMS)
        plan->streams = 1;
}

/* ---- the run */

static bool keeps(const struct gh_drive *drive)
{
    return drive->plan.mode == GH_DRIVE_HOLD || drive->plan.mode == GH_DRIVE_STREAMS;
}

/* Opens connections that are due: few at once where many will stay, and again those which ended. */
static void open_due(struct gh_drive *drive)
{
    const struct gh_drive_plan *plan = &drive->plan;
    while (drive->started < plan->connections && drive->handshaking < HANDSHAKES_AT_ONCE) {
        gh_drive_conn_start(&drive->conns[drive->started], drive->started);
        drive->started++;
    }
    if (keeps(drive) || plan->mode == GH_DRIVE_PROBE || drive->phase == GH_PHASE_DRAINING)
        return;
    for (size_t i = 0; drive->live < drive->started && i < drive->started; i++)
        if (drive->conns[i].state == GH_CONN_CLOSED)
            gh_drive_conn_start(&drive->conns[i], i);
}

static bool is_open(const struct gh_drive *drive)
{
    const struct gh_drive_plan *plan = &drive->plan;
    const struct gh_drive_tally *tally = &drive->tally;
    switch (plan->mode) {
    case GH_DRIVE_REQUESTS:
        return drive->started == plan->connections && drive->handshaking == 0;
    case GH_DRIVE_HOLD:
        return drive->answered_conns + tally->errors >= plan->connections;
    case GH_DRIVE_STREAMS:
        return tally->exchanges + tally->errors >= plan->connections * plan->streams;
    case GH_DRIVE_CONNECTS:
    case GH_DRIVE_PROBE:
    case GH_DRIVE_DIRECT:
        break;
    }
    return true;
}

static void announce(const struct gh_drive *drive)
{
    if (keeps(drive))
        printf("READY live=%zu exchanges=%llu errors=%llu\n", drive->live,
               (unsigned long long)drive->tally.exchanges, (unsigned long long)drive->tally.errors);
}

static bool is_over(const struct gh_drive *drive, uint64_t now)
{
    if (drive->tally.errors > ERRORS_MAX)
        return true;
    if (drive->plan.mode == GH_DRIVE_PROBE)
        return drive->answered_conns > 0 || drive->tally.errors > 0;
    return drive->plan.seconds > 0 && gh_window_is_full(&drive->window, now, drive->plan.seconds);
}

/* Moves to the next phase when it is time. */
static void phase_move(struct gh_drive *drive, uint64_t now, uint64_t *since)
{
    uint64_t units = drive->tally.good + drive->tally.bad;
    enum gh_drive_phase was = drive->phase;
    switch (drive->phase) {
    case GH_PHASE_OPENING:
        if (is_open(drive) || now - *since > READY_WITHIN_NS || drive->tally.errors > ERRORS_MAX) {
            announce(drive);
            drive->phase = GH_PHASE_WARMING;
        }
        break;
    case GH_PHASE_WARMING:
        if (now - *since >= (uint64_t)(drive->plan.warmup * 1e9)) {
            gh_window_open(&drive->window);
            drive->phase = GH_PHASE_MEASURING;
        }
        break;
    case GH_PHASE_MEASURING:
        gh_window_tick(&drive->window, now, units);
        if (is_over(drive, now)) {
            gh_window_close(&drive->window, units);
            drive->phase = GH_PHASE_DRAINING;
        }
        break;
    case GH_PHASE_DRAINING:
        break;
    }
    if (drive->phase != was)
        *since = now;
}

static void close_all(struct gh_drive *drive)
{
    drive->phase = GH_PHASE_DRAINING;
    for (size_t i = 0; i < drive->started; i++)
        gh_drive_conn_close(&drive->conns[i], false);
}

/* Standard input ends a run that holds connections: the one who started it has seen what was wanted. */
static void watch_input(struct gh_drive *drive)
{
    struct epoll_event event = { .events = EPOLLIN, .data.ptr = NULL };
    if (drive->plan.seconds <= 0 && epoll_ctl(drive->epoll, EPOLL_CTL_ADD, STDIN_FILENO, &event) != 0)
        die("standard input must be a pipe");
}

static void run(struct gh_drive *drive)
{
    static struct epoll_event events[512];
    uint64_t since = gh_bench_now();
    bool stopped = false;
    watch_input(drive);
    while (!stopped) {
        open_due(drive);
        uint64_t now = gh_bench_now();
        phase_move(drive, now, &since);
        if (drive->phase == GH_PHASE_DRAINING)
            stopped =
                keeps(drive) || drive->in_flight + drive->handshaking == 0 || now - since > DRAIN_WITHIN_NS;
        int n = epoll_wait(drive->epoll, events, 512, 10);
        for (int i = 0; i < n; i++) {
            if (events[i].data.ptr != NULL)
                gh_drive_conn_run(events[i].data.ptr);
            else
                stopped = true;
        }
    }
    if (drive->window.open)
        gh_window_close(&drive->window, drive->tally.good + drive->tally.bad);
    close_all(drive);
}

static void print(struct gh_drive *drive)
{
    const struct gh_drive_tally *t = &drive->tally;
    gh_window_print(&drive->window);
    printf(" good=%llu bad=%llu errors=%llu exchanges=%llu opened=%llu resumed=%llu refused=%llu"
           " unanswered=%llu status=%d\n",
           (unsigned long long)t->good, (unsigned long long)t->bad, (unsigned long long)t->errors,
           (unsigned long long)t->exchanges, (unsigned long long)t->opened, (unsigned long long)t->resumed,
           (unsigned long long)t->refused, (unsigned long long)t->unanswered, t->last_status);
}

int main(int argc, char **argv)
{
    static struct gh_drive drive;
    struct rlimit files;
    signal(SIGPIPE, SIG_IGN);
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
    read_options(&drive, argc, argv);
    if (drive.plan.mode == GH_DRIVE_DIRECT) {
        gh_drive_direct(&drive);
    } else {
        gh_drive_prepare(&drive);
        drive.epoll = epoll_create1(EPOLL_CLOEXEC);
        drive.conns = calloc(drive.plan.connections, sizeof(*drive.conns));
        if (drive.conns == NULL)
            die("memory");
        for (size_t i = 0; i < drive.plan.connections; i++)
            drive.conns[i].drive = &drive;
        run(&drive);
        gh_drive_finish(&drive);
    }
    print(&drive);
    return 0;
}
