/* io/tls_context.c: what server and client contexts have in common: versions, ciphers, life. */
#include <openssl/err.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/str.h"
#include "io/tls_private.h"

#define CIPHERS_12                                                                                           \
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:"               \
    "ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305"
#define CIPHERS_13 "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256"

struct gh_tls_context *gh_tls_context_new(size_t count)
{
    struct gh_tls_context *context = gh_calloc(1, sizeof(*context));
    if (context == NULL)
        return NULL;
    atomic_init(&context->refs, 1);
    gh_map_init(&context->names);
    context->ssl = gh_calloc(count, sizeof(SSL_CTX *));
    if (context->ssl == NULL)
        goto fail;
    context->count = count;
    return context;
fail:
    gh_tls_context_unref(context);
    return NULL;
}

struct gh_tls_context *gh_tls_context_ref(struct gh_tls_context *context)
{
    atomic_fetch_add_explicit(&context->refs, 1, memory_order_relaxed);
    return context;
}

void gh_tls_context_unref(struct gh_tls_context *context)
{
    if (context == NULL || atomic_fetch_sub_explicit(&context->refs, 1, memory_order_acq_rel) != 1)
        return;
    for (size_t i = 0; i < context->count; i++)
        SSL_CTX_free(context->ssl[i]);
    gh_tls_names_done(context);
    free(context->ssl);
    free(context);
}

SSL_CTX *gh_tls_ssl_ctx(const SSL_METHOD *method)
{
    SSL_CTX *ctx = SSL_CTX_new(method);
    if (ctx == NULL)
        return NULL;
    SSL_CTX_set_security_level(ctx, 2); /* 112 bits: no SHA-1 in signatures, no RSA below 2048 */
    SSL_CTX_clear_options(ctx, SSL_CTX_get_options(ctx)); /* whatever the system's openssl.cnf says */
    SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                 SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA |
                                 SSL_OP_ENABLE_MIDDLEBOX_COMPAT);
    SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_NO_AUTO_CHAIN);
    SSL_CTX_clear_mode(ctx, SSL_MODE_AUTO_RETRY);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_read_ahead(ctx, 0);
    if (SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) != 1 ||
        SSL_CTX_set_max_proto_version(ctx, TLS1_3_VERSION) != 1 ||
        SSL_CTX_set_cipher_list(ctx, CIPHERS_12) != 1 || SSL_CTX_set_ciphersuites(ctx, CIPHERS_13) != 1 ||
        SSL_CTX_set_max_early_data(ctx, 0) != 1 || SSL_CTX_set_recv_max_early_data(ctx, 0) != 1) {
        SSL_CTX_free(ctx);
        return NULL;
    }
    return ctx;
}

gh_str gh_tls_alpn_wire(bool h2)
{
    return h2 ? GH_STR("\x02h2\x08http/1.1") : GH_STR("\x08http/1.1");
}

enum gh_reason gh_tls_refuse(char **ret_why, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    if (vasprintf(ret_why, format, args) < 0)
        *ret_why = NULL;
    va_end(args);
    ERR_clear_error();
    return GH_SETTINGS_INVALID;
}

const char *gh_tls_error_words(void)
{
    const char *words = ERR_reason_error_string(ERR_peek_error());
    ERR_clear_error();
    return words != NULL ? words : "the TLS library gave no reason";
}

gh_str gh_tls_context_serial(const struct gh_tls_context *context)
{
    return gh_str_from(context->serial);
}

int64_t gh_tls_context_expires(const struct gh_tls_context *context)
{
    return context->expires;
}
