/* app/snapshot.h: everything one reading of the settings gave: settings, site, certificates; shared by
 * reference. */
#ifndef GH_APP_SNAPSHOT_H
#define GH_APP_SNAPSHOT_H

#include "app/signing.h"

struct gh_snapshot {
    unsigned refs; /* atomic */
    struct gh_conf *conf;
    struct gh_tls_context **tls; /* by listener; NULL for plain HTTP */
};

/* Takes the conf over and makes what the settings only name: TLS contexts, upstream targets, key-ring slots,
 * session keys, counters. The key rings are between _begin and _end. On failure a strdup'd text says why, for
 * the operator.
 */
struct gh_snapshot_with {
    struct gh_ticket_keys *tickets;
    struct gh_keyrings *rings;
    struct gh_registry *registry;
    struct gh_signing *signing;
    int64_t now;
    struct gh_session_keys *session_keys; /* where the settings name no file */
};
GH_MUST_USE enum gh_reason gh_snapshot_new(struct gh_conf *conf, const struct gh_snapshot_with *with,
                                           struct gh_snapshot **ret_snapshot, char **ret_why);
struct gh_snapshot *gh_snapshot_ref(struct gh_snapshot *snapshot);
void gh_snapshot_unref(struct gh_snapshot *snapshot);

#endif
