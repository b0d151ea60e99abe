/* drive_direct.c: one plain HTTP/1.1 connection to the backend: the latency that is there without any
 * gateway. */
#include "drive.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int reach(int port)
{
    int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof(to)) != 0) {
        perror("connect");
        exit(1);
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    return fd;
}

void gh_drive_direct(struct gh_drive *drive)
{
    const struct gh_drive_plan *plan = &drive->plan;
    char request[8192], answer[8192];
    int len = snprintf(request, sizeof(request),
                       "POST %s HTTP/1.1\r\nHost: %s:%d\r\nContent-Type: application/json\r\n"
                       "Content-Length: %zu\r\n\r\n%.*s",
                       plan->path, plan->host, plan->port, plan->body_len, (int)plan->body_len, plan->body);
    int fd = reach(plan->port);
    uint64_t first = gh_bench_now(), warm = first + (uint64_t)(plan->warmup * 1e9);
    for (uint64_t begun = first;
         !drive->window.open || !gh_window_is_full(&drive->window, begun, plan->seconds);) {
        /* The backend's answer is small and written at once, so one read takes it whole. */
        if (write(fd, request, (size_t)len) != len || read(fd, answer, sizeof(answer)) <= 0) {
            perror("backend");
            exit(1);
        }
        uint64_t now = gh_bench_now();
        drive->tally.exchanges++;
        if (drive->window.open) {
            drive->tally.good++;
            gh_latencies_add(&drive->window.latencies, now - begun);
            gh_window_tick(&drive->window, now, drive->tally.good);
        } else if (now >= warm) {
            gh_window_open(&drive->window);
        }
        begun = gh_bench_now();
    }
    gh_window_close(&drive->window, drive->tally.good);
    close(fd);
}
