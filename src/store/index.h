/* store/index.h: the revocation index in memory: written by one thread, asked by every worker on every
 * request without a lock. */
#ifndef GH_STORE_INDEX_H
#define GH_STORE_INDEX_H

#include "gatehouse/revocation.h"

/* Open addressing over 128-bit keys; an entry is 32 bytes at most. The writer grows it by publishing a new
 * table; old ones are freed when every reader has passed a quiet point. */
struct gh_index;
struct gh_index *gh_index_new(unsigned readers);
void gh_index_free(struct gh_index *index);

/* ---- the writer: the control thread ---- */
/* A later entry of the same key only ever raises epoch and until. False when out of memory: the caller must
 * treat the index as incomplete. */
bool gh_index_add(struct gh_index *index, const struct gh_revocation_key *key, int64_t epoch, int64_t until)
    GH_MUST_USE;
/* Everything up to then is in it: monotonic milliseconds. Readers see staleness as now - this. */
void gh_index_caught_up(struct gh_index *index, int64_t as_of_ms);
/* Forgets entries whose `until` is not behind now; call now and then. */
void gh_index_sweep(struct gh_index *index, int64_t now_s);
size_t gh_index_count(const struct gh_index *index);
/* Of the table; while it grows there are two. */
size_t gh_index_bytes(const struct gh_index *index);

/* ---- readers: worker `reader` of those given to _new ---- */
/* This reader holds nothing of an old table: true whenever it is not inside gh_index_ask. Call it beforehand,
 * and when told that the index has changed. A reader that never does keeps old tables alive, so there are as
 * many as are counted. */
void gh_index_quiet(struct gh_index *index, unsigned reader);
/* GH_OK, or GH_TOKEN_REVOKED when any dependency has been revoked at or after the token was issued. A handful
 * of look-ups, no lock, no allocation. */
GH_MUST_USE enum gh_reason gh_index_ask(const struct gh_index *index,
                                        const struct gh_dependencies *dependencies);
/* What was written under that key: its epoch, 0 when nothing was. */
int64_t gh_index_epoch(const struct gh_index *index, const struct gh_revocation_key *key);
/* Milliseconds since it was known to be complete; INT64_MAX before the first time. */
int64_t gh_index_staleness(const struct gh_index *index, int64_t now_ms);

#endif
