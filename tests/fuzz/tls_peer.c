/* fuzz/tls_peer.c: our TLS sessions against bytes of any kind, and against OpenSSL's own client on a bad
 * wire. */
#include "fuzz/tls_peer.h"

#include <openssl/crypto.h>
#include <openssl/ssl.h>

#include "io/tls.h"
#include "support/certs.h"

/* A script writes up to 255 times this at once: more than a record holds. */
#define UNIT 67

/* ---- contexts: made once, for they cost a thousand times what reading does */

static struct {
    struct gh_tls_context *server, *client;
    SSL_CTX *other;
    SSL_SESSION *resumed;
    char text[1 << 16];
} all;

/* OpenSSL's memory comes from the C library itself: what it allocates is not looked at by the sanitizers'
 * checks anyway, for it is not built with them, and their allocator costs more than all it does. */
extern void *__libc_malloc(size_t size);
extern void *__libc_realloc(void *old, size_t size);
extern void __libc_free(void *old);

static void *ssl_malloc(size_t size, const char *file, int line)
{
    return __libc_malloc(size);
}

static void *ssl_realloc(void *old, size_t size, const char *file, int line)
{
    return __libc_realloc(old, size);
}

static void ssl_free(void *old, const char *file, int line)
{
    __libc_free(old);
}

__attribute__((constructor)) static void take_memory(void)
{
    (void)CRYPTO_set_mem_functions(ssl_malloc, ssl_realloc, ssl_free);
}

static void make_all(void)
{
    struct gh_identity *me =
        gh_identity_new(&(struct gh_identity_plan){ .name = "fuzz", .san = "DNS:fuzz.example" });
    struct gh_tls_pair pair = { gh_str_from(me->cert_file), gh_str_from(me->key_file) };
    struct gh_tls_server_conf server = { .pairs = &pair, .pair_count = 1, .h2 = true };
    struct gh_tls_client_conf client = { .ca_file = pair.certificate_file, .h2 = true };
    char *why = NULL;
    GH_HOLDS(gh_tls_server_context(&server, gh_ticket_keys_new(), &all.server, &why) == GH_OK);
    GH_HOLDS(gh_tls_client_context(&client, &all.client, &why) == GH_OK);
    gh_identity_free(me);
    all.other = SSL_CTX_new(TLS_client_method());
    /* Sessions of TLS 1.2 resume without an exchange of keys. */
    GH_HOLDS(all.other != NULL && SSL_CTX_set_max_proto_version(all.other, TLS1_2_VERSION) == 1);
    for (size_t i = 0; i < sizeof(all.text); i++)
        all.text[i] = (char)(i * 7 + i / 256);
}

/* ---- any bytes */

void gh_fuzz_tls_bytes(bool to_client, gh_str bytes, size_t cut)
{
    struct gh_buf plain = { 0 }, send = { 0 };
    if (all.server == NULL)
        make_all();
    gh_str name = cut % 2 == 0 ? GH_STR("fuzz.example.") : GH_STR("192.0.2.1");
    struct gh_tls *tls = to_client ? gh_tls_connect(all.client, name) : gh_tls_accept(all.server);
    GH_HOLDS(tls != NULL && gh_tls_start(tls, &send) == GH_OK);
    enum gh_reason reason = gh_tls_read(tls, gh_str_take(bytes, cut), &plain, &send);
    if (reason == GH_OK)
        reason = gh_tls_read(tls, gh_str_skip(bytes, cut), &plain, &send);
    GH_HOLDS((reason != GH_OK) == (gh_tls_state(tls) == GH_TLS_ERROR));
    GH_HOLDS(reason == GH_OK || gh_tls_why(tls).len != 0);
    GH_HOLDS(reason == GH_OK || gh_tls_read(tls, bytes, &plain, &send) != GH_OK);
    GH_HOLDS(gh_tls_write(tls, GH_STR("early"), &send) != GH_OK);
    GH_HOLDS(gh_buf_len(&plain) == 0 && gh_fuzz_is_visible(gh_tls_sni(tls)));
    gh_tls_free(tls);
    gh_buf_done(&plain);
    gh_buf_done(&send);
}

/* ---- an honest client */

struct session {
    struct gh_tls *server;
    SSL *client;
    struct gh_buf wire; /* from the client, not delivered yet */
    struct gh_buf plain, send;
    size_t written;
    bool tampered, failed, closed;
};

static void to_wire(struct session *s)
{
    char bytes[4096];
    int n;
    while ((n = BIO_read(SSL_get_wbio(s->client), bytes, sizeof(bytes))) > 0)
        GH_HOLDS(gh_buf_add(&s->wire, gh_str_of(bytes, (size_t)n)));
}

