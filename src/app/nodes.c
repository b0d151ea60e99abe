/* app/nodes.c: this process's entry in the list of gateways that share the store: written again and again
 * while it runs, and gone by itself a minute after it does not any more. Nothing decides by it: it is for
 * whoever runs them, who asks with `gatehouse node list`. */
#include <stdio.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "app/control.h"
#include "base/clock.h"
#include "base/str.h"
#include "core/text.h"

#define WRITE_MS 20000
#define KEPT_S   60

static void write_entry(struct gh_deadline *deadline);

static struct gh_control *owner_of(struct gh_node_entry *own)
{
    return GH_LIST_ENTRY(own, struct gh_control, node);
}

void gh_control_join(struct gh_control *control)
{
    struct gh_node_entry *own = &control->node;
    unsigned char random[GH_NODE_ID / 2];
    gh_deadline_init(&own->due, write_entry);
    if (control->store == NULL)
        return;
    gh_random_fill(random, sizeof(random));
    for (size_t i = 0; i < sizeof(random); i++)
        (void)snprintf(own->id + 2 * i, 3, "%02x", random[i]);
    own->started_s = gh_loop_wall_s(control->loop);
    write_entry(&own->due);
}

void gh_control_say_state(struct gh_control *control)
{
    if (control->node.id[0] != '\0')
        write_entry(&control->node.due);
}

void gh_control_leave(struct gh_control *control)
{
    struct gh_node_entry *own = &control->node;
    if (own->id[0] == '\0')
        return;
    gh_deadline_clear(&own->due);
    if (own->call != NULL)
        gh_store_cancel(own->call);
    own->call = NULL;
}

static const char *state_of(const struct gh_control *control)
{
    if (control->draining)
        return "draining";
    return control->revocations.has_past ? "serving" : "starting";
}

static gh_str describe(struct gh_control *control, struct gh_arena *arena)
{
    const struct gh_node_entry *own = &control->node;
    struct gh_text text = { .arena = arena };
    struct utsname system;
    gh_put_text(&text, "node", gh_str_from(own->id));
    if (uname(&system) == 0)
        gh_put_text(&text, "host", gh_str_from(system.nodename));
    gh_put_number(&text, "process", getpid());
    gh_put_text(&text, "version", GH_STR(GH_VERSION));
    gh_put_text(&text, "state", gh_str_from(state_of(control)));
    gh_put_number(&text, "generation", (int64_t)control->generation);
    gh_put_number(&text, "started", own->started_s);
    gh_put_number(&text, "seen", gh_loop_wall_s(control->loop));
    return gh_put_end(&text);
}

/* One that could not be written is written the next time: that the store fails is told by others. */
static void written(void *ctx, const struct gh_store_answer *answer)
{
    struct gh_node_entry *own = ctx;
    (void)answer;
    own->call = NULL;
}

static void write_entry(struct gh_deadline *deadline)
{
    struct gh_node_entry *own = GH_LIST_ENTRY(deadline, struct gh_node_entry, due);
    struct gh_control *control = owner_of(own);
    int64_t now = gh_loop_wall_s(control->loop);
    GH_CLEANUP(gh_arena_free) struct gh_arena *arena = own->call == NULL ? gh_arena_new(0) : NULL;
    struct gh_effects effects = { 0 };
    gh_deadline_set(control->loop, &own->due, WRITE_MS);
    if (arena == NULL)
        return;
    gh_str key = gh_arena_printf(arena, "node/%s", own->id), value = describe(control, arena);
    if (key.ptr != NULL && value.ptr != NULL && gh_effects_write(&effects, key, value, now + KEPT_S) == GH_OK)
        own->call = gh_store_commit(control->revocations.client, GH_STR(""), &effects, now, written, own);
}
