/* TLS against a peer that is plain OpenSSL: tickets and their keys, old versions and suites, weak servers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include "base/str.h"
#include "io/tls.h"
#include "support/certs.h"

#define HOURS 3600

static struct gh_identity *ca, *house, *other;
static struct gh_ticket_keys *tickets;
static struct gh_tls_context *server;
static const int64_t day = 1700000000;

static struct gh_tls_context *serve(struct gh_ticket_keys *keys)
{
    struct gh_tls_pair pairs[] = {
        { gh_str_from(house->cert_file), gh_str_from(house->key_file) },
        { gh_str_from(other->cert_file), gh_str_from(other->key_file) },
    };
    struct gh_tls_server_conf conf = { .pairs = pairs, .pair_count = 2, .h2 = true };
    struct gh_tls_context *context = NULL;
    char *why = NULL;
    if (gh_tls_server_context(&conf, keys, &context, &why) != GH_OK)
        fail_msg("%s", why);
    return context;
}

static int set_up(void **state)
{
    ca = gh_identity_new(&(struct gh_identity_plan){ .name = "ca", .ca = true });
    house = gh_identity_new(
        &(struct gh_identity_plan){ .name = "house", .san = "DNS:house.example", .issuer = ca });
    other = gh_identity_new(
        &(struct gh_identity_plan){ .name = "other", .san = "DNS:other.example", .issuer = ca });
    tickets = gh_ticket_keys_new();
    gh_ticket_keys_tick(tickets, day);
    server = serve(tickets);
    return 0;
}

static int tear_down(void **state)
{
    gh_tls_context_unref(server);
    gh_ticket_keys_free(tickets);
    gh_identity_free(ca);
    gh_identity_free(house);
    gh_identity_free(other);
    return 0;
}

/* ---- a plain OpenSSL side, and one of ours ---- */

struct peer {
    SSL_CTX *ctx;
    SSL *ssl;
    struct gh_tls *ours;
    struct gh_buf plain;
    enum gh_reason why;
    bool open, resumed;
};

static void peer_new(struct peer *peer, const SSL_METHOD *method, int max_version)
{
    *peer = (struct peer){ .ctx = SSL_CTX_new(method) };
    SSL_CTX_set_security_level(peer->ctx, 0);
    SSL_CTX_set_min_proto_version(peer->ctx, TLS1_VERSION);
    SSL_CTX_set_max_proto_version(peer->ctx, max_version);
}

