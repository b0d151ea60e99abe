/* bench/src/index.c: what the revocation index costs, against its marks: time of a look-up in a million
 * entries, memory of ten million. Run by hand: [ROUNDS]. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/str.h"
#include "store/index.h"

#define TIMED     1000000u
#define HELD      10000000u
#define LOOKUPS   400000u /* a round */
#define REQUESTS  100000u
#define ROUNDS    15u /* at least so many count */
#define EPOCH     1000
#define MARK_NS   400.0
#define MARK_MIB  1024.0
#define ROUND_MAX 1000u

/* Keys and questions of a round are made before the clock runs: a gateway keeps them with the verdict. */
struct bench {
    uint64_t entries, state; /* of the random numbers */
    struct gh_index *index;
    struct gh_revocation_key *lookups;
    struct gh_dependencies *requests;
    double lookup_ns[ROUND_MAX], request_ns[ROUND_MAX];
};

static uint64_t mix(uint64_t x)
{
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return x ^ x >> 31;
}

static uint64_t any(struct bench *bench, uint64_t below)
{
    return mix(bench->state += 0x9e3779b97f4a7c15u) % below;
}

/* ---- entries: in eight of them three tokens, three grants, a user and one of the rare kinds */

static enum gh_revoked level_of(uint64_t i)
{
    static const enum gh_revoked levels[] = { GH_REVOKED_TOKEN, GH_REVOKED_GRANT, GH_REVOKED_TOKEN,
                                              GH_REVOKED_GRANT, GH_REVOKED_TOKEN, GH_REVOKED_GRANT,
                                              GH_REVOKED_USER };
    static const enum gh_revoked rare[] = { GH_REVOKED_CLIENT, GH_REVOKED_AGENT, GH_REVOKED_INSTANCE,
                                            GH_REVOKED_TENANT };
    return i % 8 < GH_ARRAY_LEN(levels) ? levels[i % 8] : rare[i / 8 % GH_ARRAY_LEN(rare)];
}

/* They repeat after 32. */
static uint64_t first_of_level(enum gh_revoked level)
{
    uint64_t i = 0;
    while (level_of(i) != level)
        i++;
    return i;
}

static bool is_id(enum gh_revoked level)
{
    return level == GH_REVOKED_TOKEN || level == GH_REVOKED_GRANT;
}

static struct gh_revocation_key key_of(uint64_t i)
{
    char name[64];
    enum gh_revoked level = level_of(i);
    bool is_tenant = level == GH_REVOKED_TENANT;
    int len = snprintf(name, sizeof(name), "%016llx%016llx", (unsigned long long)mix(2 * i + 1),
                       (unsigned long long)mix(2 * i + 2));
    gh_str id = gh_str_of(name, (size_t)len);
    const struct gh_revocation revocation = { .level = level,
                                              .tenant = is_tenant ? id : GH_STR("acme"),
                                              .issuer_name = is_tenant ? GH_STR("") : GH_STR("house"),
                                              .id = is_tenant ? GH_STR("") : id };
    struct gh_revocation_key key;
    if (gh_revocation_key(&revocation, &key) != GH_OK)
        abort();
    return key;
}

static void fill_up(struct bench *bench, uint64_t entries)
{
    for (; bench->entries < entries; bench->entries++) {
        struct gh_revocation_key key = key_of(bench->entries);
        int64_t epoch = is_id(level_of(bench->entries)) ? GH_REVOKED_ALWAYS : EPOCH;
        gh_index_quiet(bench->index, 0);
        if (!gh_index_add(bench->index, &key, epoch, GH_REVOKED_ALWAYS)) {
            (void)fprintf(stderr, "bench-index: out of memory at %llu entries\n",
                          (unsigned long long)bench->entries);
            exit(1);
        }
    }
    gh_index_quiet(bench->index,
                   0); /* the last table that was replaced goes, as at the next news of the log */
    gh_index_caught_up(bench->index, (int64_t)entries);
}

/* ---- time */

/* Of this thread alone: neighbours on the machine cost cache, but no time here. */
static double cpu_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

/* A key of that level, one of the entries or none of them. */
static struct gh_revocation_key pick(struct bench *bench, enum gh_revoked level, bool is_hit)
{
    uint64_t i = any(bench, bench->entries / 32) * 32 + first_of_level(level);
    return key_of(is_hit ? i : i + (1ull << 40));
}

/* What follows begins when all before it has been answered: a processor would overlap look-ups that follow
 * upon each other in a loop, and no gateway has them so. */
#if defined(__x86_64__)
static void wait_for_all(void)
{
    __builtin_ia32_lfence();
}
#else
static void wait_for_all(void)
{
}
#endif

/* Half of them hits. */
static double time_lookups(struct bench *bench)
{
    for (size_t i = 0; i < LOOKUPS; i++)
        bench->lookups[i] = key_of(any(bench, bench->entries) + (any(bench, 2) == 0 ? 1ull << 40 : 0));
    uint64_t hits = 0;
    double began = cpu_ns();
    for (uint64_t i = 0; i < LOOKUPS; i++) {
        hits += gh_index_epoch(bench->index, &bench->lookups[i]) != 0;
        wait_for_all();
    }
    double took = (cpu_ns() - began) / LOOKUPS;
    if (hits < LOOKUPS * 49 / 100 || hits > LOOKUPS * 51 / 100)
        abort();
    return took;
}

