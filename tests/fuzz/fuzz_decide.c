/* fuzz/fuzz_decide.c: two Origins and the scopes of a token, by spaces: whom a route lets pass. */
/* covers: src/core/policy/decide.c */
#include "fuzz/fuzz.h"
#include "gatehouse/policy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const gh_str needed[] = { GH_STR_INIT("read"), GH_STR_INIT("call") };
    static const gh_str chain[] = { GH_STR_INIT("all>call"), GH_STR_INIT("call>read"),
                                    GH_STR_INIT("read>read") };
    static const gh_str origins[] = { GH_STR_INIT("http://b"), GH_STR_INIT("null") };
    struct gh_policy policy = { .scopes = { needed, 2 },
                                .scope_hierarchy = { chain, 3 },
                                .origins = { origins, 2 } };
    policy.resource = (struct gh_url){ .scheme = GH_STR("https"), .authority_text = GH_STR("a:8443") };
    gh_str granted[64], rest = gh_str_of(data, size);
    struct gh_header fields[] = { { GH_STR("origin"), gh_str_cut(&rest, ' ') },
                                  { GH_STR("origin"), gh_str_cut(&rest, ' ') } };
    struct gh_headers one = { fields, 1, 2 }, two = { fields, fields[1].value.ptr != NULL ? 2 : 1, 2 };
    struct gh_principal who = { .scopes = { granted, 0 } };
    while (rest.ptr != NULL && who.scopes.count < GH_ARRAY_LEN(granted))
        granted[who.scopes.count++] = gh_str_cut(&rest, ' ');
    bool may = gh_strs_has(who.scopes, GH_STR("all")) || gh_strs_has(who.scopes, needed[1]);
    GH_HOLDS((gh_policy_decide(&policy, &who) == GH_OK) == may);
    may = gh_str_eq(fields[0].value, GH_STR("https://a:8443")) || gh_str_eq(fields[0].value, origins[0]);
    GH_HOLDS((gh_policy_origin(&policy, &one) == GH_OK) == may);
    GH_HOLDS(two.count == 1 || gh_policy_origin(&policy, &two) != GH_OK);
    return 0;
}
