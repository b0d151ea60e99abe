/* TLS in memory, both sides ours: handshakes in pieces of any size, names, protocols, refusals, ends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/str.h"
#include "io/tls.h"
#include "support/certs.h"

static struct gh_identity *ca, *house, *wild, *single;
static struct gh_ticket_keys *tickets;
static struct gh_tls_context *server, *client;

static struct gh_tls_pair pair_of(const struct gh_identity *identity)
{
    return (struct gh_tls_pair){ gh_str_from(identity->cert_file), gh_str_from(identity->key_file) };
}

static struct gh_tls_context *serve(const struct gh_identity *const *identities, size_t count, bool h2)
{
    struct gh_tls_pair pairs[4];
    struct gh_tls_context *context = NULL;
    char *why = NULL;
    for (size_t i = 0; i < count; i++)
        pairs[i] = pair_of(identities[i]);
    struct gh_tls_server_conf conf = { .pairs = pairs, .pair_count = count, .h2 = h2 };
    if (gh_tls_server_context(&conf, tickets, &context, &why) != GH_OK)
        fail_msg("%s", why);
    return context;
}

static struct gh_tls_context *trust(const struct gh_identity *root, bool h2)
{
    struct gh_tls_context *context = NULL;
    char *why = NULL;
    struct gh_tls_client_conf conf = { .ca_file = gh_str_from(root->cert_file), .h2 = h2 };
    if (gh_tls_client_context(&conf, &context, &why) != GH_OK)
        fail_msg("%s", why);
    return context;
}

static int set_up(void **state)
{
    ca = gh_identity_new(&(struct gh_identity_plan){ .name = "ca", .ca = true });
    house = gh_identity_new(&(struct gh_identity_plan){
        .name = "house", .san = "DNS:house.example,IP:127.0.0.1,IP:::1", .issuer = ca, .serial = 0xabcd });
    wild = gh_identity_new(&(struct gh_identity_plan){
        .name = "wild", .san = "DNS:*.Wild.example", .issuer = ca, .key = "RSA-2048" });
    single = gh_identity_new(&(struct gh_identity_plan){
        .name = "single", .san = "DNS:other.example,DNS:one.wild.example", .issuer = ca, .key = "P-384" });
    tickets = gh_ticket_keys_new();
    server = serve((const struct gh_identity *const[]){ house, wild, single }, 3, true);
    client = trust(ca, true);
    return 0;
}

static int tear_down(void **state)
{
    gh_tls_context_unref(server);
    gh_tls_context_unref(client);
    gh_ticket_keys_free(tickets);
    gh_identity_free(ca);
    gh_identity_free(house);
    gh_identity_free(wild);
    gh_identity_free(single);
    return 0;
}

/* ---- two sides and the wires between them ---- */

struct side {
    struct gh_tls *tls;
    struct gh_buf wire; /* what it wants to be sent */
    struct gh_buf got;  /* plain */
    enum gh_reason why;
};
struct duo {
    struct side s, c;
    size_t split_at; /* of the client's bytes: a piece ends here */
    size_t piece;    /* longest piece handed over */
    size_t client_sent;
};

static void duo_start(struct duo *duo, struct gh_tls_context *front, struct gh_tls_context *back, gh_str name)
{
    *duo = (struct duo){ .piece = SIZE_MAX };
    duo->s.tls = gh_tls_accept(front);
    duo->c.tls = gh_tls_connect(back, name);
    assert_non_null(duo->s.tls);
    assert_non_null(duo->c.tls);
    duo->c.why = gh_tls_start(duo->c.tls, &duo->c.wire);
}

static void duo_end(struct duo *duo)
{
    struct side *sides[] = { &duo->s, &duo->c };
    for (int i = 0; i < 2; i++) {
        gh_tls_free(sides[i]->tls);
        gh_buf_done(&sides[i]->wire);
        gh_buf_done(&sides[i]->got);
    }
}

/* A copy of exactly that size: the address sanitizer sees one byte too far. */
static void hand_over(struct side *from, struct side *to, size_t len)
{
    char *copy = malloc(len);
    memcpy(copy, gh_buf_peek(&from->wire).ptr, len);
    gh_buf_consume(&from->wire, len);
    to->why = gh_tls_read(to->tls, gh_str_of(copy, len), &to->got, &to->wire);
    free(copy);
}

