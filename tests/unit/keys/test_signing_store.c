/* Signing keys in the store: several gateways with one ring, of which one writes at any moment, and what
 * somebody else does to the row. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support/cm.h"

#include "base/arena.h"
#include "base/str.h"
#include "keys/signing.h"
#include "store/store.h"

#define DAY    86400
#define START  4000000000 /* far from the real time, by which the store sweeps */
#define ISSUER "https://auth.example"

/* A gateway: a store of its own over the file of all, and a ring. */
struct node {
    struct gh_store *store;
    struct gh_store_client *client;
    struct gh_signing_ring *ring;
    unsigned changes;
};

static char folder[64], kek_file[80], url[96];
static struct gh_arena *arena;
static struct gh_loop *loop;
static struct gh_mailbox *mailbox;
static struct gh_signing_conf conf;
static struct node one, other;

static void write_kek(const char *text)
{
    FILE *file = fopen(kek_file, "w");
    assert_non_null(file);
    (void)fputs(text, file);
    (void)fclose(file);
    assert_int_equal(chmod(kek_file, 0600), 0);
}

static void hear_change(void *ctx)
{
    ((struct node *)ctx)->changes++;
}

static enum gh_reason open_ring(struct node *node)
{
    char *why = NULL;
    const struct gh_signing_port port = {
        .loop = loop, .client = node->client, .changed = hear_change, .ctx = node
    };
    enum gh_reason reason = gh_signing_ring_open_stored(&conf, &node->ring, &why);
    free(why);
    if (reason == GH_OK)
        gh_signing_ring_attach(node->ring, &port);
    return reason;
}

static void open_node(struct node *node)
{
    char *why = NULL;
    const struct gh_store_conf store = {
        .url = gh_str_from(url), .queue_max = 64, .busy_ms = 10000, .sweep_s = 3600, .log_poll_ms = 500
    };
    *node = (struct node){ 0 };
    assert_int_equal(gh_store_open(&store, &node->store, &why), GH_OK);
    assert_true(gh_store_start(node->store));
    node->client = gh_store_client_new(node->store, mailbox);
    assert_int_equal(open_ring(node), GH_OK);
}

static void close_node(struct node *node)
{
    gh_signing_ring_free(node->ring);
    gh_store_client_free(node->client);
    gh_store_close(node->store);
    *node = (struct node){ 0 };
}

static void at(int64_t wall_s)
{
    gh_loop_fake_time(loop, 1000, wall_s);
}

static int begin(void **state)
{
    (void)snprintf(folder, sizeof(folder), "/tmp/gh-signing-XXXXXX");
    assert_non_null(mkdtemp(folder));
    (void)snprintf(kek_file, sizeof(kek_file), "%s/kek", folder);
    (void)snprintf(url, sizeof(url), "sqlite:%s/store.db", folder);
    write_kek("0123456789abcdef0123456789abcdef");
    conf = (struct gh_signing_conf){ .kek_file = gh_str_from(kek_file),
                                     .in_store = true,
                                     .tenant = GH_STR("acme"),
                                     .issuer = GH_STR(ISSUER),
                                     .alg = GH_ALG_ES256,
                                     .next_s = DAY,
                                     .active_s = 30 * DAY,
                                     .retired_s = 3600 };
    arena = gh_arena_new(0);
    loop = gh_loop_new();
    mailbox = gh_mailbox_new(loop, NULL);
    at(START);
    open_node(&one);
    open_node(&other);
    return 0;
}

static void remove_all(const char *path)
{
    DIR *open_folder = opendir(path);
    for (const struct dirent *entry = readdir(open_folder); entry != NULL; entry = readdir(open_folder)) {
        char name[512];
        (void)snprintf(name, sizeof(name), "%s/%s", path, entry->d_name);
        if (entry->d_name[0] != '.' && unlink(name) != 0)
            remove_all(name);
    }
    (void)closedir(open_folder);
    (void)rmdir(path);
}

static int end(void **state)
{
    close_node(&one);
    close_node(&other);
    gh_mailbox_free(mailbox);
    gh_loop_free(loop);
    gh_arena_free(arena);
    remove_all(folder);
    return 0;
}

