/* bench/src/store.c: durable commits a second, one after another and many at once. Run by hand: FILE
 * [SECONDS]. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/str.h"
#include "store/store.h"

#define IN_FLIGHT_MAX 256

struct bench {
    struct gh_store_client *client;
    uint64_t done, failed, started;
    unsigned in_flight;
    int64_t until_ms;
};

static void commit_next(struct bench *bench);

static void on_done(void *ctx, const struct gh_store_answer *answer)
{
    struct bench *bench = ctx;
    bench->done++;
    bench->failed += answer->reason != GH_OK;
    if (gh_clock_mono_ms() < bench->until_ms)
        commit_next(bench);
}

/* As the token endpoint does it: a code is consumed, a family and a token are written. */
static void commit_next(struct bench *bench)
{
    static const gh_str value =
        GH_STR_INIT("{\"client\":\"https://app.example/oauth/"
                    "client.json\",\"sub\":\"usr_0123456789abcdef\",\"scope\":\"files:read\","
                    "\"resource\":\"https://gw.example/mcp/files\",\"generation\":7,\"used_at\":1795300000}");
    char keys[3][48];
    struct gh_effects effects = { 0 };
    uint64_t n = bench->started++ + bench->in_flight * 1000000000ull; /* no run meets the rows of another */
    for (int i = 0; i < 3; i++) {
        int len = snprintf(keys[i], sizeof(keys[i]), "kind%d/%020llu", i, (unsigned long long)n);
        gh_str key = gh_str_of(keys[i], (size_t)len);
        if (gh_effects_expect(&effects, key, 0) != GH_OK ||
            (i == 0 ? gh_effects_delete(&effects, key) : gh_effects_write(&effects, key, value, 1)) != GH_OK)
            exit(1);
    }
    if (gh_store_commit(bench->client, GH_STR("acme"), &effects, 0, on_done, bench) == NULL)
        exit(1);
}

static void run(struct gh_store *store, unsigned in_flight, int64_t seconds)
{
    struct gh_loop *loop = gh_loop_new();
    struct bench bench = { .in_flight = in_flight, .until_ms = gh_clock_mono_ms() + seconds * 1000 };
    struct gh_mailbox *mailbox = gh_mailbox_new(loop, NULL);
    bench.client = gh_store_client_new(store, mailbox);
    int64_t began = gh_clock_mono_ns();
    for (unsigned i = 0; i < in_flight; i++)
        commit_next(&bench);
    while (bench.done < bench.started)
        gh_loop_turn(loop, 1000);
    double took = (double)(gh_clock_mono_ns() - began) / 1e9;
    (void)printf("%3u in flight: %.0f commits/s, %.2f ms each, %llu failed\n", in_flight,
                 (double)bench.done / took, took * 1000 * in_flight / (double)bench.done,
                 (unsigned long long)bench.failed);
    gh_store_client_free(bench.client);
    gh_mailbox_free(mailbox);
    gh_loop_free(loop);
}

int main(int argc, char **argv)
{
    static const unsigned in_flight[] = { 1, 8, 64, IN_FLIGHT_MAX };
    char url[4096], *why = NULL;
    struct gh_store *store = NULL;
    (void)snprintf(url, sizeof(url), "sqlite:%s", argc > 1 ? argv[1] : "bench-store.db");
    const struct gh_store_conf conf = {
        .url = gh_str_from(url), .queue_max = 1024, .busy_ms = 1000, .sweep_s = 3600, .log_poll_ms = 50
    };
    if (gh_store_open(&conf, &store, &why) != GH_OK || !gh_store_start(store)) {
        (void)fprintf(stderr, "%s\n", why != NULL ? why : "out of memory");
        free(why);
        return 1;
    }
    for (size_t i = 0; i < GH_ARRAY_LEN(in_flight); i++)
        run(store, in_flight[i], argc > 2 ? strtol(argv[2], NULL, 10) : 3);
    gh_store_close(store);
    return 0;
}
