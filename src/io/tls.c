/* io/tls.c: one TLS session over a BIO of our own: bytes in, bytes out, nothing held between records. */
#include "io/tls.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/str.h"
#include "io/tls_private.h"

#define RECORD_HEADER 5
/* A client says a ClientHello and a Finished. A server may send chains of certificates. */
#define HANDSHAKE_MAX_IN  (32u * 1024)
#define HANDSHAKE_MAX_OUT (160u * 1024)

static BIO_METHOD *bio_method;
static pthread_once_t bio_once = PTHREAD_ONCE_INIT;

static void make_bio_method(void);
static void forget_errors(void);
static size_t record_len(gh_str at);
static bool complete_kept(struct gh_tls *tls, gh_str *rest);
static size_t whole_records(gh_str bytes, bool *strange);
static enum gh_reason pump(struct gh_tls *tls, char *plain, size_t cap, size_t *ret_len);
static enum gh_reason shake_hands(struct gh_tls *tls);
static enum gh_reason broken(struct gh_tls *tls, const char *why);
static enum gh_reason broken_ssl(struct gh_tls *tls);

static struct gh_tls *tls_new(struct gh_tls_context *context)
{
    pthread_once(&bio_once, make_bio_method);
    struct gh_tls *tls = gh_calloc(1, sizeof(*tls));
    if (tls == NULL)
        return NULL;
    tls->context = gh_tls_context_ref(context);
    tls->ssl = SSL_new(context->ssl[0]);
    BIO *bio = bio_method != NULL ? BIO_new(bio_method) : NULL;
    if (tls->ssl == NULL || bio == NULL) {
        BIO_free(bio);
        goto fail;
    }
    BIO_set_data(bio, tls);
    BIO_set_init(bio, 1);
    SSL_set_bio(tls->ssl, bio, bio);
    return tls;
fail:
    gh_tls_free(tls);
    return NULL;
}

struct gh_tls *gh_tls_accept(struct gh_tls_context *context)
{
    struct gh_tls *tls = tls_new(context);
    if (tls != NULL)
        SSL_set_accept_state(tls->ssl);
    return tls;
}

struct gh_tls *gh_tls_connect(struct gh_tls_context *context, gh_str name)
{
    char host[SNI_MAX + 1];
    if (name.len > 1 && name.ptr[name.len - 1] == '.') /* a certificate names no root dot */
        name.len--;
    if (name.len == 0 || name.len > SNI_MAX || memchr(name.ptr, '\0', name.len) != NULL)
        return NULL;
    memcpy(host, name.ptr, name.len);
    host[name.len] = '\0';
    struct gh_tls *tls = tls_new(context);
    if (tls == NULL)
        return NULL;
    tls->outgoing = true;
    SSL_set_connect_state(tls->ssl);
    if (X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(tls->ssl), host) == 1)
        return tls;
    ERR_clear_error();
    SSL_set_hostflags(tls->ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
    if (SSL_set1_host(tls->ssl, host) != 1 || SSL_set_tlsext_host_name(tls->ssl, host) != 1)
        goto fail;
    return tls;
fail:
    gh_tls_free(tls);
    return NULL;
}

void gh_tls_free(struct gh_tls *tls)
{
    if (tls == NULL)
        return;
    SSL_free(tls->ssl);
    gh_buf_done(&tls->kept);
    free(tls->sni);
    free(tls->why);
    gh_tls_context_unref(tls->context);
    free(tls);
}

enum gh_tls_state gh_tls_state(const struct gh_tls *tls)
{
    return tls->state;
}

/* ---- bytes in ---- */

enum gh_reason gh_tls_read(struct gh_tls *tls, gh_str cipher, struct gh_buf *plain, struct gh_buf *send)
{
    size_t cap = cipher.len + GH_TLS_RECORD_MAX, len = 0;
    char *to = gh_buf_reserve(plain, cap);
    if (to == NULL)
        return broken(tls, "out of memory");
    enum gh_reason why = gh_tls_feed(tls, cipher, to, cap, &len, send);
    gh_buf_commit(plain, len);
    gh_buf_trim(plain);
    return why;
}

