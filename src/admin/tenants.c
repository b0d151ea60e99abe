/* admin/tenants.c: the tenants that have a managed issuer, and what it gives tokens for: where the other
 * questions may be asked. */
#include "admin/task.h"
#include "base/arena.h"
#include "base/str.h"

static void put_tenant(struct gh_task *t, struct gh_text *text, const struct gh_managed *managed)
{
    const struct gh_grant_policy *policy = &managed->policy;
    gh_str *at = gh_arena_calloc(t->x->arena, policy->resource_count + 1, sizeof(*at));
    for (size_t i = 0; at != NULL && i < policy->resource_count; i++)
        at[i] = policy->resources[i].canonical;
    gh_put_text(text, "tenant", policy->tenant);
    gh_put_text(text, "issuer", managed->name);
    gh_put_text(text, "url", policy->issuer);
    gh_put_list(text, "resources", (struct gh_strs){ at, at != NULL ? policy->resource_count : 0 });
}

static enum gh_task_end show_tenants(struct gh_task *t)
{
    struct gh_text all = { .arena = t->x->arena };
    gh_text_add(&all, GH_STR("{\"tenants\":["));
    for (size_t i = 0; i < t->site->issuer_count; i++) {
        struct gh_text one = { .arena = t->x->arena };
        put_tenant(t, &one, &t->site->issuers[i]);
        gh_text_add(&all, i > 0 ? GH_STR(",\n") : GH_STR("\n"));
        gh_text_add(&all, gh_put_end(&one));
    }
    gh_text_add(&all, GH_STR("]}\n"));
    return gh_task_answer(t, gh_text_take(&all));
}

static const gh_task_step list_steps[] = { show_tenants, NULL };

const struct gh_task_kind gh_task_tenants[] = {
    { GH_STR_INIT("/admin/v1/tenants/list"), "admin.tenant.list", NULL, list_steps },
    { .path = { 0 } },
};
