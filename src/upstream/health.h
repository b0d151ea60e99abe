/* upstream/health.h: what is known of one endpoint's health: pure functions of events and the time. */
#ifndef GH_UPSTREAM_HEALTH_H
#define GH_UPSTREAM_HEALTH_H

#include "gatehouse/types.h"

struct gh_health_conf {
    int64_t eject_after; /* consecutive failures; 0: never ejected */
    int64_t eject_ms;    /* first time out; doubles with each ejection in a row, up to 32-fold */
};

struct gh_health {
    int64_t failures;     /* in a row */
    unsigned ejections;   /* in a row, without a success between */
    int64_t out_until_ms; /* ejected until then */
    int64_t failed_at_ms; /* the last failure */
    int64_t trial_at_ms;  /* the last call let through although out; 0: none since the last verdict */
    int64_t probe_failures;
    bool probe_down; /* the active probe says so, until it says otherwise */
};

void gh_health_failed(struct gh_health *health, const struct gh_health_conf *conf, int64_t now_ms);
void gh_health_succeeded(struct gh_health *health);
/* The verdict of an active probe: failures count like those of calls, success brings the endpoint back. */
void gh_health_probed(struct gh_health *health, const struct gh_health_conf *conf, bool ok, int64_t now_ms);
bool gh_health_is_up(const struct gh_health *health, int64_t now_ms);
/* An endpoint that is out lets one call through at a time, or one a second while none has ended: so it is
 * found again as soon as it is back, and a dead one costs the others nothing. Takes that one place. */
bool gh_health_try(struct gh_health *health, int64_t now_ms);
bool gh_health_may_try(const struct gh_health *health, int64_t now_ms);
/* The trial ended without a verdict (its call was cancelled): another may go. */
void gh_health_trial_over(struct gh_health *health);

#endif