static void duo_run(struct duo *duo)
{
    while (gh_buf_len(&duo->c.wire) + gh_buf_len(&duo->s.wire) != 0) {
        size_t len = gh_buf_len(&duo->c.wire);
        if (len > duo->piece)
            len = duo->piece;
        if (duo->client_sent < duo->split_at && len > duo->split_at - duo->client_sent)
            len = duo->split_at - duo->client_sent;
        if (len != 0 && duo->s.why == GH_OK)
            hand_over(&duo->c, &duo->s, len);
        else
            gh_buf_consume(&duo->c.wire, len);
        duo->client_sent += len;
        size_t back = gh_buf_len(&duo->s.wire);
        if (back > duo->piece)
            back = duo->piece;
        if (back != 0 && duo->c.why == GH_OK)
            hand_over(&duo->s, &duo->c, back);
        else
            gh_buf_consume(&duo->s.wire, back);
    }
}

static bool duo_is_open(const struct duo *duo)
{
    return gh_tls_state(duo->s.tls) == GH_TLS_OPEN && gh_tls_state(duo->c.tls) == GH_TLS_OPEN;
}

static void say(struct side *side, gh_str text)
{
    assert_int_equal(gh_tls_write(side->tls, text, &side->wire), GH_OK);
}

static void assert_heard(struct side *side, gh_str text)
{
    gh_str got = gh_buf_peek(&side->got);
    assert_int_equal(got.len, text.len);
    assert_memory_equal(got.ptr, text.ptr, text.len);
    gh_buf_consume(&side->got, got.len);
}

static void check_talk(size_t split_at, size_t piece, size_t *ret_sent)
{
    struct duo duo;
    duo_start(&duo, server, client, GH_STR("house.example"));
    duo.split_at = split_at;
    duo.piece = piece;
    duo_run(&duo);
    if (!duo_is_open(&duo))
        fail_msg("split %zu piece %zu: %s", split_at, piece, gh_tls_why(duo.s.tls).ptr);
    say(&duo.c, GH_STR("ping"));
    duo_run(&duo);
    assert_heard(&duo.s, GH_STR("ping"));
    say(&duo.s, GH_STR("pong"));
    duo_run(&duo);
    assert_heard(&duo.c, GH_STR("pong"));
    gh_tls_close(duo.c.tls, &duo.c.wire);
    duo_run(&duo);
    assert_int_equal(gh_tls_state(duo.s.tls), GH_TLS_CLOSED);
    if (ret_sent != NULL)
        *ret_sent = duo.client_sent;
    duo_end(&duo);
}

static void test_any_split_of_the_bytes_is_the_same_talk(void **state)
{
    size_t total = 0;
    check_talk(0, SIZE_MAX, &total);
    assert_in_range(total, 200, 2000);
    for (size_t at = 1; at < total; at++)
        check_talk(at, SIZE_MAX, NULL);
    for (size_t piece = 1; piece < 40; piece++)
        check_talk(0, piece, NULL);
}

static void test_much_data_both_ways(void **state)
{
    enum { SIZE = 300000 };
    struct duo duo;
    char *text = malloc(SIZE);
    for (int i = 0; i < SIZE; i++)
        text[i] = (char)(i * 7 % 251);
    duo_start(&duo, server, client, GH_STR("house.example"));
    duo_run(&duo);
    size_t pieces[] = { SIZE_MAX, 1, 777, 16384, 65536 };
    for (size_t i = 0; i < GH_ARRAY_LEN(pieces); i++) {
        size_t len = pieces[i] == 1 ? 5000 : SIZE;
        duo.piece = pieces[i];
        say(&duo.c, gh_str_of(text, len));
        say(&duo.s, gh_str_of(text + 1, len - 1));
        duo_run(&duo);
        assert_heard(&duo.s, gh_str_of(text, len));
        assert_heard(&duo.c, gh_str_of(text + 1, len - 1));
    }
    duo_end(&duo);
    free(text);
}

static void test_close_ends_one_direction(void **state)
{
    struct duo duo;
    duo_start(&duo, server, client, GH_STR("house.example"));
    duo_run(&duo);
    say(&duo.c, GH_STR("bye"));
    gh_tls_close(duo.c.tls, &duo.c.wire);
    gh_tls_close(duo.c.tls, &duo.c.wire);
    duo_run(&duo);
    assert_heard(&duo.s, GH_STR("bye"));
    assert_int_equal(gh_tls_state(duo.s.tls), GH_TLS_CLOSED);
    say(&duo.s, GH_STR("still here"));
    duo_run(&duo);
    assert_heard(&duo.c, GH_STR("still here"));
    assert_int_equal(gh_tls_write(duo.c.tls, GH_STR("x"), &duo.c.wire), GH_UPSTREAM_TLS);
    duo_end(&duo);
}

/* ---- names and protocols ---- */