/* ---- asks ---- */

struct answer {
    unsigned came;
    enum gh_reason reason;
};

static void keep(void *ctx, enum gh_reason reason)
{
    struct answer *answer = ctx;
    answer->came++;
    answer->reason = reason;
}

static void ask(const struct node *node, enum gh_signing_wish wish, const char *kid, struct answer *answer)
{
    const struct gh_signing_change change = { .wish = wish, .kid = gh_str_from(kid) };
    *answer = (struct answer){ 0 };
    assert_non_null(gh_signing_ring_ask(node->ring, &change, keep, answer));
    assert_int_equal(answer->came, 0); /* never inside the call */
}

static enum gh_reason await(const struct answer *answer)
{
    while (answer->came == 0)
        gh_loop_turn(loop, 1000);
    assert_int_equal(answer->came, 1);
    return answer->reason;
}

static enum gh_reason do_at(const struct node *node, enum gh_signing_wish wish, const char *kid)
{
    struct answer answer;
    ask(node, wish, kid, &answer);
    return await(&answer);
}

static enum gh_reason look(const struct node *node)
{
    return do_at(node, GH_SIGNING_LOOK, NULL);
}

/* Before either of them has heard from its store. */
static void both(enum gh_signing_wish wish)
{
    struct answer first, second;
    ask(&one, wish, NULL, &first);
    ask(&other, wish, NULL, &second);
    assert_int_equal(await(&first), GH_OK);
    assert_int_equal(await(&second), GH_OK);
}

/* "an": states, oldest first. */
static const char *states(const struct node *node)
{
    static char text[GH_SIGNING_KEYS_MAX + 1];
    enum gh_signing_state state;
    gh_str kid;
    int64_t created;
    size_t i = 0;
    for (; gh_signing_ring_at(node->ring, i, &kid, &state, &created); i++)
        text[i] = "narg"[state];
    text[i] = '\0';
    return text;
}

static gh_str set_of(const struct node *node)
{
    gh_str set = gh_signing_ring_jwks(arena, node->ring);
    assert_non_null(set.ptr);
    assert_false(gh_str_contains(set, GH_STR("\"d\"")));
    return set;
}

static gh_str active_of(const struct node *node)
{
    assert_non_null(gh_signing_ring_active(node->ring));
    return gh_arena_dup(arena, gh_signing_key_kid(gh_signing_ring_active(node->ring)));
}

static void alike(const char *wanted)
{
    assert_int_equal(look(&one), GH_OK);
    assert_int_equal(look(&other), GH_OK);
    assert_string_equal(states(&one), wanted);
    assert_string_equal(states(&other), wanted);
    assert_true(gh_str_eq(set_of(&one), set_of(&other)));
    assert_true(gh_str_eq(active_of(&one), active_of(&other)));
}

/* ---- the row, behind everybody's back ---- */

struct row {
    unsigned came;
    enum gh_reason reason;
    gh_str value;
    uint64_t version;
};

static void keep_row(void *ctx, const struct gh_store_answer *answer)
{
    struct row *row = ctx;
    row->came++;
    row->reason = answer->reason;
    if (answer->rows.count == 1 && answer->rows.at[0].version != 0) {
        row->value = gh_arena_dup(arena, answer->rows.at[0].value);
        row->version = answer->rows.at[0].version;
    }
}

static gh_str row_key(void)
{
    const gh_str issuer = GH_STR(ISSUER);
    return gh_row_key(arena, "signing", &issuer, 1);
}

static struct row read_row(void)
{
    struct row row = { 0 };
    const gh_str key = row_key();
    assert_non_null(
        gh_store_read(one.client, GH_STR("acme"), (struct gh_strs){ &key, 1 }, START, keep_row, &row));
    while (row.came == 0)
        gh_loop_turn(loop, 1000);
    assert_int_equal(row.reason, GH_OK);
    return row;
}

