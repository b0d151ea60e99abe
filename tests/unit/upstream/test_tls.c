/* upstream/test_tls.c: TLS towards servers: the certificate is always verified, ALPN decides the protocol, a
 * cut is no end. */
#include <openssl/ssl.h>

#include "notes.h"
#include "support/certs.h"

static struct gh_identity *ca, *stranger, *good, *client;

static int set_up(void **state)
{
    ca = gh_identity_new(&(struct gh_identity_plan){ .name = "ca", .ca = true });
    stranger = gh_identity_new(&(struct gh_identity_plan){ .name = "stranger", .ca = true });
    good = gh_identity_new(
        &(struct gh_identity_plan){ .name = "good", .san = "IP:127.0.0.1,DNS:localhost", .issuer = ca });
    client =
        gh_identity_new(&(struct gh_identity_plan){ .name = "client", .san = "DNS:gatehouse", .issuer = ca });
    return 0;
}
static int tear_down(void **state)
{
    gh_identity_free(ca);
    gh_identity_free(stranger);
    gh_identity_free(good);
    gh_identity_free(client);
    return 0;
}

/* A plain OpenSSL server on one connection. */
struct tls_server {
    SSL_CTX *ctx;
    SSL *ssl;
    int fd;
};
static int choose_h2(SSL *ssl, const unsigned char **out, unsigned char *out_len, const unsigned char *in,
                     unsigned in_len, void *arg)
{
    static const unsigned char h2[] = "\x02h2";
    return SSL_select_next_proto((unsigned char **)(uintptr_t)out, out_len, h2, 3, in, in_len) ==
                   OPENSSL_NPN_NEGOTIATED
               ? SSL_TLSEXT_ERR_OK
               : SSL_TLSEXT_ERR_NOACK;
}
static void tls_accept(struct world *w, struct tls_server *server, const struct gh_identity *identity,
                       bool h2, bool ask)
{
    *server = (struct tls_server){ .ctx = SSL_CTX_new(TLS_server_method()), .fd = server_accept(w, 0) };
    assert_true(server->fd >= 0);
    SSL_CTX_set_security_level(server->ctx, 0);
    assert_int_equal(SSL_CTX_use_certificate(server->ctx, identity->cert), 1);
    assert_int_equal(SSL_CTX_use_PrivateKey(server->ctx, identity->key), 1);
    if (h2)
        SSL_CTX_set_alpn_select_cb(server->ctx, choose_h2, NULL);
    if (ask) {
        SSL_CTX_load_verify_locations(server->ctx, ca->cert_file, NULL);
        SSL_CTX_set_verify(server->ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    }
    server->ssl = SSL_new(server->ctx);
    SSL_set_fd(server->ssl, server->fd);
    for (int i = 0; i < 20 && SSL_accept(server->ssl) != 1; i++)
        turns(w, 2);
    turns(w, 2);
}
static const char *tls_read(struct world *w, struct tls_server *server, const char *until)
{
    static char text[8192];
    int len = 0;
    for (int i = 0; i < 40; i++) {
        int got = SSL_read(server->ssl, text + len, (int)sizeof(text) - 1 - len);
        len += got > 0 ? got : 0;
        text[len] = '\0';
        if (strstr(text, until) != NULL)
            return text;
        turns(w, 2);
    }
    fail_msg("wanted %s, got %s", until, text);
    return text;
}
static void tls_send(struct world *w, struct tls_server *server, const char *text)
{
    assert_int_equal(SSL_write(server->ssl, text, (int)strlen(text)), strlen(text));
    turns(w, 3);
}
static void tls_close(struct tls_server *server)
{
    SSL_free(server->ssl);
    SSL_CTX_free(server->ctx);
    close(server->fd);
}

static struct world *tls_world(const char *host)
{
    struct world *w = world_new(1);
    gh_str url = gh_arena_printf(w->arena, "https://%s:%u/mcp", host, w->servers[0].port);
    assert_int_equal(gh_url_read(w->arena, url, &w->urls[0]), GH_OK);
    w->conf.ca_file = gh_str_from(ca->cert_file);
    return w;
}

static void a_trusted_server_is_called(void **state)
{
    static const char *const hosts[] = { "127.0.0.1", "localhost" };
    for (int i = 0; i < 2; i++) {
        struct world *w = tls_world(hosts[i]);
        world_open(w);
        struct note *note = call_post(w, "abc");
        struct tls_server server;
        tls_accept(w, &server, good, false, false);
        tls_read(w, &server, "\r\n\r\nabc");
        const char *sni = SSL_get_servername(server.ssl, TLSEXT_NAMETYPE_host_name);
        if (i == 0)
            assert_null(sni); /* an address is no name */
        else
            assert_string_equal(sni, "localhost");
        tls_send(w, &server, "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello");
        expect_answer(note, 200, "hello");
        note = call_get(w);
        tls_read(w, &server, "GET /mcp");
        tls_send(w, &server, "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nagain");
        expect_answer(note, 200, "again");
        assert_int_equal(w->stats.upstream_reuses, 1);
        tls_close(&server);
        world_free(w);
    }
}

/* threats.md T6. */
static void bad_servers_are_not_called(void **state)
{
    struct gh_identity *leaf =
        gh_identity_new(&(struct gh_identity_plan){ .name = "leaf", .san = "DNS:leaf", .issuer = ca });
    const struct {
        const char *host;
        struct gh_identity_plan plan;
    } bad[] = {
        { "127.0.0.1", { .name = "other-address", .san = "IP:127.0.0.2", .issuer = ca } },
        { "127.0.0.1", { .name = "address-as-name", .san = "DNS:127.0.0.1", .issuer = ca } },
        { "localhost", { .name = "other-name", .san = "DNS:elsewhere", .issuer = ca } },
        { "localhost", { .name = "localhost", .issuer = ca } }, /* in the common name alone */
        { "localhost", { .name = "below", .san = "DNS:*.localhost", .issuer = ca } },
        { "127.0.0.1",
          { .name = "expired", .san = "IP:127.0.0.1", .issuer = ca, .from_s = -7200, .to_s = -3600 } },
        { "127.0.0.1",
          { .name = "not-yet", .san = "IP:127.0.0.1", .issuer = ca, .from_s = 3600, .to_s = 7200 } },
        { "127.0.0.1", { .name = "self-signed", .san = "IP:127.0.0.1" } },
        { "127.0.0.1", { .name = "of-a-stranger", .san = "IP:127.0.0.1", .issuer = stranger } },
        { "127.0.0.1", { .name = "of-no-authority", .san = "IP:127.0.0.1", .issuer = leaf } },
        { "127.0.0.1", { .name = "sha1", .san = "IP:127.0.0.1", .issuer = ca, .digest = "SHA1" } },
        { "127.0.0.1", { .name = "small-key", .san = "IP:127.0.0.1", .issuer = ca, .key = "RSA-1024" } },
    };
    for (size_t i = 0; i < GH_ARRAY_LEN(bad); i++) {
        struct world *w = tls_world(bad[i].host);
        world_open(w);
        struct gh_identity *identity = gh_identity_new(&bad[i].plan);
        struct note *note = call_post(w, "secret");
        struct tls_server server;
        tls_accept(w, &server, identity, false, false);
        char bytes[64];
        if (note->fails != 1)
            print_message("# server: %s\n", bad[i].plan.name);
        assert_true(SSL_read(server.ssl, bytes, sizeof(bytes)) <= 0);
        expect_fail(note, GH_UPSTREAM_TLS);
        tls_close(&server);
        gh_identity_free(identity);
        world_free(w);
    }
    gh_identity_free(leaf);
}

static void a_server_without_tls_is_not_called(void **state)
{
    struct world *w = tls_world("127.0.0.1");
    world_open(w);
    struct note *note = call_post(w, "secret");
    int fd = server_accept(w, 0);
    server_send(w, fd, "HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n");
    expect_fail(note, GH_UPSTREAM_TLS);
    close(fd);
    note = call_post(w, "secret"); /* one that says nothing */
    fd = server_accept(w, 0);
    pass(w, 2200);
    expect_fail(note, GH_UPSTREAM_TIMEOUT);
    close(fd);
    world_free(w);
}

static void only_close_notify_is_an_end(void **state)
{
    for (int notify = 0; notify < 2; notify++) {
        struct world *w = tls_world("127.0.0.1");
        world_open(w);
        struct note *note = call_get(w);
        struct tls_server server;
        tls_accept(w, &server, good, false, false);
        tls_read(w, &server, "\r\n\r\n");
        tls_send(w, &server, "HTTP/1.1 200 OK\r\n\r\nhello");
        if (notify)
            SSL_shutdown(server.ssl);
        shutdown(server.fd, SHUT_WR);
        turns(w, 4);
        if (notify)
            expect_answer(note, 200, "hello");
        else
            expect_fail(note, GH_UPSTREAM_ABORTED);
        tls_close(&server);
        world_free(w);
    }
}

static void the_gateway_shows_its_certificate(void **state)
{
    for (int shown = 0; shown < 2; shown++) {
        struct world *w = tls_world("127.0.0.1");
        if (shown) {
            w->conf.certificate_file = gh_str_from(client->cert_file);
            w->conf.key_file = gh_str_from(client->key_file);
        }
        world_open(w);
        struct note *note = call_get(w);
        struct tls_server server;
        tls_accept(w, &server, good, false, true);
        if (shown) {
            tls_read(w, &server, "\r\n\r\n");
            tls_send(w, &server, "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
            expect_answer(note, 200, "");
        } else {
            turns(w, 4);
            assert_int_equal(note->fails, 1);
            free(note);
        }
        tls_close(&server);
        world_free(w);
    }
}

/* With GH_UPSTREAM_AUTO the first handshake tells; the calls that came meanwhile share what it found. */
static void alpn_decides(void **state)
{
    for (int h2 = 0; h2 < 2; h2++) {
        struct world *w = tls_world("127.0.0.1");
        world_open(w);
        struct note *a = call_get(w), *b = call_get(w);
        struct tls_server first, second = { 0 };
        tls_accept(w, &first, good, h2, false);
        if (h2) {
            tls_read(w, &first, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
            tls_send(w, &first, "HTTP/1.1 400 not what was agreed\r\n\r\n");
            expect_fail(a, GH_UPSTREAM_MALFORMED);
            expect_fail(b, GH_UPSTREAM_MALFORMED);
            assert_int_equal(w->stats.upstream_connects, 1);
        } else {
            tls_read(w, &first, "GET /mcp");
            tls_accept(w, &second, good, h2, false);
            tls_read(w, &second, "GET /mcp");
            tls_send(w, &first, "HTTP/1.1 204 X\r\n\r\n");
            tls_send(w, &second, "HTTP/1.1 204 X\r\n\r\n");
            expect_answer(a, 204, "");
            expect_answer(b, 204, "");
            tls_close(&second);
        }
        tls_close(&first);
        world_free(w);
    }
}

static void http2_is_not_taken_for_granted(void **state)
{
    struct world *w = tls_world("127.0.0.1");
    w->conf.http = GH_UPSTREAM_HTTP2;
    world_open(w);
    struct note *note = call_get(w);
    struct tls_server server;
    tls_accept(w, &server, good, false, false);
    expect_fail(note, GH_UPSTREAM_TLS);
    tls_close(&server);
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_trusted_server_is_called),         cmocka_unit_test(bad_servers_are_not_called),
        cmocka_unit_test(a_server_without_tls_is_not_called), cmocka_unit_test(only_close_notify_is_an_end),
        cmocka_unit_test(the_gateway_shows_its_certificate),  cmocka_unit_test(alpn_decides),
        cmocka_unit_test(http2_is_not_taken_for_granted),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
