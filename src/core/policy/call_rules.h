/* core/policy/call_rules.h: the rules that are about a name, one after the other in their order. */
#ifndef GH_CORE_POLICY_CALL_RULES_H
#define GH_CORE_POLICY_CALL_RULES_H

#include "gatehouse/call.h"

struct gh_call_search {
    const struct gh_call_rules *rules;
    gh_str name;
    bool are_paths;
    unsigned order; /* of the next; at first 0 */
};
/* NULL: there is no further one. */
const struct gh_call_rule *gh_call_search_next(struct gh_call_search *search);

#endif
