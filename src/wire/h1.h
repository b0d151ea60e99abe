/* wire/h1.h: HTTP/1.1 without sockets: bytes in, message events out, and heads and chunks written. */
#ifndef GH_WIRE_H1_H
#define GH_WIRE_H1_H

#include "base/buf.h"
#include "gatehouse/http.h"

/* What we read. */
enum gh_h1_side { GH_H1_REQUEST, GH_H1_RESPONSE };

/* threats.md section 8. Trailers have the limits of a head of their own. */
struct gh_h1_limits {
    size_t start_line;       /* 8 KiB */
    size_t head;             /* 32 KiB, responses 64 KiB: field lines without CRLF, and 32 for each */
    size_t fields;           /* 100; at most GH_H1_FIELDS_MAX */
    size_t chunk_extensions; /* 16 KiB in one message */
    unsigned interim;        /* 8: responses before a final one */
};
#define GH_H1_FIELDS_MAX 256u

/* Everything in it lies in the arena, names in lower case. */
struct gh_h1_head {
    enum gh_h1_side side;
    gh_str method_text, target_raw; /* requests: a known method; '/' first, or "*" with OPTIONS */
    enum gh_method method;          /* requests */
    int status;                     /* responses: 100 to 599, never 101 */
    int minor_version;              /* 0 or 1 */
    bool keep_alive;                /* the peer will take another message after this one */
    bool chunked;
    bool expect_continue;
    int64_t content_length; /* as the field says; -1: none. A HEAD or 304 answer has no body all the same. */
    struct gh_headers headers;
};

enum gh_h1_event {
    GH_H1_NEED_MORE, /* the input is used up */
    GH_H1_HEAD,      /* ret_head; after an interim response (status < 200) the next head follows */
    GH_H1_DATA,      /* ret_data: body bytes, lent from the input */
    GH_H1_END,       /* the message is complete; again on each call until gh_h1_reader_next */
    GH_H1_ERROR      /* ret_reason; again on each call: the connection is of no use any more */
};

/* Where a run of lines stands: a head or trailers. */
struct gh_h1_lines {
    size_t at;      /* start of the line that is not complete */
    size_t scanned; /* no line end before this */
    size_t used;    /* of limits.head */
    size_t fields;
    bool started;   /* the start line is behind us (trailers have none) */
    unsigned blank; /* empty lines skipped before a request */
};

/* Embed it; zero-filled is not enough: gh_h1_reader_init. Holds bytes itself only while a head, or the
 * trailers, did not arrive in one piece. */
struct gh_h1_reader {
    const struct gh_h1_limits *limits; /* lent for the reader's life */
    enum gh_h1_side side;
    enum gh_reason reason; /* of GH_H1_ERROR */
    unsigned state;        /* private to h1_read.c */
    unsigned interim, digits;
    bool bodiless; /* the response answers a HEAD */
    uint64_t left; /* of the body or the chunk */
    size_t extensions;
    struct gh_h1_lines lines;
    struct gh_buf partial;
};

void gh_h1_reader_init(struct gh_h1_reader *reader, enum gh_h1_side side, const struct gh_h1_limits *limits);
void gh_h1_reader_done(struct gh_h1_reader *reader);
/* Ready for the next message on the connection. */
void gh_h1_reader_next(struct gh_h1_reader *reader);
/* Response side, before the answer is read: which method it answers. */
void gh_h1_reader_expect(struct gh_h1_reader *reader, enum gh_method method);

/* Reads from *input as far as it goes, cutting what it used off its front; one event per call. Requests fail
 * with GH_HTTP_MALFORMED, _VERSION, _METHOD_UNKNOWN, _TARGET_LONG, _HEAD_LARGE, _FIELDS_MANY,
 * _EXTENSIONS_LARGE, _HOST, _EXPECT; responses with GH_UPSTREAM_MALFORMED, _HEAD_LARGE, _INTERIM_MANY; both
 * with GH_OUT_OF_MEMORY. How the bytes are cut into inputs never
 * changes the verdict. */
enum gh_h1_event gh_h1_read(struct gh_h1_reader *reader, gh_str *input, struct gh_arena *arena,
                            struct gh_h1_head *ret_head, gh_str *ret_data, enum gh_reason *ret_reason);
/* The peer closed: GH_OK when that is a clean end (nothing begun, message complete, or a response that lasts
 * until the close, which is complete now), else GH_CLIENT_GONE or GH_UPSTREAM_ABORTED. A connection on which
 * an answer was still awaited is for the caller to know. */
enum gh_reason gh_h1_reader_eof(const struct gh_h1_reader *reader) GH_MUST_USE;
/* Does the response body last until the connection closes? */
bool gh_h1_reader_until_close(const struct gh_h1_reader *reader);

/* ---- writing */

enum gh_h1_framing {
    GH_H1_NO_BODY, /* no framing field at all: GET, 204, 304, 1xx */
    GH_H1_LENGTH,
    GH_H1_CHUNKED
};
struct gh_h1_body {
    enum gh_h1_framing framing;
    uint64_t length;
};

/* Appends a head. content-length and transfer-encoding in `headers` are left out: `body` alone writes them;
 * connection is the caller's. GH_OUT_OF_MEMORY, or GH_INTERNAL (nothing written) when a target, name or value
 * would break the line. */
GH_MUST_USE enum gh_reason gh_h1_write_request_head(struct gh_buf *out, gh_str method, gh_str target,
                                                    const struct gh_headers *headers, struct gh_h1_body body);
/* `headers` may be NULL. */
GH_MUST_USE enum gh_reason gh_h1_write_response_head(struct gh_buf *out, int status,
                                                     const struct gh_headers *headers,
                                                     struct gh_h1_body body);
/* One chunk; nothing for no bytes, which would end the body. False when out of memory. */
bool gh_h1_write_chunk(struct gh_buf *out, gh_str bytes) GH_MUST_USE;
bool gh_h1_write_last_chunk(struct gh_buf *out) GH_MUST_USE;
/* "Not Found" and so on; "Status" for a code without a phrase. */
gh_str gh_h1_phrase(int status);

#endif