enum gh_reason gh_tls_feed(struct gh_tls *tls, gh_str cipher, char *plain, size_t cap, size_t *ret_len,
                           struct gh_buf *send)
{
    gh_str rest = cipher;
    *ret_len = 0;
    if (tls->state == GH_TLS_CLOSED)
        return GH_OK;
    if (tls->state == GH_TLS_ERROR || cap < cipher.len + gh_buf_len(&tls->kept))
        return broken(tls, "used after its end");
    if (!complete_kept(tls, &rest))
        return broken(tls, "out of memory");
    gh_str kept = gh_buf_peek(&tls->kept);
    size_t kept_record = record_len(kept);
    if (kept.len != 0 && kept_record > kept.len)
        return GH_OK;
    bool strange = kept.len != 0 && kept_record == 0;
    size_t whole = whole_records(rest, &strange);
    tls->first = kept;
    tls->input = gh_str_take(rest, whole);
    tls->send = send;
    enum gh_reason why = pump(tls, plain, cap, ret_len);
    tls->send = NULL;
    tls->first = tls->input = GH_STR_NONE;
    gh_buf_consume(&tls->kept, kept.len);
    if (why == GH_OK && strange) /* such as the first half of an SSL 2 hello */
        why = broken(tls, "this is no TLS record");
    if (why == GH_OK && tls->state != GH_TLS_CLOSED && !gh_buf_add(&tls->kept, gh_str_skip(rest, whole)))
        why = broken(tls, "out of memory");
    gh_buf_trim(&tls->kept);
    return why;
}

/* The whole length of the record that begins here; RECORD_HEADER while its header is not all there; 0 when
 * this is no TLS record, so that OpenSSL says what is wrong. RFC 5246 section 6.2.3: at most 2^14 + 2048. */
static size_t record_len(gh_str at)
{
    const unsigned char *bytes = (const unsigned char *)at.ptr;
    if (at.len < RECORD_HEADER)
        return RECORD_HEADER;
    size_t len = (size_t)bytes[3] << 8 | bytes[4];
    if (bytes[0] < 20 || bytes[0] > 23 || bytes[1] != 3 || len + RECORD_HEADER > GH_TLS_RECORD_MAX)
        return 0;
    return RECORD_HEADER + len;
}

/* Moves bytes from *rest behind the kept ones until these are one whole record. False: out of memory. */
static bool complete_kept(struct gh_tls *tls, gh_str *rest)
{
    for (;;) {
        gh_str kept = gh_buf_peek(&tls->kept);
        size_t want = record_len(kept);
        if (kept.len == 0 || want <= kept.len || rest->len == 0)
            return true;
        gh_str more = gh_str_take(*rest, want - kept.len);
        if (!gh_buf_add(&tls->kept, more))
            return false;
        *rest = gh_str_skip(*rest, more.len);
    }
}

/* All of them where something is no record at all: OpenSSL finds better words for it than we. */
static size_t whole_records(gh_str bytes, bool *strange)
{
    size_t at = 0;
    for (;;) {
        gh_str rest = gh_str_skip(bytes, at);
        size_t len = record_len(rest);
        if (len == 0) {
            *strange = true;
            return bytes.len;
        }
        if (rest.len < RECORD_HEADER || len > rest.len)
            return at;
        at += len;
    }
}

/* OpenSSL sees whole records only, so that it gives its buffers back after each. */
static enum gh_reason pump(struct gh_tls *tls, char *plain, size_t cap, size_t *ret_len)
{
    size_t len = 0;
    forget_errors();
    if (tls->state == GH_TLS_HANDSHAKE) {
        enum gh_reason why = shake_hands(tls);
        if (why != GH_OK || tls->state == GH_TLS_HANDSHAKE)
            return why;
    }
    while (tls->first.len + tls->input.len != 0 || SSL_pending(tls->ssl) != 0) {
        size_t got = 0;
        if (SSL_read_ex(tls->ssl, plain + len, cap - len, &got) == 1) {
            len += got;
            *ret_len = len;
            continue;
        }
        switch (SSL_get_error(tls->ssl, 0)) {
        case SSL_ERROR_WANT_READ:
            continue; /* that record carried no text */
        case SSL_ERROR_ZERO_RETURN:
            tls->state = GH_TLS_CLOSED;
            return GH_OK;
        default:
            return broken_ssl(tls);
        }
    }
    return GH_OK;
}

static enum gh_reason shake_hands(struct gh_tls *tls)
{
    int done = SSL_do_handshake(tls->ssl);
    if (done == 1) {
        tls->state = GH_TLS_OPEN;
        return GH_OK;
    }
    if (SSL_get_error(tls->ssl, done) == SSL_ERROR_WANT_READ)
        return GH_OK;
    return broken_ssl(tls);
}

static enum gh_reason broken(struct gh_tls *tls, const char *why)
{
    if (tls->why == NULL)
        tls->why = strdup(why);
    tls->state = GH_TLS_ERROR;
    return tls->outgoing ? GH_UPSTREAM_TLS : GH_TLS_FAILED;
}

