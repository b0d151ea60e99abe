/* io/tls.h: TLS as bytes in, bytes out (OpenSSL over an in-memory BIO of our own): no sockets. */
#ifndef GH_IO_TLS_H
#define GH_IO_TLS_H

#include "base/buf.h"
#include "gatehouse/reason.h"

/* ---- contexts: immutable, shared by reference count, built by the control thread ---- */

struct gh_tls_context;
struct gh_tls_context *gh_tls_context_ref(struct gh_tls_context *context);
void gh_tls_context_unref(struct gh_tls_context *context);

struct gh_tls_pair {
    gh_str certificate_file, key_file; /* PEM; NUL-terminated */
};
struct gh_tls_server_conf {
    const struct gh_tls_pair
        *pairs; /* the first serves unknown or absent SNI; others by the names in their SAN */
    size_t pair_count;
    bool h2; /* offer h2 beside http/1.1 by ALPN */
};
/* TLS 1.3 and 1.2 with ECDHE and AEAD only, no renegotiation, no compression, no early data; tickets under
 * `tickets`. GH_SETTINGS_INVALID with a text for the operator in ret_why (free() it):
 * unreadable file, mismatched pair, key below RSA 2048 or P-256, key file readable by others. */
struct gh_ticket_keys; /* shared by workers, rotated every 12 h, two old kept; thread-safe; outlives contexts
                        */
struct gh_ticket_keys *gh_ticket_keys_new(void);
void gh_ticket_keys_free(struct gh_ticket_keys *keys);
/* Called by the control thread with now in seconds; rotates when due. */
void gh_ticket_keys_tick(struct gh_ticket_keys *keys, int64_t now);
/* From now on the keys follow from the secrets (at most GH_TICKET_SECRETS of 32 bytes, copied; the first
 * seals) and the half-day, so that whoever has the secrets resumes the same sessions. None: random keys
 * again, if they were not before. False when libcrypto fails: then tickets are not given any more. */
#define GH_TICKET_SECRETS 16
GH_MUST_USE bool gh_ticket_keys_share(struct gh_ticket_keys *keys, struct gh_strs secrets, int64_t now);
GH_MUST_USE enum gh_reason gh_tls_server_context(const struct gh_tls_server_conf *conf,
                                                 struct gh_ticket_keys *tickets,
                                                 struct gh_tls_context **ret_context, char **ret_why);
/* Hex serial of the default certificate: tells a reload apart. */
gh_str gh_tls_context_serial(const struct gh_tls_context *context);
/* Seconds since 1970 when the first of its certificates ends. */
int64_t gh_tls_context_expires(const struct gh_tls_context *context);

struct gh_tls_client_conf {
    gh_str ca_file;                    /* empty: the system's */
    gh_str certificate_file, key_file; /* empty: none */
    bool h2;                           /* offer h2 beside http/1.1 by ALPN */
    bool no_alpn;                      /* offer nothing: the protocol is another one */
};
GH_MUST_USE enum gh_reason gh_tls_client_context(const struct gh_tls_client_conf *conf,
                                                 struct gh_tls_context **ret_context, char **ret_why);

/* ---- sessions ---- */

struct gh_tls;
struct gh_tls *gh_tls_accept(struct gh_tls_context *context);
/* `name` is verified against the certificate and sent as SNI (unless it is an IP address, verified as IP
 * SAN). */
struct gh_tls *gh_tls_connect(struct gh_tls_context *context, gh_str name);
void gh_tls_free(struct gh_tls *tls);

enum gh_tls_state { GH_TLS_HANDSHAKE, GH_TLS_OPEN, GH_TLS_CLOSED, GH_TLS_ERROR };
enum gh_tls_state gh_tls_state(const struct gh_tls *tls);

/* Takes all of `cipher` (what is not yet a whole record is kept inside), appends what it means to `plain`
 * (may be several KiB more than was given) and appends what must be sent (handshake, alerts) to `send`. Plain
 * text is delivered only after the handshake is done. GH_OK, GH_TLS_FAILED (front) or GH_UPSTREAM_TLS
 * (connect side). After GH_TLS_CLOSED (close_notify) nothing more comes. */
GH_MUST_USE enum gh_reason gh_tls_read(struct gh_tls *tls, gh_str cipher, struct gh_buf *plain,
                                       struct gh_buf *send);
/* The same for callers with memory of their own: `plain` has room for all of `cipher` and one kept record
 * more (GH_TLS_RECORD_MAX), since plain text is never longer than what carried it. */
#define GH_TLS_RECORD_MAX (5 + 16384 + 2048)
GH_MUST_USE enum gh_reason gh_tls_feed(struct gh_tls *tls, gh_str cipher, char *plain, size_t cap,
                                       size_t *ret_len, struct gh_buf *send);
/* First flight of a client, or nothing for a server. */
GH_MUST_USE enum gh_reason gh_tls_start(struct gh_tls *tls, struct gh_buf *send);
/* Encrypts all of `plain` into `send`. Once the handshake is done, and until gh_tls_close. */
GH_MUST_USE enum gh_reason gh_tls_write(struct gh_tls *tls, gh_str plain, struct gh_buf *send);
/* Appends close_notify, once. */
void gh_tls_close(struct gh_tls *tls, struct gh_buf *send);
/* "h2", "http/1.1" or empty. */
gh_str gh_tls_alpn(const struct gh_tls *tls);
/* SNI as sent, lower case, or empty. */
gh_str gh_tls_sni(const struct gh_tls *tls);
bool gh_tls_was_resumed(const struct gh_tls *tls);
/* "TLSv1.3" and the like, static. */
gh_str gh_tls_version(const struct gh_tls *tls);
/* OpenSSL's or our words on why it failed, for the log; lent. */
gh_str gh_tls_why(const struct gh_tls *tls);

#endif
