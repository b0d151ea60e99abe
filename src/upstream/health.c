/* upstream/health.c: passive ejection with growing time out, one trial at a time, active probes. */
#include "upstream/health.h"

#define DOUBLINGS_MAX 5u
#define TRIAL_MS      1000

void gh_health_failed(struct gh_health *health, const struct gh_health_conf *conf, int64_t now_ms)
{
    health->failures++;
    health->failed_at_ms = now_ms;
    health->trial_at_ms = 0;
    if (conf->eject_after <= 0 || health->failures < conf->eject_after || now_ms < health->out_until_ms)
        return;
    unsigned doublings = health->ejections < DOUBLINGS_MAX ? health->ejections : DOUBLINGS_MAX;
    health->out_until_ms = now_ms + (conf->eject_ms << doublings);
    health->ejections++;
}

void gh_health_succeeded(struct gh_health *health)
{
    health->failures = 0;
    health->ejections = 0;
    health->out_until_ms = 0;
    health->trial_at_ms = 0;
}

void gh_health_probed(struct gh_health *health, const struct gh_health_conf *conf, bool ok, int64_t now_ms)
{
    if (ok) {
        health->probe_failures = 0;
        health->probe_down = false;
        gh_health_succeeded(health);
        return;
    }
    health->failed_at_ms = now_ms;
    if (++health->probe_failures >= conf->eject_after && conf->eject_after > 0)
        health->probe_down = true;
}

bool gh_health_is_up(const struct gh_health *health, int64_t now_ms)
{
    return !health->probe_down && now_ms >= health->out_until_ms;
}

bool gh_health_may_try(const struct gh_health *health, int64_t now_ms)
{
    return health->trial_at_ms == 0 || now_ms - health->trial_at_ms >= TRIAL_MS;
}

bool gh_health_try(struct gh_health *health, int64_t now_ms)
{
    if (!gh_health_may_try(health, now_ms))
        return false;
    health->trial_at_ms = now_ms != 0 ? now_ms : 1;
    return true;
}

void gh_health_trial_over(struct gh_health *health)
{
    health->trial_at_ms = 0;
}