/* ptr NULL: deleted. */
static void put_row(gh_str value)
{
    struct row row = { 0 };
    struct gh_effects effects = { 0 };
    assert_int_equal(value.ptr == NULL ? gh_effects_delete(&effects, row_key())
                                       : gh_effects_write(&effects, row_key(), value, 0),
                     GH_OK);
    assert_non_null(gh_store_commit(one.client, GH_STR("acme"), &effects, START, keep_row, &row));
    while (row.came == 0)
        gh_loop_turn(loop, 1000);
    assert_int_equal(row.reason, GH_OK);
}

/* ---- cases ---- */

static void one_makes_the_first(void **state)
{
    assert_null(gh_signing_ring_active(one.ring));
    both(GH_SIGNING_LOOK);
    alike("a");
    assert_true(gh_str_starts(read_row().value, GH_STR("{\"v\":1,\"ring\":1,\"sealed\":\"")));
    assert_true(one.changes == 1 && other.changes == 1); /* an unchanged row is no news */
}

/* The one that comes too late finds the work done, and makes nothing. */
static void one_key_by_the_schedule(void **state)
{
    both(GH_SIGNING_LOOK);
    gh_str first = active_of(&one);
    at(START + 29 * DAY);
    both(GH_SIGNING_LOOK);
    alike("an");
    assert_true(gh_str_eq(active_of(&one), first)); /* it is published before it signs */
    at(START + 30 * DAY);
    both(GH_SIGNING_LOOK);
    alike("ra");
    assert_false(gh_str_eq(active_of(&one), first));
    at(START + 30 * DAY + 3600);
    both(GH_SIGNING_LOOK);
    alike("a");
    assert_true(gh_str_starts(read_row().value, GH_STR("{\"v\":1,\"ring\":3,")));
}

static void a_key_for_each_who_asks(void **state)
{
    both(GH_SIGNING_LOOK);
    both(GH_SIGNING_ROTATE);
    alike("ann");
    both(GH_SIGNING_ROTATE_AT_ONCE);
    alike("rrrra");
}

static void dropped_everywhere(void **state)
{
    both(GH_SIGNING_LOOK);
    const char *leaked = active_of(&one).ptr;
    assert_int_equal(do_at(&one, GH_SIGNING_DROP, leaked), GH_OK);
    assert_false(gh_str_contains(set_of(&one), gh_str_from(leaked)));
    alike("a"); /* never without one */
    assert_false(gh_str_contains(set_of(&other), gh_str_from(leaked)));
    assert_int_equal(do_at(&other, GH_SIGNING_DROP, leaked), GH_OK); /* it is gone: nothing to do */
    alike("a");
}

static void asks_wait_for_each_other(void **state)
{
    struct answer answers[4];
    assert_int_equal(look(&one), GH_OK);
    for (size_t i = 0; i < 4; i++)
        ask(&one, GH_SIGNING_ROTATE, NULL, &answers[i]);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(await(&answers[i]), GH_OK);
    alike("annnn");
}

static void no_more_than_there_is_room_for(void **state)
{
    both(GH_SIGNING_LOOK);
    for (size_t i = 1; i < GH_SIGNING_KEYS_MAX; i++)
        assert_int_equal(do_at(&one, GH_SIGNING_ROTATE, NULL), GH_OK);
    gh_str before = set_of(&one);
    assert_int_equal(do_at(&one, GH_SIGNING_ROTATE_AT_ONCE, NULL), GH_KEYS_UNAVAILABLE);
    assert_string_equal(gh_signing_ring_why(one.ring), "there are too many");
    assert_true(gh_str_eq(set_of(&one), before));
    alike("annnnnnnnnnnnnnn");
}

/* Whoever may write to the store can bring back what was; it is taken for what it is. */
static void an_older_row(void **state)
{
    both(GH_SIGNING_LOOK);
    assert_int_equal(do_at(&one, GH_SIGNING_ROTATE_AT_ONCE, NULL), GH_OK);
    struct row old = read_row();
    const char *leaked = active_of(&one).ptr;
    assert_int_equal(do_at(&one, GH_SIGNING_DROP, leaked), GH_OK);
    alike("a");
    gh_str good = set_of(&one);
    put_row(old.value);
    alike("a");
    assert_true(gh_str_eq(set_of(&one), good));
    assert_false(gh_str_contains(good, gh_str_from(leaked)));
    close_node(&other);
    open_node(&other); /* knows nothing but the row */
    alike("a");
    assert_true(gh_str_eq(set_of(&other), good));
}

