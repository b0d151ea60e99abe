/* io/tls_server.c: contexts that accept: the certificate by SNI, the protocol by ALPN, tickets bound to the
 * name. */
#include <openssl/err.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/str.h"
#include "io/tls_private.h"

/* A ticket dies before the oldest key that could open it. */
#define TICKET_SECONDS (12 * 3600)

static enum gh_reason fill(struct gh_tls_context *context, const struct gh_tls_server_conf *conf,
                           char **ret_why);
static SSL_CTX *server_ctx(void);
static enum gh_reason note_leaf(struct gh_tls_context *context, size_t pair, X509 *leaf);
static int on_client_hello(SSL *ssl, int *alert, void *arg);
static int on_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_len, const unsigned char *in,
                   unsigned in_len, void *arg);

enum gh_reason gh_tls_server_context(const struct gh_tls_server_conf *conf, struct gh_ticket_keys *tickets,
                                     struct gh_tls_context **ret_context, char **ret_why)
{
    if (conf->pair_count == 0)
        return gh_tls_refuse(ret_why, "no certificate is given");
    struct gh_tls_context *context = gh_tls_context_new(conf->pair_count);
    if (context == NULL)
        return gh_tls_refuse(ret_why, "out of memory");
    context->h2 = conf->h2;
    context->tickets = tickets;
    enum gh_reason why = fill(context, conf, ret_why);
    if (why == GH_OK)
        *ret_context = context;
    else
        gh_tls_context_unref(context);
    return why;
}

static enum gh_reason fill(struct gh_tls_context *context, const struct gh_tls_server_conf *conf,
                           char **ret_why)
{
    for (size_t i = 0; i < conf->pair_count; i++) {
        SSL_CTX *ctx = context->ssl[i] = server_ctx();
        if (ctx == NULL)
            return gh_tls_refuse(ret_why, "TLS cannot be set up: %s", gh_tls_error_words());
        enum gh_reason why =
            gh_tls_use_pair(ctx, conf->pairs[i].certificate_file, conf->pairs[i].key_file, ret_why);
        if (why != GH_OK)
            return why;
        size_t names = context->entry_count;
        if (note_leaf(context, i, SSL_CTX_get0_certificate(ctx)) != GH_OK)
            return gh_tls_refuse(ret_why, "out of memory");
        if (i > 0 && context->entry_count == names)
            return gh_tls_refuse(ret_why, "%.*s: names no host that an earlier certificate does not serve",
                                 GH_STR_FMT(conf->pairs[i].certificate_file));
    }
    return GH_OK;
}

static SSL_CTX *server_ctx(void)
{
    char groups[] = "X25519:P-256";
    SSL_CTX *ctx = gh_tls_ssl_ctx(TLS_server_method());
    if (ctx == NULL)
        return NULL;
    SSL_CTX_set_client_hello_cb(ctx, on_client_hello, NULL);
    SSL_CTX_set_alpn_select_cb(ctx, on_alpn, NULL);
    SSL_CTX_set_verify(ctx, SSL_VERIFY_NONE, NULL);
    SSL_CTX_set_timeout(ctx, TICKET_SECONDS);
    if (SSL_CTX_set1_groups_list(ctx, groups) != 1 || SSL_CTX_set_num_tickets(ctx, 1) != 1 ||
        SSL_CTX_set_tlsext_ticket_key_evp_cb(ctx, gh_tls_ticket_key) != 1) {
        SSL_CTX_free(ctx);
        return NULL;
    }
    return ctx;
}

static enum gh_reason note_leaf(struct gh_tls_context *context, size_t pair, X509 *leaf)
{
    struct tm end = { 0 };
    if (ASN1_TIME_to_tm(X509_get0_notAfter(leaf), &end) == 1) {
        int64_t expires = timegm(&end);
        if (pair == 0 || expires < context->expires)
            context->expires = expires;
    }
    if (pair == 0) {
        BIGNUM *number = ASN1_INTEGER_to_BN(X509_get0_serialNumber(leaf), NULL);
        char *hex = number != NULL ? BN_bn2hex(number) : NULL;
        if (hex != NULL)
            snprintf(context->serial, sizeof(context->serial), "%s", hex);
        OPENSSL_free(hex);
        BN_free(number);
    }
    return gh_tls_names_add(context, pair, leaf);
}

/* RFC 6066 section 3: ServerNameList with one host_name. Anything else counts as no name; what is malformed
 * OpenSSL refuses by itself. */
static gh_str read_sni(SSL *ssl)
{
    const unsigned char *ext;
    size_t len;
    if (SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_server_name, &ext, &len) != 1 || len < 5 || ext[2] != 0)
        return GH_STR_NONE;
    size_t name_len = (size_t)ext[3] << 8 | ext[4];
    if (name_len + 5 != len || name_len > SNI_MAX)
        return GH_STR_NONE;
    return gh_str_of(ext + 5, name_len);
}

/* Lower case; NULL for what no host is called. */
static char *host_name(gh_str raw)
{
    char *name = raw.len != 0 ? gh_malloc(raw.len + 1) : NULL;
    for (size_t i = 0; name != NULL && i < raw.len; i++) {
        char c = raw.ptr[i];
        if (c >= 'A' && c <= 'Z')
            c = (char)(c | 0x20);
        if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c != '-' && c != '.' && c != '_') {
            free(name);
            return NULL;
        }
        name[i] = c;
        name[i + 1] = '\0';
    }
    return name;
}

/* Runs before any ticket is opened: the session's id context carries the name, so that a ticket of one name
 * resumes nothing under another but leads to a full handshake. */
static int on_client_hello(SSL *ssl, int *alert, void *arg)
{
    struct gh_tls *tls = gh_tls_of(ssl);
    unsigned char bound[32];
    if (tls->sni == NULL) /* a second ClientHello, after HelloRetryRequest, repeats the name */
        tls->sni = host_name(read_sni(ssl));
    gh_str name = gh_str_from(tls->sni);
    size_t pair = gh_tls_names_find(tls->context, name);
    if (pair != 0 && SSL_set_SSL_CTX(ssl, tls->context->ssl[pair]) == NULL)
        return SSL_CLIENT_HELLO_ERROR;
    if (EVP_Q_digest(NULL, "SHA256", NULL, name.len != 0 ? name.ptr : "", name.len, bound, NULL) != 1 ||
        SSL_set_session_id_context(ssl, bound, sizeof(bound)) != 1)
        return SSL_CLIENT_HELLO_ERROR;
    return SSL_CLIENT_HELLO_SUCCESS;
}

/* Our order decides. RFC 7301 section 3.2: no protocol in common ends in no_application_protocol. */
static int on_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_len, const unsigned char *in,
                   unsigned in_len, void *arg)
{
    gh_str ours = gh_tls_alpn_wire(gh_tls_of(ssl)->context->h2);
    for (size_t i = 0; i < ours.len; i += 1u + (unsigned char)ours.ptr[i]) {
        size_t len = (unsigned char)ours.ptr[i];
        for (unsigned at = 0; at < in_len && at + 1 + in[at] <= in_len; at += 1u + in[at]) {
            if (in[at] != len || memcmp(in + at + 1, ours.ptr + i + 1, len) != 0)
                continue;
            *out = in + at + 1;
            *out_len = (unsigned char)len;
            return SSL_TLSEXT_ERR_OK;
        }
    }
    return SSL_TLSEXT_ERR_ALERT_FATAL;
}