/* The certificate must carry the name, so an open session says which pair was chosen. */
static void check_name(const char *name, const char *sni, bool fits)
{
    struct duo duo;
    duo_start(&duo, server, client, gh_str_from(name));
    duo_run(&duo);
    if (duo_is_open(&duo) != fits)
        fail_msg("%s: %s", name, gh_tls_why(duo.c.tls).ptr);
    gh_str seen = gh_tls_sni(duo.s.tls);
    assert_int_equal(seen.len, strlen(sni));
    assert_memory_equal(seen.ptr != NULL ? seen.ptr : "", sni, seen.len);
    if (!fits) {
        assert_int_equal(duo.c.why, GH_UPSTREAM_TLS);
        assert_int_equal(duo.s.why, GH_TLS_FAILED); /* by the client's alert */
        assert_true(gh_str_contains(gh_tls_why(duo.c.tls), GH_STR("mismatch")));
    }
    duo_end(&duo);
}

static void test_the_certificate_follows_the_name(void **state)
{
    check_name("house.example", "house.example", true);
    check_name("HOUSE.example", "house.example", true);
    check_name("house.example.", "house.example", true);
    check_name("127.0.0.1", "", true); /* no SNI: the first pair */
    check_name("::1", "", true);
    check_name("127.0.0.2", "", false);
    check_name("a.wild.example", "a.wild.example", true);
    check_name("one.wild.example", "one.wild.example", true); /* exact before wildcard */
    check_name("other.example", "other.example", true);
    check_name("a.b.wild.example", "a.b.wild.example", false); /* one label only */
    check_name("wild.example", "wild.example", false);
    check_name("unknown.example", "unknown.example", false);
}

static void check_alpn(bool front, bool back, const char *expected)
{
    struct gh_tls_context *s = serve((const struct gh_identity *const[]){ house }, 1, front);
    struct gh_tls_context *c = trust(ca, back);
    struct duo duo;
    duo_start(&duo, s, c, GH_STR("house.example"));
    duo_run(&duo);
    assert_true(duo_is_open(&duo));
    assert_true(gh_str_eq(gh_tls_alpn(duo.s.tls), gh_str_from(expected)));
    assert_true(gh_str_eq(gh_tls_alpn(duo.c.tls), gh_str_from(expected)));
    assert_true(gh_str_eq(gh_tls_version(duo.s.tls), GH_STR("TLSv1.3")));
    assert_false(gh_tls_was_resumed(duo.s.tls));
    duo_end(&duo);
    gh_tls_context_unref(s);
    gh_tls_context_unref(c);
}

static void test_protocol_choice(void **state)
{
    check_alpn(true, true, "h2");
    check_alpn(true, false, "http/1.1");
    check_alpn(false, true, "http/1.1");
    check_alpn(false, false, "http/1.1");
}

/* ---- whom a client refuses ---- */

static void check_refused(const struct gh_identity *identity, const struct gh_identity *root,
                          const char *words)
{
    struct gh_tls_context *s = serve(&identity, 1, true);
    struct gh_tls_context *c = trust(root, true);
    struct duo duo;
    duo_start(&duo, s, c, GH_STR("bad.example"));
    duo_run(&duo);
    if (words == NULL) {
        assert_true(duo_is_open(&duo));
    } else {
        assert_int_equal(duo.c.why, GH_UPSTREAM_TLS);
        if (!gh_str_contains(gh_tls_why(duo.c.tls), gh_str_from(words)))
            fail_msg("%s, not %s", gh_tls_why(duo.c.tls).ptr, words);
    }
    duo_end(&duo);
    gh_tls_context_unref(s);
    gh_tls_context_unref(c);
}

static void check_plan(struct gh_identity_plan plan, const char *words)
{
    plan.name = "bad.example";
    if (plan.issuer == NULL)
        plan.issuer = ca;
    struct gh_identity *identity = gh_identity_new(&plan);
    check_refused(identity, ca, words);
    gh_identity_free(identity);
}

