/* core/policy/conditions.h: what rules ask of principals and arguments. */
#ifndef GH_CORE_POLICY_CONDITIONS_H
#define GH_CORE_POLICY_CONDITIONS_H

#include "gatehouse/call.h"

/* `now` in seconds since 1970. */
enum gh_truth gh_claims_hold(const struct gh_claim_tests *tests, const struct gh_principal *principal,
                             int64_t now);
enum gh_truth gh_argument_holds(const struct gh_argument_test *test, const struct gh_rpc_value *value);

#endif