static enum gh_reason broken_ssl(struct gh_tls *tls)
{
    char text[160];
    long verdict = SSL_get_verify_result(tls->ssl);
    const char *words = gh_tls_error_words();
    if (!tls->outgoing || verdict == X509_V_OK)
        return broken(tls, words);
    snprintf(text, sizeof(text), "%s: %s", words, X509_verify_cert_error_string(verdict));
    return broken(tls, text);
}

/* SSL_get_error reads the thread's queue, which must be empty before; it nearly always is, and asking costs a
 * tenth of clearing. */
static void forget_errors(void)
{
    if (ERR_peek_error() != 0)
        ERR_clear_error();
}

/* ---- bytes out ---- */

enum gh_reason gh_tls_start(struct gh_tls *tls, struct gh_buf *send)
{
    if (!tls->outgoing)
        return GH_OK;
    tls->send = send;
    forget_errors();
    enum gh_reason why = shake_hands(tls);
    tls->send = NULL;
    return why;
}

enum gh_reason gh_tls_write(struct gh_tls *tls, gh_str plain, struct gh_buf *send)
{
    size_t wrote = 0;
    if (plain.len == 0)
        return GH_OK;
    if (tls->state == GH_TLS_HANDSHAKE || tls->state == GH_TLS_ERROR || tls->close_sent)
        return broken(tls, "written to out of time");
    tls->send = send;
    forget_errors();
    int ok = SSL_write_ex(tls->ssl, plain.ptr, plain.len, &wrote);
    tls->send = NULL;
    if (ok != 1 || wrote != plain.len)
        return broken_ssl(tls);
    return GH_OK;
}

void gh_tls_close(struct gh_tls *tls, struct gh_buf *send)
{
    if (tls->close_sent || tls->state == GH_TLS_HANDSHAKE || tls->state == GH_TLS_ERROR)
        return;
    tls->close_sent = true;
    tls->send = send;
    forget_errors();
    if (SSL_shutdown(tls->ssl) < 0)
        ERR_clear_error(); /* the peer finds a bare end, as if we had died */
    tls->send = NULL;
}

/* ---- what is known of it ---- */

gh_str gh_tls_alpn(const struct gh_tls *tls)
{
    const unsigned char *name = NULL;
    unsigned len = 0;
    SSL_get0_alpn_selected(tls->ssl, &name, &len);
    return gh_str_of(name, len);
}

gh_str gh_tls_sni(const struct gh_tls *tls)
{
    return gh_str_from(tls->sni);
}

bool gh_tls_was_resumed(const struct gh_tls *tls)
{
    return SSL_session_reused(tls->ssl) == 1;
}

gh_str gh_tls_version(const struct gh_tls *tls)
{
    return gh_str_from(SSL_get_version(tls->ssl));
}

gh_str gh_tls_why(const struct gh_tls *tls)
{
    return gh_str_from(tls->why);
}

struct gh_tls *gh_tls_of(const SSL *ssl)
{
    return BIO_get_data(SSL_get_rbio(ssl));
}

/* ---- the BIO ---- */

static int bio_read(BIO *bio, char *out, size_t want, size_t *got)
{
    struct gh_tls *tls = BIO_get_data(bio);
    gh_str *from = tls->first.len != 0 ? &tls->first : &tls->input;
    size_t n = from->len < want ? from->len : want;
    BIO_clear_retry_flags(bio);
    if (tls->state == GH_TLS_HANDSHAKE) {
        tls->handshake_bytes += n;
        if (tls->handshake_bytes > (tls->outgoing ? HANDSHAKE_MAX_OUT : HANDSHAKE_MAX_IN)) {
            broken(tls, "the handshake is too large");
            return 0;
        }
    }
    if (n == 0) {
        BIO_set_retry_read(bio);
        return 0;
    }
    memcpy(out, from->ptr, n);
    *from = gh_str_skip(*from, n);
    *got = n;
    return 1;
}

static int bio_write(BIO *bio, const char *bytes, size_t len, size_t *wrote)
{
    struct gh_tls *tls = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    if (tls->send == NULL || !gh_buf_add(tls->send, gh_str_of(bytes, len)))
        return 0;
    *wrote = len;
    return 1;
}

static long bio_ctrl(BIO *bio, int command, long number, void *ptr)
{
    return command == BIO_CTRL_FLUSH ? 1 : 0;
}

static void make_bio_method(void)
{
    bio_method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "gatehouse");
    if (bio_method == NULL)
        return;
    BIO_meth_set_read_ex(bio_method, bio_read);
    BIO_meth_set_write_ex(bio_method, bio_write);
    BIO_meth_set_ctrl(bio_method, bio_ctrl);
}
