/* Letters from many threads, jobs on offload threads, names resolved there: nothing lost, all in the owner's
 * thread. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/str.h"
#include "io/resolve.h"

enum { SENDERS = 4, LETTERS = 3000 };

static struct gh_loop *loop;
static struct gh_mailbox *mailbox;
static pthread_t owner_thread;
static atomic_uint discarded;

struct count {
    unsigned opened;
    unsigned last[SENDERS]; /* letters of one sender arrive in order */
};
static struct count count;

struct numbered {
    struct gh_letter letter;
    unsigned sender, number;
};

static int set_up(void **state)
{
    count = (struct count){ 0 };
    atomic_store(&discarded, 0);
    owner_thread = pthread_self();
    loop = gh_loop_new();
    mailbox = gh_mailbox_new(loop, &count);
    assert_non_null(mailbox);
    return 0;
}

static int tear_down(void **state)
{
    gh_mailbox_free(mailbox);
    gh_loop_free(loop);
    return 0;
}

static void open_numbered(struct gh_letter *letter, void *owner)
{
    struct numbered *numbered = GH_LIST_ENTRY(letter, struct numbered, letter);
    struct count *counted = owner;
    assert_true(pthread_equal(pthread_self(), owner_thread));
    assert_int_equal(numbered->number, counted->last[numbered->sender] + 1);
    counted->last[numbered->sender] = numbered->number;
    counted->opened++;
    free(numbered);
}

static void discard_numbered(struct gh_letter *letter)
{
    atomic_fetch_add(&discarded, 1);
    free(GH_LIST_ENTRY(letter, struct numbered, letter));
}

static void post_numbered(unsigned sender, unsigned number)
{
    struct numbered *numbered = malloc(sizeof(*numbered));
    *numbered = (struct numbered){ .letter = { .open = open_numbered, .discard = discard_numbered },
                                   .sender = sender,
                                   .number = number };
    gh_mailbox_post(mailbox, &numbered->letter);
}

static void *send_many(void *arg)
{
    for (unsigned i = 1; i <= LETTERS; i++)
        post_numbered((unsigned)(uintptr_t)arg, i);
    return NULL;
}

static void test_no_letter_is_lost(void **state)
{
    pthread_t threads[SENDERS];
    for (uintptr_t i = 0; i < SENDERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, send_many, (void *)i), 0);
    for (int i = 0; i < 100000 && count.opened < SENDERS * LETTERS; i++)
        gh_loop_turn(loop, 100);
    for (int i = 0; i < SENDERS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(count.opened, SENDERS * LETTERS);
}

static void close_mailbox(struct gh_letter *letter, void *owner)
{
    gh_mailbox_free(mailbox);
    mailbox = NULL;
    free(letter);
}

static void test_a_letter_may_close_the_mailbox(void **state)
{
    struct gh_letter *closing = malloc(sizeof(*closing));
    *closing = (struct gh_letter){ .open = close_mailbox };
    post_numbered(0, 1);
    gh_mailbox_post(mailbox, closing);
    post_numbered(0, 2);
    post_numbered(0, 3);
    gh_loop_turn(loop, 100);
    assert_int_equal(count.opened, 1);
    assert_int_equal(atomic_load(&discarded), 2);
}

/* ---- jobs ---- */

struct square {
    struct gh_job job;
    unsigned in, out;
};

static unsigned sum;

static void work_square(struct gh_job *job)
{
    struct square *square = GH_LIST_ENTRY(job, struct square, job);
    assert_false(pthread_equal(pthread_self(), owner_thread));
    square->out = square->in * square->in;
}

static void open_square(struct gh_letter *letter, void *owner)
{
    struct square *square = GH_LIST_ENTRY(letter, struct square, job.letter);
    sum += square->out;
    ((struct count *)owner)->opened++;
    free(square);
}

static void discard_square(struct gh_letter *letter)
{
    atomic_fetch_add(&discarded, 1);
    free(GH_LIST_ENTRY(letter, struct square, job.letter));
}

static struct square *square_of(unsigned in, void (*work)(struct gh_job *job))
{
    struct square *square = malloc(sizeof(*square));
    *square = (struct square){ .job = { .letter = { .open = open_square, .discard = discard_square },
                                        .reply_to = mailbox,
                                        .work = work },
                               .in = in };
    return square;
}

static void test_jobs_come_back(void **state)
{
    struct gh_offload *offload = gh_offload_new(3, 1000);
    assert_true(gh_offload_start(offload));
    sum = 0;
    for (unsigned i = 1; i <= 500; i++)
        assert_true(gh_offload_submit(offload, GH_OFFLOAD_FIRST, &square_of(i, work_square)->job));
    for (int i = 0; i < 10000 && count.opened < 500; i++)
        gh_loop_turn(loop, 100);
    assert_int_equal(sum, 500u * 501 * 1001 / 6);
    gh_offload_free(offload);
}

static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
static atomic_bool at_gate;

