/* conf/schema_rate.c: the rows of a rate limit, as a tenant or a route has it. */
#include "conf/settings.h"

#define AT(field) offsetof(struct gh_settings_rate, limit.field)

static const struct gh_choice of_tenant[] = { { "tenant", GH_RATE_TENANT },
                                              { "user", GH_RATE_USER },
                                              { "client", GH_RATE_CLIENT },
                                              { "agent", GH_RATE_AGENT },
                                              { NULL, 0 } };
static const struct gh_choice of_route[] = { { "route", GH_RATE_ROUTE },
                                             { "user", GH_RATE_USER },
                                             { "client", GH_RATE_CLIENT },
                                             { "agent", GH_RATE_AGENT },
                                             { NULL, 0 } };
static const struct gh_choice fail_modes[] = {
    { "local", GH_RATE_LOCAL }, { "open", GH_RATE_OPEN }, { "closed", GH_RATE_CLOSED }, { NULL, 0 }
};

#define ROWS(CHOICES, ALL, ...)                                                                              \
    {                                                                                                        \
        { "per",                                                                                             \
          GH_ROW_CHOICE,                                                                                     \
          AT(per),                                                                                           \
          GH_ROW_REQUIRED,                                                                                   \
          .choices = CHOICES,                                                                                \
          .doc = "Whose requests are counted together: " ALL                                                 \
                 ", a `user` (issuer and subject), a `client` (issuer and client id; tokens that name none " \
                 "are one), an `agent` (issuer and outermost actor; without one as `client`)." },            \
            { "requests",                                                                                    \
              GH_ROW_INT,                                                                                    \
              AT(requests),                                                                                  \
              GH_ROW_REQUIRED,                                                                               \
              .min = 1,                                                                                      \
              .max = 1000000000,                                                                             \
              .doc = "So many pass in any time as long as `window`, over all workers and all gateways that " \
                     "share the store; further ones are answered 429 with Retry-After." },                   \
            { "window",                                                                                      \
              GH_ROW_SECONDS,                                                                                \
              AT(window_s),                                                                                  \
              .fallback = "60s",                                                                             \
              .min = 1,                                                                                      \
              .max = 31 * 86400,                                                                             \
              .doc = "It slides: nothing starts anew at its end." },                                         \
            { "fail",                                                                                        \
              GH_ROW_CHOICE,                                                                                 \
              AT(fail),                                                                                      \
              .fallback = "local",                                                                           \
              .choices = fail_modes,                                                                         \
              .doc = "While the store cannot be asked. `local`: each worker of each gateway counts for "     \
                     "itself. `open`: no limit. `closed`: nobody passes (503)." },                           \
            __VA_ARGS__                                                                                      \
        {                                                                                                    \
            .key = NULL                                                                                      \
        }                                                                                                    \
    }
static const struct gh_row tenant_rate_rows[] = ROWS(of_tenant, "all of the `tenant`");
static const struct gh_row route_rate_rows[] = ROWS(
    of_route, "all of the `route`",
    { "tools", GH_ROW_TEXTS, AT(tools), GH_ROW_ONE, .min = 1, .max = 256, .unset = "every request counts",
      .doc = "Only calls of these tools count, together; `*` stands for any run of bytes. Bodies are then "
             "held whole and read." }, );

const struct gh_section gh_tenant_rate_section = {
    .title = "tenants.NAME.rate_limits[]",
    .doc = "How many requests pass over all routes of the tenant; needs a `store`.",
    .rows = tenant_rate_rows,
    .size = sizeof(struct gh_settings_rate),
};
const struct gh_section gh_route_rate_section = {
    .title = "routes[].rate_limits[]",
    .doc =
        "How many requests pass on the route, beside the tenant's limits; needs a `store`. Requests that are "
        "refused do not count.",
    .rows = route_rate_rows,
    .size = sizeof(struct gh_settings_rate),
};
