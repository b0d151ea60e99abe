/* gateway/streams.h: how many event streams each principal and each tenant has open, over all workers; no
 * lock. */
#ifndef GH_GATEWAY_STREAMS_H
#define GH_GATEWAY_STREAMS_H

#include "gatehouse/reason.h"
#include "gatehouse/types.h"

/* Shared by all workers; lives as long as the process. */
struct gh_streams;
struct gh_streams *gh_streams_new(void);
void gh_streams_free(struct gh_streams *streams);

/* Who a stream is counted for, as numbers that no client can choose: made once per verdict. */
struct gh_stream_owner {
    uint64_t principal, tenant;
};
/* A principal is (tenant, issuer, subject): equal subjects of two issuers are two (threats.md J12). */
struct gh_stream_owner gh_stream_owner(const struct gh_streams *streams, gh_str tenant, gh_str issuer,
                                       gh_str subject);

struct gh_stream_limits {
    int64_t per_principal, per_tenant, all;
};
/* Has the principal, its tenant, or everybody as many as allowed? Decides nothing: others may enter
 * meanwhile. */
bool gh_streams_are_full(const struct gh_streams *streams, struct gh_stream_owner owner,
                         const struct gh_stream_limits *limits);

/* The cells that a stream was counted in, for leaving again. */
struct gh_stream_place {
    uint32_t principal, tenant;
    bool is_in;
};
/* GH_OK, or GH_STREAMS_MANY and nothing was counted. */
GH_MUST_USE enum gh_reason gh_streams_enter(struct gh_streams *streams, struct gh_stream_owner owner,
                                            const struct gh_stream_limits *limits,
                                            struct gh_stream_place *ret_place);
/* Harmless for a place that is not in. */
void gh_streams_leave(struct gh_streams *streams, struct gh_stream_place *place);

#endif