static void deliver(struct session *s, size_t n)
{
    gh_str bytes = gh_str_take(gh_buf_peek(&s->wire), n);
    if (s->failed || bytes.len == 0)
        return;
    s->failed = gh_tls_read(s->server, bytes, &s->plain, &s->send) != GH_OK;
    gh_buf_consume(&s->wire, bytes.len);
    gh_str got = gh_buf_peek(&s->plain), sent = gh_buf_peek(&s->send);
    GH_HOLDS(s->tampered || !s->failed);
    GH_HOLDS(got.len <= s->written && (got.len == 0 || memcmp(got.ptr, all.text, got.len) == 0));
    if (sent.len != 0)
        (void)BIO_write(SSL_get_rbio(s->client), sent.ptr, (int)sent.len);
    gh_buf_consume(&s->send, sent.len);
}

static void client_write(struct session *s, size_t n)
{
    size_t wrote = 0, room = sizeof(all.text) - s->written;
    n = n < room ? n : room;
    if (n == 0 || s->closed || SSL_write_ex(s->client, all.text + s->written, n, &wrote) != 1)
        return;
    s->written += wrote;
    to_wire(s);
}

static void server_write(struct session *s, size_t n)
{
    char bytes[255 * UNIT];
    size_t got = 0, read = 0;
    if (s->failed || n == 0 || gh_tls_write(s->server, gh_str_of(all.text, n), &s->send) != GH_OK)
        return;
    gh_str sent = gh_buf_peek(&s->send);
    (void)BIO_write(SSL_get_rbio(s->client), sent.ptr, (int)sent.len);
    gh_buf_consume(&s->send, sent.len);
    while (read < n && SSL_read_ex(s->client, bytes + read, n - read, &got) == 1)
        read += got;
    GH_HOLDS(s->tampered || s->closed || (read == n && memcmp(bytes, all.text, n) == 0));
    to_wire(s);
}

static void shake_hands(struct session *s)
{
    s->client = SSL_new(all.other);
    s->server = gh_tls_accept(all.server);
    GH_HOLDS(s->client != NULL && s->server != NULL);
    SSL_set_bio(s->client, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    /* A copy: an alert would end the session for all the scripts that come. */
    SSL_SESSION *resumed = all.resumed != NULL ? SSL_SESSION_dup(all.resumed) : NULL;
    if (resumed != NULL)
        (void)SSL_set_session(s->client, resumed);
    SSL_SESSION_free(resumed);
    for (int turns = 0; turns < 4 && SSL_connect(s->client) != 1; turns++) {
        to_wire(s);
        deliver(s, SIZE_MAX);
    }
    to_wire(s);
    deliver(s, SIZE_MAX);
    GH_HOLDS(gh_tls_state(s->server) == GH_TLS_OPEN && SSL_is_init_finished(s->client));
    GH_HOLDS(gh_tls_alpn(s->server).len == 0 && gh_str_eq(gh_tls_version(s->server), GH_STR("TLSv1.2")));
    GH_HOLDS(!gh_tls_was_resumed(s->server) || all.resumed != NULL);
    if (gh_tls_was_resumed(s->server))
        return;
    SSL_SESSION_free(all.resumed); /* none yet, or too old */
    all.resumed = SSL_get1_session(s->client);
}

/* One step: what to do, and how much of it. */
static void act(struct session *s, unsigned what, size_t n, gh_str *script)
{
    gh_str raw = GH_STR_NONE;
    switch (what % 8) {
    case 0:
    case 1:
        client_write(s, n * UNIT);
        break;
    case 2:
        server_write(s, n * UNIT);
        break;
    case 3: /* bytes that the client never wrote */
        raw = gh_str_take(*script, n);
        s->tampered = s->tampered || raw.len != 0;
        GH_HOLDS(gh_buf_add(&s->wire, raw));
        *script = gh_str_skip(*script, n);
        break;
    case 4:
        if (gh_buf_len(&s->wire) != 0) {
            s->wire.base[s->wire.start + n % gh_buf_len(&s->wire)] ^= 1;
            s->tampered = true;
        }
        break;
    case 5:
        s->closed = true;
        (void)SSL_shutdown(s->client);
        to_wire(s);
        break;
    default:
        deliver(s, n);
        break;
    }
}

void gh_fuzz_tls_script(gh_str script)
{
    struct session s = { 0 };
    if (all.server == NULL)
        make_all();
    shake_hands(&s);
    while (script.len >= 2) {
        unsigned what = (unsigned char)script.ptr[0];
        size_t n = (unsigned char)script.ptr[1];
        script = gh_str_skip(script, 2);
        act(&s, what, n, &script);
    }
    deliver(&s, SIZE_MAX);
    GH_HOLDS(s.tampered || (gh_buf_len(&s.plain) == s.written && !s.failed));
    GH_HOLDS(s.tampered || (gh_tls_state(s.server) == GH_TLS_CLOSED) == s.closed);
    gh_tls_close(s.server, &s.send);
    SSL_set_shutdown(s.client, SSL_SENT_SHUTDOWN); /* else the next one could not resume */
    SSL_free(s.client);
    gh_tls_free(s.server);
    gh_buf_done(&s.wire);
    gh_buf_done(&s.plain);
    gh_buf_done(&s.send);
}
