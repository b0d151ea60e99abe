/* conf/check_rate.c: rate limits: with a store, each once, and the tenant's before the route's. */
#include "base/str.h"
#include "conf/build.h"

static const struct gh_settings_rate *rate_at(const struct gh_elements *rates, size_t i)
{
    return (const struct gh_settings_rate *)rates->at + i;
}

static bool are_one(const struct gh_rate_limit *a, const struct gh_rate_limit *b)
{
    if (a->per != b->per || a->window_s != b->window_s || a->tools.count != b->tools.count)
        return false;
    for (size_t i = 0; i < a->tools.count; i++)
        if (!gh_str_eq(a->tools.at[i], b->tools.at[i]))
            return false;
    return true;
}

void gh_check_rates(struct gh_build *build, const struct gh_node *node, const struct gh_elements *rates)
{
    if (rates->count > 0 && build->settings->conf.store.url.len == 0)
        gh_tell_error(
            build->teller, node, "rate_limits", GH_STR("no store in these settings"),
            GH_STR("with one, which counts; on one machine `store: { url: \"sqlite:gatehouse.db\" }`"));
    for (size_t i = 0; i < rates->count; i++)
        for (size_t j = 0; j < i; j++)
            if (are_one(&rate_at(rates, i)->limit, &rate_at(rates, j)->limit))
                gh_tell_wrong(
                    build->teller, rate_at(rates, i)->at.node, "per",
                    GH_STR("another one, or another `window` or `tools`: there is such a limit already"));
}

void gh_build_rates(struct gh_build *build, const struct gh_settings_route *from,
                    const struct gh_settings_tenant *tenant, struct gh_route *route)
{
    size_t count = 0;
    gh_check_rates(build, from->at.node, &from->rate_limits);
    struct gh_rate_limit *rates =
        gh_build_alloc(build, tenant->rate_limits.count + from->rate_limits.count, sizeof(*rates));
    if (rates == NULL)
        return;
    for (size_t i = 0; i < tenant->rate_limits.count; i++) {
        rates[count] = rate_at(&tenant->rate_limits, i)->limit;
        rates[count++].of_tenant = true;
    }
    for (size_t i = 0; i < from->rate_limits.count; i++)
        rates[count++] = rate_at(&from->rate_limits, i)->limit;
    route->rates = rates;
    route->rate_count = count;
}
