/* include/gatehouse/list.h: what a server lists of tools, prompts and resources, shown to one who may not
 * call all of it. MCP 2026-07-28 "Caching", threats.md R9. */
#ifndef GATEHOUSE_LIST_H
#define GATEHOUSE_LIST_H

#include "gatehouse/rpc.h"

struct gh_buf;

/* Is the item shown? `is_template`: its name is a URI template. */
typedef bool (*gh_list_shows)(void *ctx, enum gh_rpc_names names, bool is_template, gh_str name);

/* Is it the method of a request that a list answers? */
bool gh_list_is_asked(gh_str method);

/* Reads a message of a server, or a batch of them. A list is recognised by its place, whatever was asked:
 * `result.tools`, `prompts`, `resources` and `resourceTemplates` that are arrays. Items that are not shown,
 * or name nothing, are left out; `cacheScope` of such a result becomes private, shown whole or not; every
 * other byte stays. *ret_changed: the message as it may pass was added to `out`; else the text may pass as it
 * is. GH_LIST_UNREADABLE: no JSON that all readers read alike as far as lists go; deeper than
 * GH_RPC_DEPTH_MAX. GH_OUT_OF_MEMORY. `out` is only to be used after GH_OK. */
GH_MUST_USE enum gh_reason gh_list_filter(gh_str text, gh_list_shows shows, void *ctx, struct gh_buf *out,
                                          bool *ret_changed);

/* ---- the same in an event stream (WHATWG HTML "Server-sent events"): an event is read whole ---- */

/* Where in a stream an event ends; zero at its start. */
struct gh_event_finder {
    bool in_line, after_cr;
    bool lf_is_left; /* the event before ended with CR, and the bytes with it */
};
/* How many of the bytes belong to the event at hand, its blank line included; 0: all of them, and it goes on.
 * A LF that comes behind the CR that ended an event is one by itself, so that it need not wait. */
size_t gh_event_find_end(struct gh_event_finder *finder, gh_str bytes);
/* gh_list_filter over the data of one whole event. Its other lines stay as they are; data that changed stands
 * on as many lines as it has. Events of another type than "message" are no messages of MCP, and pass. A line
 * that begins with a byte order mark is unreadable. */
GH_MUST_USE enum gh_reason gh_list_filter_event(gh_str event, gh_list_shows shows, void *ctx,
                                                struct gh_buf *out, bool *ret_changed);

#endif