/* One that starts with an older row knows no better, and may write more often than it was written before: its
 * numbers are right, and the key that was dropped stays away all the same. */
static void an_older_row_and_somebody_who_went_on_with_it(void **state)
{
    both(GH_SIGNING_LOOK);
    assert_int_equal(do_at(&one, GH_SIGNING_ROTATE_AT_ONCE, NULL), GH_OK);
    struct row old = read_row();
    const char *leaked = active_of(&one).ptr;
    assert_int_equal(do_at(&one, GH_SIGNING_DROP, leaked), GH_OK);
    close_node(&other);
    put_row(old.value);
    open_node(&other);
    assert_int_equal(do_at(&other, GH_SIGNING_ROTATE, NULL), GH_OK);
    assert_int_equal(do_at(&other, GH_SIGNING_ROTATE, NULL), GH_OK);
    assert_true(gh_str_contains(set_of(&other), gh_str_from(leaked)));
    alike("ann");
    assert_false(gh_str_contains(set_of(&one), gh_str_from(leaked)));
    assert_false(gh_str_contains(set_of(&other), gh_str_from(leaked)));
}

static void a_row_that_was_deleted(void **state)
{
    both(GH_SIGNING_LOOK);
    gh_str good = set_of(&one);
    put_row(GH_STR_NONE);
    alike("a");
    assert_true(gh_str_eq(set_of(&one), good));
    assert_true(gh_str_starts(read_row().value, GH_STR("{\"v\":1,\"ring\":2,")));
}

/* While the row was away another gateway has begun anew: both had a first ring, and no key of either is lost.
 */
static void two_that_have_one_number(void **state)
{
    assert_int_equal(look(&one), GH_OK);
    gh_str first = active_of(&one);
    put_row(GH_STR_NONE);
    at(START + 10);
    assert_int_equal(look(&other), GH_OK);
    gh_str second = active_of(&other);
    assert_false(gh_str_eq(first, second));
    alike("an");
    assert_true(gh_str_eq(active_of(&other), first));
    assert_true(gh_str_contains(set_of(&one), second));
    assert_true(gh_str_starts(read_row().value, GH_STR("{\"v\":1,\"ring\":2,")));
}

static void a_row_that_was_changed(void **state)
{
    both(GH_SIGNING_LOOK);
    gh_str good = set_of(&one), value = read_row().value;
    gh_str bad = gh_arena_dup(arena, value);
    char *last = (char *)(uintptr_t)bad.ptr + bad.len - 4;
    *last = *last == 'A' ? 'B' : 'A';
    put_row(bad);
    assert_int_equal(look(&one), GH_KEYS_MALFORMED);
    assert_int_equal(do_at(&one, GH_SIGNING_ROTATE, NULL), GH_KEYS_MALFORMED);
    assert_true(gh_str_eq(set_of(&one), good)); /* what is known goes on */
    assert_true(gh_str_eq(read_row().value, bad));
    put_row(value);
    alike("a");
}

static void another_key_encryption_key(void **state)
{
    both(GH_SIGNING_LOOK);
    gh_str value = read_row().value;
    gh_signing_ring_free(other.ring);
    write_kek("another key of thirty-two bytes.");
    assert_int_equal(open_ring(&other), GH_OK);
    assert_int_equal(look(&other), GH_KEYS_MALFORMED);
    assert_non_null(strstr(gh_signing_ring_why(other.ring), "another key-encryption key"));
    assert_null(gh_signing_ring_active(other.ring));
    assert_true(gh_str_eq(read_row().value, value)); /* never written over */
    gh_signing_ring_free(other.ring);
    write_kek("sixteen bytes...");
    other.ring = NULL;
    assert_int_equal(open_ring(&other), GH_SETTINGS_INVALID);
}

