/* io/tls_private.h: what TLS sessions and contexts are made of, shared by the tls*.c files. */
#ifndef GH_IO_TLS_PRIVATE_H
#define GH_IO_TLS_PRIVATE_H

#include <openssl/ssl.h>
#include <stdatomic.h>

#include "base/map.h"
#include "io/tls.h"

#define SNI_MAX 253

struct gh_tls_name {
    struct gh_map_node node; /* key: "a.example", or "*.example" for the left-most label */
    size_t pair;
};

struct gh_tls_context {
    atomic_uint refs;
    bool h2;
    SSL_CTX **ssl; /* one per pair, the default first; a client has one */
    size_t count;
    struct gh_map names;
    struct gh_tls_name **entries;
    size_t entry_count;
    struct gh_ticket_keys *tickets;
    int64_t expires;
    char serial[48];
};

/*   cipher given:  [ kept: one record, whole or not ][ input: whole records ][ a part, goes to kept ] */
struct gh_tls {
    SSL *ssl;
    struct gh_tls_context *context;
    struct gh_buf kept;
    gh_str first, input;    /* what OpenSSL may read in this call: the kept record, then borrowed bytes */
    struct gh_buf *send;    /* where it writes in this call */
    size_t handshake_bytes; /* read so far while the handshake lasts */
    char *sni, *why;        /* NULL: none */
    enum gh_tls_state state;
    bool outgoing, close_sent;
};

/* The session behind an OpenSSL callback. */
struct gh_tls *gh_tls_of(const SSL *ssl);

/* tls_context.c */
struct gh_tls_context *gh_tls_context_new(size_t count);
/* TLS 1.2 and 1.3, AEAD only, and everything that both sides have in common. NULL when out of memory. */
SSL_CTX *gh_tls_ssl_ctx(const SSL_METHOD *method);
/* "http/1.1", before it "h2" where wanted, in ALPN's wire form. */
gh_str gh_tls_alpn_wire(bool h2);
/* Sets *ret_why to a formatted text and returns GH_SETTINGS_INVALID. */
enum gh_reason gh_tls_refuse(char **ret_why, const char *format, ...) GH_PRINTF(2, 3);
/* The first words of OpenSSL's error queue, which is emptied. Static. */
const char *gh_tls_error_words(void);

/* tls_files.c */
GH_MUST_USE enum gh_reason gh_tls_use_pair(SSL_CTX *ctx, gh_str certificate_file, gh_str key_file,
                                           char **ret_why);

/* tls_names.c */
GH_MUST_USE enum gh_reason gh_tls_names_add(struct gh_tls_context *context, size_t pair, X509 *leaf);
/* The pair that serves that name (lower case); 0 when none does. */
size_t gh_tls_names_find(const struct gh_tls_context *context, gh_str name);
void gh_tls_names_done(struct gh_tls_context *context);

/* tls_tickets.c */
int gh_tls_ticket_key(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher,
                      EVP_MAC_CTX *mac, int encrypting);

#endif