static void work_at_gate(struct gh_job *job)
{
    atomic_store(&at_gate, true);
    pthread_mutex_lock(&gate);
    pthread_mutex_unlock(&gate);
}

static void *open_gate_when_stopping(void *arg)
{
    pthread_mutex_unlock(&gate);
    return NULL;
}

static void test_the_queue_is_bounded_and_its_rest_discarded(void **state)
{
    struct gh_offload *offload = gh_offload_new(1, 2);
    assert_true(gh_offload_start(offload));
    atomic_store(&at_gate, false);
    pthread_mutex_lock(&gate);
    assert_true(gh_offload_submit(offload, GH_OFFLOAD_FIRST, &square_of(0, work_at_gate)->job));
    while (!atomic_load(&at_gate))
        sched_yield();
    assert_true(gh_offload_submit(offload, GH_OFFLOAD_FIRST, &square_of(0, work_at_gate)->job));
    assert_true(gh_offload_submit(offload, GH_OFFLOAD_FIRST, &square_of(0, work_at_gate)->job));
    struct square *too_much = square_of(0, work_at_gate);
    assert_false(gh_offload_submit(offload, GH_OFFLOAD_FIRST, &too_much->job));
    free(too_much); /* still ours */
    open_gate_when_stopping(NULL);
    gh_offload_free(offload);
    gh_loop_turn(loop, 0);
    assert_int_equal(count.opened + atomic_load(&discarded), 3);
}

static unsigned order[4], in_order;

static void open_in_order(struct gh_letter *letter, void *owner)
{
    struct square *square = GH_LIST_ENTRY(letter, struct square, job.letter);
    order[in_order++] = square->in;
    free(square);
}

/* What stands in the second lane waits for the whole first one, and neither takes the other's room. */
static void test_the_second_lane_waits_for_the_first(void **state)
{
    static const unsigned in[] = { 3, 4, 1, 2 };
    struct gh_offload *offload = gh_offload_new(1, 2);
    assert_true(gh_offload_start(offload));
    atomic_store(&at_gate, false);
    pthread_mutex_lock(&gate);
    assert_true(gh_offload_submit(offload, GH_OFFLOAD_SECOND, &square_of(0, work_at_gate)->job));
    while (!atomic_load(&at_gate))
        sched_yield();
    for (size_t i = 0; i < GH_ARRAY_LEN(in); i++) {
        struct square *square = square_of(in[i], work_square);
        square->job.letter.open = open_in_order;
        enum gh_offload_lane lane = i < 2 ? GH_OFFLOAD_SECOND : GH_OFFLOAD_FIRST;
        assert_true(gh_offload_submit(offload, lane, &square->job));
    }
    struct square *too_much = square_of(0, work_square);
    assert_false(gh_offload_submit(offload, GH_OFFLOAD_SECOND, &too_much->job));
    free(too_much);
    open_gate_when_stopping(NULL);
    for (int i = 0; i < 10000 && in_order < 4; i++)
        gh_loop_turn(loop, 100);
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(order[i], i + 1);
    gh_offload_free(offload);
}

/* ---- names ---- */

static size_t found;
static struct gh_address first;
static unsigned answers;

static void on_resolved(void *ctx, const struct gh_address *addresses, size_t n)
{
    assert_ptr_equal(ctx, &found);
    found = n;
    answers++;
    if (n != 0)
        first = addresses[0];
}

static void check_resolve(struct gh_offload *offload, const char *host, const char *expected)
{
    char text[GH_ADDRESS_TEXT];
    unsigned before = answers;
    assert_true(gh_resolve_later(offload, mailbox, gh_str_from(host), 443, on_resolved, &found));
    assert_int_equal(answers, before);
    for (int i = 0; i < 1000 && answers == before; i++)
        gh_loop_turn(loop, 100);
    assert_int_equal(answers, before + 1);
    if (expected == NULL) {
        assert_int_equal(found, 0);
        return;
    }
    assert_true(found >= 1);
    gh_address_ip_text(&first, text);
    assert_string_equal(text, expected);
    assert_int_equal(gh_address_port(&first), 443);
}

static void test_names_are_resolved_elsewhere(void **state)
{
    struct gh_offload *offload = gh_offload_new(1, 10);
    assert_true(gh_offload_start(offload));
    char endless[300];
    memset(endless, 'a', sizeof(endless) - 1);
    endless[sizeof(endless) - 1] = '\0';
    check_resolve(offload, "127.0.0.1", "127.0.0.1");
    check_resolve(offload, "[::1]", "::1");
    check_resolve(offload, "2001:db8::1", "2001:db8::1");
    check_resolve(offload, "", NULL);
    check_resolve(offload, endless, NULL);
    gh_offload_free(offload);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_no_letter_is_lost),
        CASE(test_a_letter_may_close_the_mailbox),
        CASE(test_jobs_come_back),
        CASE(test_the_queue_is_bounded_and_its_rest_discarded),
        CASE(test_the_second_lane_waits_for_the_first),
        CASE(test_names_are_resolved_elsewhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