static void what_the_folder_had(void **state)
{
    struct gh_signing_ring *ring = NULL;
    struct gh_signing_conf before = conf;
    char *why = NULL, path[80];
    (void)snprintf(path, sizeof(path), "%s/keys", folder);
    before.folder = gh_str_from(path);
    before.in_store = false;
    assert_int_equal(gh_signing_ring_open(&before, START, &ring, &why), GH_OK);
    assert_true(gh_signing_ring_rotate(ring, START + 1, false));
    gh_str set = gh_signing_ring_jwks(arena, ring);
    conf.folder = before.folder;
    gh_signing_ring_free(one.ring);
    assert_int_equal(open_ring(&one), GH_OK);
    assert_int_equal(look(&one), GH_OK);
    alike("an"); /* the other one has no such folder */
    assert_true(gh_str_eq(set_of(&one), set));
    assert_true(gh_signing_ring_rotate(ring, START + 2, false)); /* nobody looks there any more */
    alike("an");
    gh_signing_ring_free(ring);
}

/* A folder that cannot be read is no empty one. */
static void a_folder_that_others_may_read(void **state)
{
    char path[80];
    (void)snprintf(path, sizeof(path), "%s/keys", folder);
    assert_int_equal(mkdir(path, 0755), 0);
    conf.folder = gh_str_from(path);
    gh_signing_ring_free(one.ring);
    assert_int_equal(open_ring(&one), GH_OK);
    assert_int_equal(look(&one), GH_SETTINGS_INVALID);
    assert_non_null(strstr(gh_signing_ring_why(one.ring), "others"));
    assert_int_equal(read_row().version, 0);
    assert_int_equal(chmod(path, 0700), 0);
    alike("a");
}

/* Whoever is detached has an answer, and what is known goes on. */
static void without_the_store(void **state)
{
    struct answer answer;
    both(GH_SIGNING_LOOK);
    gh_str set = set_of(&one);
    ask(&one, GH_SIGNING_ROTATE, NULL, &answer);
    gh_signing_ring_detach(one.ring);
    assert_int_equal(await(&answer), GH_STORE_DOWN);
    const struct gh_signing_change change = { .wish = GH_SIGNING_LOOK };
    assert_null(gh_signing_ring_ask(one.ring, &change, keep, &answer));
    assert_true(gh_str_eq(set_of(&one), set));
}

/* A next key begins to sign by the clock, whether or not the store answers. */
static void by_the_clock_alone(void **state)
{
    both(GH_SIGNING_LOOK);
    assert_int_equal(do_at(&one, GH_SIGNING_ROTATE, NULL), GH_OK);
    put_row(GH_STR("{}"));
    unsigned changes = one.changes;
    at(START + DAY + 1);
    assert_int_equal(look(&one), GH_KEYS_MALFORMED);
    assert_string_equal(states(&one), "ra");
    assert_int_equal(one.changes, changes + 1);
}

static void who_asked_is_gone(void **state)
{
    struct answer answer = { 0 };
    const struct gh_signing_change change = { .wish = GH_SIGNING_ROTATE };
    both(GH_SIGNING_LOOK);
    gh_signing_ask_cancel(gh_signing_ring_ask(one.ring, &change, keep, &answer));
    while (gh_signing_ring_is_busy(one.ring))
        gh_loop_turn(loop, 1000);
    assert_int_equal(answer.came, 0);
    alike("an"); /* it has happened all the same */
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)
    const struct CMUnitTest tests[] = { TEST(one_makes_the_first),
                                        TEST(one_key_by_the_schedule),
                                        TEST(a_key_for_each_who_asks),
                                        TEST(dropped_everywhere),
                                        TEST(asks_wait_for_each_other),
                                        TEST(no_more_than_there_is_room_for),
                                        TEST(an_older_row),
                                        TEST(an_older_row_and_somebody_who_went_on_with_it),
                                        TEST(a_row_that_was_deleted),
                                        TEST(two_that_have_one_number),
                                        TEST(a_row_that_was_changed),
                                        TEST(another_key_encryption_key),
                                        TEST(what_the_folder_had),
                                        TEST(a_folder_that_others_may_read),
                                        TEST(without_the_store),
                                        TEST(by_the_clock_alone),
                                        TEST(who_asked_is_gone) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
