/* fuzz/sse_reader.h: a stream through the endpoint's reader, and events as a client reads them. */
#ifndef GH_FUZZ_SSE_READER_H
#define GH_FUZZ_SSE_READER_H

#include "base/buf.h"
#include "gatehouse/reason.h"

/* Adds what passes of two pieces, "@" for the address; GH_OK, or why nothing more does. */
enum gh_reason gh_fuzz_endpoint_pass(gh_str first, gh_str second, struct gh_buf *out);
/* How many endpoint events a client finds whose data is (not) "@" alone: by the WHATWG's rules for event
 * streams, a line at a time. */
size_t gh_fuzz_endpoints(gh_str stream, bool ours);

#endif