/* As of a principal: tenant, user, client, grant and token, of every second an agent or an instance too. Of
 * every second the user was revoked before, and has signed in anew; one in ten is refused for its grant. */
static void compose(struct bench *bench, struct gh_dependencies *request, bool is_refused)
{
    static const enum gh_revoked often[] = { GH_REVOKED_TENANT, GH_REVOKED_CLIENT, GH_REVOKED_TOKEN };
    unsigned count = 0;
    for (size_t i = 0; i < GH_ARRAY_LEN(often); i++)
        request->at[count++] = pick(bench, often[i], false);
    request->at[count++] = pick(bench, GH_REVOKED_USER, any(bench, 2) == 0);
    if (any(bench, 2) == 0)
        request->at[count++] =
            pick(bench, any(bench, 2) == 0 ? GH_REVOKED_AGENT : GH_REVOKED_INSTANCE, false);
    request->at[count++] = pick(bench, GH_REVOKED_GRANT, is_refused);
    request->count = count;
    request->issued = EPOCH + 1;
}

static double time_requests(struct bench *bench)
{
    uint64_t expected = 0, refused = 0;
    for (size_t i = 0; i < REQUESTS; i++) {
        bool is_refused = any(bench, 10) == 0;
        compose(bench, &bench->requests[i], is_refused);
        expected += is_refused;
    }
    double began = cpu_ns();
    for (uint64_t i = 0; i < REQUESTS; i++) {
        refused += gh_index_ask(bench->index, &bench->requests[i]) == GH_TOKEN_REVOKED;
        wait_for_all();
    }
    double took = (cpu_ns() - began) / REQUESTS;
    if (refused != expected)
        abort();
    return took;
}

/* ---- figures */

static int by_size(const void *left, const void *right)
{
    double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

/* Sorts; answers the median. */
static double say_times(const char *what, double *times, unsigned rounds)
{
    qsort(times, rounds, sizeof(*times), by_size);
    (void)printf("%-26s median %4.0f ns, quartiles %4.0f to %4.0f, range %4.0f to %4.0f\n", what,
                 times[rounds / 2], times[rounds / 4], times[rounds - 1 - rounds / 4], times[0],
                 times[rounds - 1]);
    return times[rounds / 2];
}

/* The median of a single look-up. */
static double say_rounds(struct bench *bench, unsigned rounds)
{
    for (unsigned i = 0; i < rounds; i++) {
        bench->lookup_ns[i] = time_lookups(bench);
        bench->request_ns[i] = time_requests(bench);
    }
    (void)printf("%llu entries, %u rounds of %u look-ups and %u requests\n",
                 (unsigned long long)gh_index_count(bench->index), rounds, LOOKUPS, REQUESTS);
    double median = say_times("one look-up, half hits", bench->lookup_ns, rounds);
    (void)say_times("a request, 5.5 look-ups", bench->request_ns, rounds);
    return median;
}

/* A line of /proc/self/status, in MiB. */
static double status_mib(const char *name)
{
    char line[256];
    double kib = 0;
    FILE *file = fopen("/proc/self/status", "re");
    while (file != NULL && fgets(line, sizeof(line), file) != NULL)
        if (strncmp(line, name, strlen(name)) == 0)
            kib = strtod(line + strlen(name), NULL);
    if (file == NULL || kib <= 0)
        abort();
    (void)fclose(file);
    return kib / 1024;
}

static bool say_mark(bool holds, const char *mark, double is, const char *unit)
{
    (void)printf("mark %s: %s: %.0f %s\n", holds ? "held" : "MISSED", mark, is, unit);
    return holds;
}

int main(int argc, char **argv)
{
    unsigned long rounds = argc > 1 ? strtoul(argv[1], NULL, 10) : ROUNDS;
    static struct bench bench; /* of chance that is the same each time */
    bench.lookups = calloc(LOOKUPS, sizeof(*bench.lookups));
    bench.requests = calloc(REQUESTS, sizeof(*bench.requests));
    if (rounds < 1 || rounds > ROUND_MAX || bench.lookups == NULL || bench.requests == NULL) {
        (void)fprintf(stderr, "usage: bench-index [ROUNDS], 1 to %u of them\n", ROUND_MAX);
        return 1;
    }
    memset(bench.lookups, 1, LOOKUPS * sizeof(*bench.lookups)); /* no part of what the index takes */
    memset(bench.requests, 1, REQUESTS * sizeof(*bench.requests));
    double before = status_mib("VmRSS:");
    bench.index = gh_index_new(1);
    if (bench.index == NULL)
        return 1;
    fill_up(&bench, TIMED);
    double ns = say_rounds(&bench, (unsigned)rounds);
    fill_up(&bench, HELD);
    double held = status_mib("VmRSS:") - before, most = status_mib("VmHWM:") - before;
    (void)say_rounds(&bench, (unsigned)rounds);
    (void)printf("resident for them %.0f MiB, %.1f bytes an entry; at most %.0f MiB, while the table grew\n",
                 held, held * 1048576 / HELD, most);
    gh_index_free(bench.index);
    free(bench.lookups);
    free(bench.requests);
    bool holds = say_mark(ns <= MARK_NS, "a look-up in 1 million entries at most 0.4 us", ns, "ns");
    holds = say_mark(most <= MARK_MIB, "10 million entries within 1 GiB, growing too", most, "MiB") && holds;
    if (rounds < ROUNDS)
        (void)printf("fewer than %u rounds decide nothing\n", ROUNDS);
    return holds ? 0 : 1;
}
