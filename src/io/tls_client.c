/* io/tls_client.c: contexts that connect: the other side is always verified. */
#include <stdlib.h>

#include "base/str.h"
#include "io/tls_private.h"

static enum gh_reason fill(SSL_CTX *ctx, const struct gh_tls_client_conf *conf, char **ret_why);

enum gh_reason gh_tls_client_context(const struct gh_tls_client_conf *conf,
                                     struct gh_tls_context **ret_context, char **ret_why)
{
    struct gh_tls_context *context = gh_tls_context_new(1);
    if (context == NULL)
        return gh_tls_refuse(ret_why, "out of memory");
    context->h2 = conf->h2;
    context->ssl[0] = gh_tls_ssl_ctx(TLS_client_method());
    enum gh_reason why = context->ssl[0] != NULL
                             ? fill(context->ssl[0], conf, ret_why)
                             : gh_tls_refuse(ret_why, "TLS cannot be set up: %s", gh_tls_error_words());
    if (why == GH_OK)
        *ret_context = context;
    else
        gh_tls_context_unref(context);
    return why;
}

/* P-384 beside the server's groups: OpenSSL also refuses TLS 1.2 certificates on curves outside this list. */
static enum gh_reason fill(SSL_CTX *ctx, const struct gh_tls_client_conf *conf, char **ret_why)
{
    char groups[] = "X25519:P-256:P-384";
    gh_str alpn = gh_tls_alpn_wire(conf->h2);
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET); /* connections are pooled, sessions are not */
    if (SSL_CTX_set1_groups_list(ctx, groups) != 1 ||
        (!conf->no_alpn &&
         SSL_CTX_set_alpn_protos(ctx, (const unsigned char *)alpn.ptr, (unsigned)alpn.len) != 0))
        return gh_tls_refuse(ret_why, "TLS cannot be set up: %s", gh_tls_error_words());
    if (gh_str_is_empty(conf->ca_file)) {
        if (SSL_CTX_set_default_verify_paths(ctx) != 1)
            return gh_tls_refuse(ret_why, "the system's certificate authorities cannot be read");
    } else if (SSL_CTX_load_verify_file(ctx, conf->ca_file.ptr) != 1) {
        return gh_tls_refuse(ret_why, "%.*s: %s", GH_STR_FMT(conf->ca_file), gh_tls_error_words());
    }
    if (!gh_str_is_empty(conf->certificate_file))
        return gh_tls_use_pair(ctx, conf->certificate_file, conf->key_file, ret_why);
    return GH_OK;
}
