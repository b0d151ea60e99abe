/* observe/trace.h: W3C trace context: read for the audit line, passed through untouched. */
#ifndef GH_OBSERVE_TRACE_H
#define GH_OBSERVE_TRACE_H

#include "gatehouse/types.h"

/* The trace id (32 hex digits) of a valid traceparent value, else empty. */
gh_str gh_trace_id(gh_str traceparent);

#endif
