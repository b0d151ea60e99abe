/* upstream/test_rebinding.c: whatever a name resolves to, and however that changes: what decides is the
 * address of the socket that is opened. This program answers for the resolver. */
#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/clock.h"
#include "support/certs.h"
#include "support/cm.h"
#include "support/web.h"
#include "upstream/fetch.h"

#define GOOD "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
#define NAME "idp.example"

/* ---- the resolver: libcurl asks it from a thread of its own ---- */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static const char *answers[4][4]; /* one row for each question, the last for all others */
static unsigned questions;

static void add(struct addrinfo **list, const char *text, uint16_t port)
{
    struct addrinfo *info = calloc(1, sizeof(*info) + sizeof(struct sockaddr_in6));
    struct sockaddr_in *v4 = (struct sockaddr_in *)(void *)(info + 1);
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)(void *)(info + 1);
    bool is_v4 = inet_pton(AF_INET, text, &v4->sin_addr) == 1;
    if (!is_v4 && inet_pton(AF_INET6, text, &v6->sin6_addr) != 1)
        abort();
    if (is_v4) {
        v4->sin_family = AF_INET;
        v4->sin_port = htons(port);
    } else {
        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons(port);
    }
    info->ai_family = is_v4 ? AF_INET : AF_INET6;
    info->ai_socktype = SOCK_STREAM;
    info->ai_addrlen = is_v4 ? sizeof(*v4) : sizeof(*v6);
    info->ai_addr = (struct sockaddr *)(info + 1);
    while (*list != NULL)
        list = &(*list)->ai_next;
    *list = info;
}

/* Both stand in for the C library's, for libcurl too. */
__attribute__((visibility("default"))) int getaddrinfo(const char *node, const char *service,
                                                       const struct addrinfo *hints, struct addrinfo **list)
{
    *list = NULL;
    if (node == NULL || strcmp(node, NAME) != 0)
        return EAI_NONAME;
    pthread_mutex_lock(&lock);
    unsigned row = questions < 3 ? questions : 3;
    questions++;
    while (row > 0 && answers[row][0] == NULL)
        row--;
    for (size_t i = 0; i < 4 && answers[row][i] != NULL; i++)
        add(list, answers[row][i], (uint16_t)(service != NULL ? atoi(service) : 0));
    pthread_mutex_unlock(&lock);
    return *list != NULL ? 0 : EAI_NONAME;
}

__attribute__((visibility("default"))) void freeaddrinfo(struct addrinfo *list)
{
    while (list != NULL) {
        struct addrinfo *next = list->ai_next;
        free(list);
        list = next;
    }
}

/* ---- fetches ---- */

static struct gh_loop *loop;
static struct gh_arena *arena;
static struct gh_identity *ca, *server;
static struct gh_web *web;
static struct gh_fetch_conf conf;
static struct gh_cidr here;
static enum gh_reason reason;
static bool done;

static void serve(void *ctx, const struct gh_web_request *request, struct gh_web_answer *ret_answer)
{
    *ret_answer = (struct gh_web_answer){ .bytes = GH_STR(GOOD) };
}

static void came(void *ctx, const struct gh_fetch_answer *answer)
{
    reason = answer->reason;
    done = true;
}

static int set_up(void **state)
{
    loop = gh_loop_new();
    arena = gh_arena_new(0);
    ca = gh_identity_new(&(struct gh_identity_plan){ .name = "ca", .ca = true });
    server =
        gh_identity_new(&(struct gh_identity_plan){ .name = "server", .san = "DNS:" NAME, .issuer = ca });
    web = gh_web_new(loop, server, serve, NULL);
    conf =
        (struct gh_fetch_conf){ .ca_file = gh_str_from(ca->cert_file), .timeout_ms = 3000, .max_body = 4096 };
    memset(answers, 0, sizeof(answers));
    questions = 0;
    return gh_cidr_read(GH_STR("127.0.0.1/32"), &here) == GH_OK ? 0 : -1;
}

static int tear_down(void **state)
{
    gh_web_free(web);
    gh_loop_turn(loop, 0);
    gh_loop_free(loop);
    gh_identity_free(server);
    gh_identity_free(ca);
    gh_arena_free(arena);
    return 0;
}

/* By a new fetcher, so that no connection and no answer of the resolver is used again. */
static enum gh_reason fetch(bool here_is_allowed)
{
    conf.allow = (struct gh_cidrs){ .at = &here, .count = here_is_allowed ? 1 : 0 };
    struct gh_fetcher *fetcher = gh_fetcher_new(loop, &conf);
    gh_str url = gh_arena_printf(arena, "https://" NAME ":%u/jwks", gh_web_port(web));
    done = false;
    assert_non_null(fetcher);
    assert_true(gh_fetch(fetcher, &(struct gh_fetch_request){ .url = url }, came, NULL));
    int64_t end = gh_clock_mono_ms() + 10000;
    while (!done && gh_clock_mono_ms() < end)
        gh_loop_turn(loop, 20);
    assert_true(done);
    gh_fetcher_free(fetcher);
    gh_loop_turn(loop, 0);
    return reason;
}

/* The twin first: the same server under the same name is reached where the settings list its address. */
static void a_name_is_no_way_inside(void **state)
{
    answers[0][0] = "127.0.0.1";
    assert_int_equal(fetch(true), GH_OK);
    unsigned connections = gh_web_connections(web);
    assert_int_equal(fetch(false), GH_FETCH_REFUSED);
    static const char *const inside[] = {
        "10.0.0.1", "169.254.169.254", "192.168.1.1",      "100.64.0.1",      "0.0.0.0",       "::1",
        "::",       "fd00::1",         "::ffff:127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::", "fe80::1"
    };
    for (size_t i = 0; i < GH_ARRAY_LEN(inside); i++) {
        answers[0][0] = inside[i];
        assert_int_equal(fetch(false), GH_FETCH_REFUSED);
    }
    assert_int_equal(gh_web_connections(web), connections);
}

/* One good address beside the others opens no door for them. */
static void mixed_answers(void **state)
{
    static const char *const rows[][3] = { { "10.0.0.1", "127.0.0.1", NULL },
                                           { "::1", "127.0.0.1", NULL },
                                           { "127.0.0.1", "::1", "10.0.0.1" } };
    for (size_t i = 0; i < GH_ARRAY_LEN(rows); i++) {
        memcpy(answers[0], rows[i], sizeof(rows[i]));
        unsigned connections = gh_web_connections(web);
        assert_int_not_equal(fetch(false), GH_OK);
        assert_int_equal(gh_web_connections(web), connections);
    }
}

/* Good at the first question, inside at the second: each socket is looked at for itself. */
static void a_name_that_changes(void **state)
{
    answers[0][0] = "127.0.0.1";
    answers[1][0] = "127.0.0.2";
    answers[2][0] = "127.0.0.1";
    assert_int_equal(fetch(true), GH_OK);
    assert_int_equal(fetch(true), GH_FETCH_REFUSED);
    assert_int_equal(fetch(true), GH_OK);
    assert_int_equal(questions, 3);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_name_is_no_way_inside),
        TEST(mixed_answers),
        TEST(a_name_that_changes),
    };
    return cmocka_run_group_tests_name("rebinding", tests, NULL, NULL);
}
