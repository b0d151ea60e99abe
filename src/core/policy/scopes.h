/* core/policy/scopes.h: does what was granted suffice for what is needed? */
#ifndef GH_CORE_POLICY_SCOPES_H
#define GH_CORE_POLICY_SCOPES_H

#include "gatehouse/policy.h"

/* decide.c: each is granted, or a broader one by the policy's hierarchy. */
bool gh_scopes_suffice(const struct gh_policy *policy, struct gh_strs granted, struct gh_strs needed);

#endif
