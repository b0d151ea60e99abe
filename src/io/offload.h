/* io/offload.h: threads for work that would hold up a worker: costly signatures, name look-ups, files. */
#ifndef GH_IO_OFFLOAD_H
#define GH_IO_OFFLOAD_H

#include "io/mailbox.h"

/* A job owns its bytes and references. `work` runs on an offload thread and touches nothing but the job; then
 * the job's letter is posted to `reply_to`. */
struct gh_job {
    struct gh_letter letter; /* first; open/discard set by the sender */
    struct gh_mailbox *reply_to;
    void (*work)(struct gh_job *job);
    struct gh_job *next;
};

/* Jobs of the second lane wait until the first is empty: for work that may be worthless. */
enum gh_offload_lane { GH_OFFLOAD_FIRST, GH_OFFLOAD_SECOND, GH_OFFLOAD_LANES };

struct gh_offload;
/* At most `max_queued` jobs wait in each lane. There are no threads yet: jobs wait until gh_offload_start, so
 * that the process can give up its rights in between, which Linux takes from one thread at a time. */
struct gh_offload *gh_offload_new(unsigned threads, size_t max_queued);
bool gh_offload_start(struct gh_offload *offload) GH_MUST_USE;
/* Waits for running jobs; queued ones are discarded. */
void gh_offload_free(struct gh_offload *offload);
/* False when the lane is full: the job is untouched and still the caller's. */
bool gh_offload_submit(struct gh_offload *offload, enum gh_offload_lane lane, struct gh_job *job) GH_MUST_USE;

#endif
