/* observe/audit.h: one JSON line per exchange, allowed or denied, made from verified facts only; never a
 * token. */
#ifndef GH_OBSERVE_AUDIT_H
#define GH_OBSERVE_AUDIT_H

#include "gatehouse/policy.h"

/* What an exchange knows when it ends. Slices are lent for the call. */
struct gh_audit_record {
    int64_t wall_us; /* when it began */
    gh_str request_id;
    gh_str trace_id; /* of a valid traceparent, or empty */
    enum gh_reason reason;
    const char *stage;                    /* that decided */
    int status;                           /* sent to the client; 0: none */
    const struct gh_policy *policy;       /* NULL: no route */
    const struct gh_principal *principal; /* NULL: nobody proven */
    gh_str by;                            /* who asked at the admin listener; may be empty */
    gh_str method, host, path;            /* path without query; empty host when it was not a name of ours */
    gh_str client_ip, http_version;
    uint64_t bytes_in, bytes_out;
    int64_t total_us, verify_us, upstream_us; /* -1: did not happen */
};

/* At most 8 KiB with the newline; values are escaped and cut. Returns the length written. */
#define GH_AUDIT_LINE 8192
size_t gh_audit_write(const struct gh_audit_record *record, char out[GH_AUDIT_LINE]);

/* ---- lines on their way to a file: a ring per worker, one writer thread; nobody waits ---- */

struct gh_logfile; /* one open destination, and its writer thread once started */
struct gh_lane;    /* one producer's ring (single producer) */
/* destination: a path, "stdout", "stderr". NULL with errno when it cannot be opened. */
struct gh_logfile *gh_logfile_open(gh_str destination);
/* Starts the thread. It wakes every 20 ms while lines come; it reopens its file when asked or when the name
 * points elsewhere (rotation). Until then lines wait in their lanes. */
bool gh_logfile_start(struct gh_logfile *file) GH_MUST_USE;
/* Writes what is queued (bounded by 2 s), started or not; joins the thread. Lanes die with it. */
void gh_logfile_close(struct gh_logfile *file);
void gh_logfile_reopen(struct gh_logfile *file);
struct gh_lane *gh_logfile_lane(struct gh_logfile *file, size_t capacity);
/* Copies the line (with its newline) whole or not at all: false when the ring is full; the caller counts it.
 */
bool gh_lane_put(struct gh_lane *lane, gh_str line);

#endif
