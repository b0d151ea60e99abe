/* admin/nodes.c: the gateways that share the store, as each has said of itself of late (app/nodes.c). */
#include "admin/task.h"
#include "base/arena.h"
#include "base/str.h"

#define NODES_MAX 500

static enum gh_task_end ask_for_nodes(struct gh_task *t)
{
    if (t->admin->store == NULL)
        return gh_task_tell(t, GH_ADMIN_UNKNOWN, GH_STR("the settings name no store: nobody shares it"));
    return gh_task_list(t, GH_STR("node/"), GH_STR(""), NODES_MAX);
}

/* Their values are JSON objects as they lie there. */
static enum gh_task_end show_nodes(struct gh_task *t)
{
    struct gh_text all = { .arena = t->x->arena };
    gh_text_add(&all, GH_STR("{\"nodes\":["));
    for (size_t i = 0; i < t->rows.count; i++) {
        gh_text_add(&all, i > 0 ? GH_STR(",\n") : GH_STR("\n"));
        gh_text_add(&all, t->rows.at[i].value);
    }
    gh_text_add(&all, GH_STR("]}\n"));
    return gh_task_answer(t, gh_text_take(&all));
}

static const gh_task_step list_steps[] = { ask_for_nodes, show_nodes, NULL };

const struct gh_task_kind gh_task_nodes[] = {
    { GH_STR_INIT("/admin/v1/nodes/list"), "admin.node.list", NULL, list_steps },
    { .path = { 0 } },
};
