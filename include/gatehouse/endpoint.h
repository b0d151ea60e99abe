/* include/gatehouse/endpoint.h: HTTP+SSE of MCP 2024-11-05: the event that tells a client where its messages
 * go is found in the bytes of its stream, judged, and given another address. */
#ifndef GATEHOUSE_ENDPOINT_H
#define GATEHOUSE_ENDPOINT_H

#include "gatehouse/http.h"

/* MCP 2024-11-05, HTTP with SSE: "When a client connects, the server MUST send an `endpoint` event containing
 * a URI for the client to use for sending messages."
 *
 *   : comments, and events of other names              pass as they are, an event at a time
 *   event: endpoint
 *   data: /messages?sessionId=1                        -> before | url | after
 *                                                      (blank line)
 *   event: message ...                                 from here on all passes as it comes
 *
 * Lines end with CR, LF or CRLF, at any cut of the bytes. A line is taken to name the endpoint in any letter
 * case and with blanks anywhere in it: what a reader who trims and folds would take for one is refused unless
 * it is written as the standard says, once, with one line of data; and so is whatever comes after the first.
 */
#define GH_ENDPOINT_EVENT_MAX 4096u /* bytes of one event, up to and with that of the endpoint */

struct gh_endpoint_reader;
/* NULL when out of memory. */
struct gh_endpoint_reader *gh_endpoint_reader_new(void);
void gh_endpoint_reader_free(struct gh_endpoint_reader *reader);

/* What passes on: `before` as it is, another address in the place of `url`, `after` as it is. url.ptr NULL:
 * none is there, and nothing is after. Lent until the next call for the reader; may be of the bytes read. */
struct gh_endpoint_piece {
    gh_str before, url, after;
};
/* Takes some of *bytes and leaves the rest there: to be called until nothing is left. GH_UPSTREAM_ENDPOINT:
 * nothing more may pass; GH_OUT_OF_MEMORY. */
GH_MUST_USE enum gh_reason gh_endpoint_read(struct gh_endpoint_reader *reader, gh_str *bytes,
                                            struct gh_endpoint_piece *ret_piece);

/* Path and query for the origin of `from`, the stream's own URL, of what the event says (RFC 3986 section
 * 5.2; dots are not taken out but refused). GH_UPSTREAM_ENDPOINT: another origin, no canonical path, a
 * fragment, more than GH_SESSION_ID_MAX bytes; GH_OUT_OF_MEMORY. */
GH_MUST_USE enum gh_reason gh_endpoint_resolve(struct gh_arena *arena, const struct gh_url *from, gh_str url,
                                               gh_str *ret_target);

#endif
