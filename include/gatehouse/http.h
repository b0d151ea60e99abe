/* include/gatehouse/http.h: HTTP as data: methods, header lists, request targets, Host, Authorization. */
#ifndef GATEHOUSE_HTTP_H
#define GATEHOUSE_HTTP_H

#include "gatehouse/reason.h"
#include "gatehouse/types.h"

enum gh_method {
    GH_METHOD_GET,
    GH_METHOD_HEAD,
    GH_METHOD_POST,
    GH_METHOD_DELETE,
    GH_METHOD_OPTIONS,
    GH_METHOD_PUT,
    GH_METHOD_PATCH,
    GH_METHOD_COUNT
};

/* Case-sensitive (RFC 9110 section 9.1). CONNECT, TRACE and the unknown: GH_HTTP_METHOD_UNKNOWN. */
GH_MUST_USE enum gh_reason gh_method_read(gh_str text, enum gh_method *ret_method);
gh_str gh_method_text(enum gh_method method);

/* ---- header lists
 * ------------------------------------------------------------------------------------------- */

struct gh_header {
    gh_str name; /* lower case */
    gh_str value;
};

/* A fixed array filled in order. The bytes belong to whoever filled it. */
struct gh_headers {
    struct gh_header *at;
    size_t count, cap;
};

GH_MUST_USE enum gh_reason gh_headers_init(struct gh_headers *headers, struct gh_arena *arena, size_t cap);
/* GH_HTTP_FIELDS_MANY when full. */
GH_MUST_USE enum gh_reason gh_headers_add(struct gh_headers *headers, gh_str name, gh_str value);
/* First field of that lower-case name, or NULL. */
const struct gh_header *gh_headers_find(const struct gh_headers *headers, gh_str name);
size_t gh_headers_count(const struct gh_headers *headers, gh_str name);
/* Is the first Content-Type this media type, whatever its parameters and its case? */
bool gh_headers_media_type_is(const struct gh_headers *headers, gh_str type);
/* RFC 9110 section 5.6.2 token, without '_' (threats.md rule 5), given in lower case. */
bool gh_header_name_is_legal(gh_str lower_name);
/* RFC 9110 section 5.5: VCHAR, SP, HTAB, and obs-text refused; no leading or trailing white space. */
bool gh_header_value_is_legal(gh_str value);
/* Is `member` an element of the comma-separated list `value`, compared without case? */
bool gh_header_list_has(gh_str value, gh_str member);

/* ---- request target and authority
 * --------------------------------------------------------------------------- */

struct gh_target {
    gh_str path;  /* absolute, the one canonical form: matched and forwarded byte for byte */
    gh_str query; /* behind '?', NULL ptr when there is none */
};

/* Origin-form only (RFC 9112 section 3.2.1): the "*" of OPTIONS is no path. Refuses with GH_HTTP_PATH: dot
 * segments, "//", backslash, NUL, control and 8-bit bytes, bad percent-encoding, lower-case hex in the path,
 * encoded control bytes, dots, slashes, backslashes, percent signs, ';', '?', '#' and unreserved characters,
 * encoded bytes that are no UTF-8, ';' in a segment, '#'. Nothing is decoded. */
GH_MUST_USE enum gh_reason gh_target_read(gh_str raw, struct gh_target *ret_target);

struct gh_authority {
    gh_str host;   /* lower case, no trailing dot, no brackets around IPv6 */
    uint16_t port; /* 0 when none was given */
};
/* Host or :authority: no userinfo, no list, no path, no empty port; IPv6 literals are written anew, numbers
 * that are no dotted quad are refused. The lower-cased copy is in the arena. GH_HTTP_HOST. */
GH_MUST_USE enum gh_reason gh_authority_read(struct gh_arena *arena, gh_str raw,
                                             struct gh_authority *ret_authority);

/* An absolute http or https URL, as settings and metadata hold them. */
struct gh_url {
    gh_str scheme; /* "http" or "https" */
    struct gh_authority authority;
    gh_str authority_text; /* host[:port] as Host carries it: without the scheme's default port */
    gh_str path;           /* "/" when empty */
    gh_str query;          /* NULL ptr when none */
    uint16_t port;         /* with the scheme's default filled in */
};
/* GH_SETTINGS_INVALID for anything else: other schemes, userinfo, fragment, white space. The path is not held
 * to gh_target_read: who matches requests against it does that too. All slices are in the arena. */
GH_MUST_USE enum gh_reason gh_url_read(struct gh_arena *arena, gh_str text, struct gh_url *ret_url);

/* ---- credentials
 * -------------------------------------------------------------------------------------------- */

enum gh_scheme { GH_SCHEME_BEARER, GH_SCHEME_DPOP };

struct gh_credential {
    enum gh_scheme scheme;
    gh_str token; /* b64token of RFC 6750 section 2.1, at least one byte */
};
/* The one credential of a request. GH_TOKEN_MISSING without Authorization, GH_AUTHORIZATION_MANY with two
 * (equal too), GH_AUTHORIZATION_SCHEME for other schemes, GH_AUTHORIZATION_MALFORMED for junk, TAB, a list,
 * an empty token; GH_TOKEN_LARGE above max_token. */
GH_MUST_USE enum gh_reason gh_credential_read(const struct gh_headers *headers, size_t max_token,
                                              struct gh_credential *ret_credential);
/* Does the query hold an access_token parameter (RFC 6750 section 2.3), encoded names included? */
bool gh_query_has_token(gh_str query);

#endif