static void peer_ssl(struct peer *peer)
{
    peer->ssl = SSL_new(peer->ctx);
    SSL_set_bio(peer->ssl, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
}

static void peer_done(struct peer *peer)
{
    SSL_free(peer->ssl);
    SSL_CTX_free(peer->ctx);
    gh_tls_free(peer->ours);
    gh_buf_done(&peer->plain);
    ERR_clear_error();
}

/* Carries bytes to and fro until both are silent. */
static void run(struct peer *peer)
{
    struct gh_buf send = { 0 };
    char bytes[4096];
    peer->why = gh_tls_start(peer->ours, &send);
    for (int round = 0; round < 40; round++) {
        if (!SSL_is_init_finished(peer->ssl))
            SSL_do_handshake(peer->ssl);
        else
            SSL_read(peer->ssl, bytes, 0); /* tickets and alerts */
        int n = BIO_read(SSL_get_wbio(peer->ssl), bytes, sizeof(bytes));
        if (n > 0 && peer->why == GH_OK)
            peer->why = gh_tls_read(peer->ours, gh_str_of(bytes, (size_t)n), &peer->plain, &send);
        gh_str back = gh_buf_peek(&send);
        if (back.len != 0)
            BIO_write(SSL_get_rbio(peer->ssl), back.ptr, (int)back.len);
        gh_buf_consume(&send, back.len);
    }
    SSL_read(peer->ssl, bytes, sizeof(bytes));
    gh_buf_done(&send);
    peer->open = SSL_is_init_finished(peer->ssl) && gh_tls_state(peer->ours) == GH_TLS_OPEN;
    peer->resumed = gh_tls_was_resumed(peer->ours);
}

/* One visit of a client; *session is offered, and replaced by what the server gave. */
static struct peer visit(struct gh_tls_context *context, const char *name, int version, SSL_SESSION **session)
{
    struct peer peer;
    peer_new(&peer, TLS_client_method(), version);
    peer_ssl(&peer);
    SSL_set_connect_state(peer.ssl);
    if (name != NULL) {
        char copy[64];
        (void)snprintf(copy, sizeof(copy), "%s", name);
        SSL_set_tlsext_host_name(peer.ssl, copy);
    }
    if (session != NULL && *session != NULL)
        SSL_set_session(peer.ssl, *session);
    peer.ours = gh_tls_accept(context);
    run(&peer);
    if (session != NULL) {
        SSL_SESSION_free(*session);
        *session = SSL_get1_session(peer.ssl);
        SSL_shutdown(peer.ssl);
    }
    return peer;
}

static void check_visit(struct gh_tls_context *context, const char *name, int version, SSL_SESSION **session,
                        bool resumed)
{
    struct peer peer = visit(context, name, version, session);
    if (!peer.open || peer.resumed != resumed)
        fail_msg("%s version %x: open %d resumed %d: %s", name != NULL ? name : "-", (unsigned)version,
                 peer.open, peer.resumed, gh_tls_why(peer.ours).ptr);
    peer_done(&peer);
}

static void check_tickets(int version)
{
    SSL_SESSION *session = NULL;
    struct gh_tls_context *reloaded = serve(tickets), *stranger;
    struct gh_ticket_keys *strange_keys = gh_ticket_keys_new();
    stranger = serve(strange_keys);
    check_visit(server, "house.example", version, &session, false);
    check_visit(server, "house.example", version, &session, true);
    check_visit(server, "HOUSE.example", version, &session, true);
    check_visit(reloaded, "house.example", version, &session, true); /* another worker, another snapshot */
    check_visit(server, "other.example", version, &session, false);  /* bound to the name */
    check_visit(server, "house.example", version, &session, false);
    check_visit(server, NULL, version, &session, false);
    check_visit(server, NULL, version, &session, true);
    check_visit(stranger, NULL, version, &session, false); /* keys it does not have */
    SSL_SESSION_free(session);
    gh_tls_context_unref(reloaded);
    gh_tls_context_unref(stranger);
    gh_ticket_keys_free(strange_keys);
}

static void test_tickets_resume_under_their_name_only(void **state)
{
    check_tickets(TLS1_3_VERSION);
    check_tickets(TLS1_2_VERSION);
}

static SSL_SESSION *first_ticket(int version)
{
    SSL_SESSION *session = NULL;
    check_visit(server, "house.example", version, &session, false);
    return session;
}

static void check_old_ticket(SSL_SESSION *session, int version, bool resumed)
{
    SSL_SESSION *copy = session;
    SSL_SESSION_up_ref(session);
    check_visit(server, "house.example", version, &copy, resumed);
    SSL_SESSION_free(copy);
}

static void test_ticket_keys_rotate_and_die(void **state)
{
    static const int versions[] = { TLS1_3_VERSION, TLS1_2_VERSION };
    int64_t now = day;
    for (size_t i = 0; i < GH_ARRAY_LEN(versions); i++) {
        SSL_SESSION *session = first_ticket(versions[i]);
        gh_ticket_keys_tick(tickets, now + 11 * HOURS);
        check_old_ticket(session, versions[i], true);
        gh_ticket_keys_tick(tickets, now + 12 * HOURS);
        check_old_ticket(session, versions[i], true);
        gh_ticket_keys_tick(tickets, now + 24 * HOURS);
        check_old_ticket(session, versions[i], true);
        gh_ticket_keys_tick(tickets, now + 36 * HOURS);
        check_old_ticket(session, versions[i], false);
        SSL_SESSION_free(session);
        now += 36 * HOURS;
    }
    SSL_SESSION *session = first_ticket(TLS1_3_VERSION);
    gh_ticket_keys_tick(tickets, now + 10000 * HOURS); /* the machine slept */
    check_old_ticket(session, TLS1_3_VERSION, false);
    SSL_SESSION_free(session);
}

/* Two processes with one secret, and what each of them does alone. */
static void test_tickets_of_a_neighbour(void **state)
{
    static const int versions[] = { TLS1_3_VERSION, TLS1_2_VERSION };
    static const gh_str secrets[] = { GH_STR_INIT("0123456789abcdef0123456789abcdef"),
                                      GH_STR_INIT("another secret of thirty-two byt") };
    const struct gh_strs first = { secrets, 1 }, both = { secrets, 2 }, second = { secrets + 1, 1 };
    for (size_t i = 0; i < GH_ARRAY_LEN(versions); i++) {
        struct gh_ticket_keys *ours = gh_ticket_keys_new(), *theirs = gh_ticket_keys_new();
        struct gh_tls_context *here = serve(ours), *there = serve(theirs);
        SSL_SESSION *session = NULL;
        int64_t now = day;
        assert_true(gh_ticket_keys_share(ours, first, now) && gh_ticket_keys_share(theirs, first, now + 60));
        check_visit(here, "house.example", versions[i], &session, false);
        check_visit(there, "house.example", versions[i], &session, true);
        check_visit(there, "other.example", versions[i], &session, false); /* bound to the name here too */
        check_visit(there, "house.example", versions[i], &session, false);
        gh_ticket_keys_tick(theirs, now + 12 * HOURS); /* its clock is ahead */
        check_visit(there, "house.example", versions[i], &session, true);
        check_visit(here, "house.example", versions[i], &session, true);
        assert_true(gh_ticket_keys_share(theirs, both, now)); /* another one behind it: nothing changes */
        check_visit(there, "house.example", versions[i], &session, true);
        SSL_SESSION *kept = session;
        SSL_SESSION_up_ref(kept);
        gh_ticket_keys_tick(ours, now + 36 * HOURS);
        check_visit(here, "house.example", versions[i], &kept, false); /* its half-day is over */
        SSL_SESSION_free(kept);
        assert_true(gh_ticket_keys_share(ours, second, now) && gh_ticket_keys_share(theirs, first, now));
        check_visit(here, "house.example", versions[i], &session, false); /* another secret */
        check_visit(there, "house.example", versions[i], &session, false);
        assert_true(gh_ticket_keys_share(theirs, (struct gh_strs){ NULL, 0 }, now)); /* random again */
        check_visit(there, "house.example", versions[i], &session, false);
        check_visit(there, "house.example", versions[i], &session, true);
        SSL_SESSION_free(session);
        gh_tls_context_unref(here);
        gh_tls_context_unref(there);
        gh_ticket_keys_free(ours);
        gh_ticket_keys_free(theirs);
    }
}

static void test_early_data_is_not_offered(void **state)
{
    SSL_SESSION *session = first_ticket(TLS1_3_VERSION);
    assert_int_equal(SSL_SESSION_get_max_early_data(session), 0);
    SSL_SESSION_free(session);
}

/* ---- old and odd clients ---- */

static void check_client(int version, const char *ciphers, const char *groups, const char *alpn,
                         const char *words)
{
    struct peer peer;
    char *copy = groups != NULL ? strdup(groups) : NULL;
    peer_new(&peer, TLS_client_method(), version);
    if (ciphers != NULL)
        assert_int_equal(SSL_CTX_set_cipher_list(peer.ctx, ciphers), 1);
    if (copy != NULL)
        assert_int_equal(SSL_CTX_set1_groups_list(peer.ctx, copy), 1);
    if (alpn != NULL)
        SSL_CTX_set_alpn_protos(peer.ctx, (const unsigned char *)alpn, (unsigned)strlen(alpn));
    peer_ssl(&peer);
    SSL_set_connect_state(peer.ssl);
    peer.ours = gh_tls_accept(server);
    run(&peer);
    if (words == NULL && !peer.open)
        fail_msg("%s", gh_tls_why(peer.ours).ptr);
    if (words != NULL && !gh_str_contains(gh_tls_why(peer.ours), gh_str_from(words)))
        fail_msg("%s, not %s", gh_tls_why(peer.ours).ptr, words);
    assert_int_equal(peer.why, words == NULL ? GH_OK : GH_TLS_FAILED);
    peer_done(&peer);
    free(copy);
}

static void test_old_versions_and_suites_are_refused(void **state)
{
    check_client(TLS1_3_VERSION, NULL, NULL, NULL, NULL);
    check_client(TLS1_2_VERSION, NULL, NULL, NULL, NULL);
    check_client(TLS1_1_VERSION, NULL, NULL, NULL, "unsupported protocol");
    check_client(TLS1_2_VERSION, "ECDHE-ECDSA-CHACHA20-POLY1305", NULL, NULL, NULL);
    check_client(TLS1_2_VERSION, "ECDHE-ECDSA-AES128-SHA256", NULL, NULL, "no shared cipher");
    check_client(TLS1_2_VERSION, "AES128-GCM-SHA256", NULL, NULL, "no shared cipher");
    check_client(TLS1_2_VERSION, "DHE-RSA-AES128-GCM-SHA256", NULL, NULL, "no shared cipher");
    check_client(TLS1_3_VERSION, NULL, "X25519", NULL, NULL);
    check_client(TLS1_3_VERSION, NULL, "P-521:P-256", NULL, NULL); /* after a HelloRetryRequest */
    check_client(TLS1_3_VERSION, NULL, "P-521", NULL, "no suitable key share");
    check_client(TLS1_3_VERSION, NULL, NULL, "\x08http/1.0\x02h2", NULL);
    check_client(TLS1_3_VERSION, NULL, NULL, "\x08http/1.0", "no application protocol");
}

static void test_renegotiation_is_refused(void **state)
{
    struct peer peer = visit(server, "house.example", TLS1_2_VERSION, NULL);
    struct gh_buf send = { 0 };
    char bytes[4096];
    assert_true(peer.open);
    SSL_renegotiate(peer.ssl);
    SSL_do_handshake(peer.ssl);
    int n = BIO_read(SSL_get_wbio(peer.ssl), bytes, sizeof(bytes));
    assert_true(n > 0);
    assert_int_equal(gh_tls_read(peer.ours, gh_str_of(bytes, (size_t)n), &peer.plain, &send), GH_OK);
    BIO_write(SSL_get_rbio(peer.ssl), gh_buf_peek(&send).ptr, (int)gh_buf_len(&send));
    assert_int_not_equal(SSL_do_handshake(peer.ssl), 1); /* no_renegotiation */
    gh_buf_done(&send);
    peer_done(&peer);
}

/* ---- weak servers ---- */

static void check_server(const struct gh_identity *identity, int version, const char *ciphers,
                         const char *words)
{
    struct peer peer;
    struct gh_tls_context *client = NULL;
    struct gh_tls_client_conf conf = { .ca_file = gh_str_from(ca->cert_file) };
    char *why = NULL;
    assert_int_equal(gh_tls_client_context(&conf, &client, &why), GH_OK);
    peer_new(&peer, TLS_server_method(), version);
    assert_int_equal(SSL_CTX_use_certificate(peer.ctx, identity->cert), 1);
    assert_int_equal(SSL_CTX_use_PrivateKey(peer.ctx, identity->key), 1);
    if (ciphers != NULL)
        assert_int_equal(SSL_CTX_set_cipher_list(peer.ctx, ciphers), 1);
    peer_ssl(&peer);
    SSL_set_accept_state(peer.ssl);
    peer.ours = gh_tls_connect(client, GH_STR("house.example"));
    run(&peer);
    if (words == NULL && !peer.open)
        fail_msg("%s", gh_tls_why(peer.ours).ptr);
    if (words != NULL && !gh_str_contains(gh_tls_why(peer.ours), gh_str_from(words)))
        fail_msg("%s, not %s", gh_tls_why(peer.ours).ptr, words);
    assert_int_equal(peer.why, words == NULL ? GH_OK : GH_UPSTREAM_TLS);
    peer_done(&peer);
    gh_tls_context_unref(client);
}

static void check_weak(const char *key, const char *digest, const char *words)
{
    struct gh_identity *identity = gh_identity_new(&(struct gh_identity_plan){
        .name = "weak", .san = "DNS:house.example", .issuer = ca, .key = key, .digest = digest });
    check_server(identity, TLS1_3_VERSION, NULL, words);
    gh_identity_free(identity);
}

static void test_weak_servers_are_refused(void **state)
{
    check_server(house, TLS1_3_VERSION, NULL, NULL);
    check_server(house, TLS1_2_VERSION, NULL, NULL);
    check_server(house, TLS1_1_VERSION, NULL, "");
    check_server(house, TLS1_2_VERSION, "ECDHE-ECDSA-AES128-SHA256", "");
    check_weak("P-384", NULL, NULL);
    check_weak("P-256", "SHA1", "signature digest algorithm too weak");
    check_weak("RSA-1024", NULL, "EE certificate key too weak");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tickets_resume_under_their_name_only),
        cmocka_unit_test(test_ticket_keys_rotate_and_die),
        cmocka_unit_test(test_tickets_of_a_neighbour),
        cmocka_unit_test(test_early_data_is_not_offered),
        cmocka_unit_test(test_old_versions_and_suites_are_refused),
        cmocka_unit_test(test_renegotiation_is_refused),
        cmocka_unit_test(test_weak_servers_are_refused),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