static void test_bad_servers_are_refused(void **state)
{
    const char *san = "DNS:bad.example";
    struct gh_identity *strange =
        gh_identity_new(&(struct gh_identity_plan){ .name = "strange", .ca = true });
    check_plan((struct gh_identity_plan){ .san = san }, NULL);
    check_plan((struct gh_identity_plan){ .san = san, .key = "RSA-2048" }, NULL);
    check_plan((struct gh_identity_plan){ .san = san, .issuer = strange }, "unable to get local issuer");
    check_plan((struct gh_identity_plan){ .san = san, .from_s = -7200, .to_s = -3600 }, "expired");
    check_plan((struct gh_identity_plan){ .san = san, .from_s = 3600, .to_s = 7200 }, "not yet valid");
    check_plan((struct gh_identity_plan){ .san = "DNS:good.example" }, "ostname mismatch");
    check_plan((struct gh_identity_plan){ .san = NULL }, "ostname mismatch"); /* a common name is no name */
    check_plan((struct gh_identity_plan){ .san = "DNS:b*.example" }, "ostname mismatch");
    struct gh_identity *itself =
        gh_identity_new(&(struct gh_identity_plan){ .name = "bad.example", .san = san });
    check_refused(itself, ca, "self-signed");
    gh_identity_free(strange);
    gh_identity_free(itself);
}

/* ---- what a server refuses ---- */

static void check_garbage(gh_str bytes, const char *words)
{
    struct gh_buf plain = { 0 }, send = { 0 };
    struct gh_tls *tls = gh_tls_accept(server);
    assert_int_equal(gh_tls_read(tls, bytes, &plain, &send), GH_TLS_FAILED);
    assert_int_equal(gh_tls_state(tls), GH_TLS_ERROR);
    assert_int_equal(gh_buf_len(&plain), 0);
    if (!gh_str_contains(gh_tls_why(tls), gh_str_from(words)))
        fail_msg("%s, not %s", gh_tls_why(tls).ptr, words);
    assert_int_equal(gh_tls_read(tls, bytes, &plain, &send), GH_TLS_FAILED); /* and stays failed */
    gh_tls_free(tls);
    gh_buf_done(&plain);
    gh_buf_done(&send);
}

static void test_garbage_is_refused_with_words(void **state)
{
    check_garbage(GH_STR("GET / HTTP/1.1\r\nHost: a\r\n\r\n"), "http request");
    check_garbage(GH_STR("\x16\x03\x01\xff\xff\x01\x02\x03"), "packet length too long");
    check_garbage(GH_STR("\x17\x03\x03\x00\x01\x00"), "");
    check_garbage(GH_STR("\x80\x2e\x01\x03\x01\x00\x15\x00\x00\x00\x10"), "");
    check_garbage(GH_STR("\x18\x03\x03\x00\x01\x00"), "");
}

/* A ClientHello that claims 100 KB, in records of one byte each: cut off long before. */
static void test_an_endless_hello_is_cut_off(void **state)
{
    struct gh_buf plain = { 0 }, send = { 0 };
    struct gh_tls *tls = gh_tls_accept(server);
    enum gh_reason why = gh_tls_read(tls, GH_STR("\x16\x03\x01\x00\x04\x01\x01\x86\xa0"), &plain, &send);
    unsigned records = 0;
    for (; why == GH_OK && records < 100000; records++)
        why = gh_tls_read(tls, GH_STR("\x16\x03\x01\x00\x01\x03"), &plain, &send);
    assert_int_equal(why, GH_TLS_FAILED);
    assert_in_range(records, 2, 8000);
    gh_tls_free(tls);
    gh_buf_done(&plain);
    gh_buf_done(&send);
}

static void test_a_flipped_bit_ends_the_session(void **state)
{
    struct duo duo;
    duo_start(&duo, server, client, GH_STR("house.example"));
    duo_run(&duo);
    say(&duo.c, GH_STR("pay 10"));
    duo.c.wire.base[duo.c.wire.end - 1] ^= 1;
    duo_run(&duo);
    assert_int_equal(duo.s.why, GH_TLS_FAILED);
    assert_int_equal(gh_buf_len(&duo.s.got), 0);
    assert_int_equal(gh_tls_state(duo.s.tls), GH_TLS_ERROR);
    duo_end(&duo);
}

static void test_a_context_tells_what_it_holds(void **state)
{
    assert_true(gh_str_eq(gh_tls_context_serial(server), GH_STR("ABCD")));
    assert_in_range(gh_tls_context_expires(server), time(NULL) + 86000, time(NULL) + 86500);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_any_split_of_the_bytes_is_the_same_talk),
        cmocka_unit_test(test_much_data_both_ways),
        cmocka_unit_test(test_close_ends_one_direction),
        cmocka_unit_test(test_the_certificate_follows_the_name),
        cmocka_unit_test(test_protocol_choice),
        cmocka_unit_test(test_bad_servers_are_refused),
        cmocka_unit_test(test_garbage_is_refused_with_words),
        cmocka_unit_test(test_an_endless_hello_is_cut_off),
        cmocka_unit_test(test_a_flipped_bit_ends_the_session),
        cmocka_unit_test(test_a_context_tells_what_it_holds),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
