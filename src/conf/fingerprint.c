/* conf/fingerprint.c: one number over all that the settings say of a route, so that a reload knows what
 * changed. */
#include "base/map.h"
#include "base/str.h"
#include "conf/build.h"

/* Chained: each piece is hashed under what came before. Settings come from the operator, not from an
 * attacker. */
static uint64_t add(uint64_t state, gh_str piece)
{
    const uint64_t seed[2] = { state, piece.len };
    return gh_hash(seed, piece);
}

static uint64_t add_node(uint64_t state, const struct gh_node *node)
{
    const char kind = (char)('0' + (int)node->kind);
    state = add(state, gh_str_of(&kind, 1));
    state = add(state, node->key);
    state = add(state, node->text);
    for (const struct gh_node *child = node->children; child != NULL; child = child->next)
        state = add_node(state, child); /* as deep as gh_yaml_read allows: 32 */
    return add(state, GH_STR(")"));
}

uint64_t gh_build_fingerprint(const struct gh_settings *settings, const struct gh_settings_route *route,
                              const struct gh_settings_tenant *tenant)
{
    uint64_t state = add_node(0, route->at.node);
    state = add_node(state, tenant->at.node);
    for (size_t i = 0; i < settings->issuers.count; i++) {
        const struct gh_settings_issuer *issuer = gh_issuer_at(settings, i);
        if (gh_strs_has(tenant->issuers, issuer->at.node->key))
            state = add_node(state, issuer->at.node);
    }
    return state;
}
