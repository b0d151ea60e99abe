/* admin/clients.c: pre-registered clients of a managed issuer: added with a secret that is shown once,
 * rotated, removed with all that they were given. */
#include "admin/task.h"
#include "base/clock.h"
#include "base/secret.h"
#include "base/str.h"
#include "core/grant/client_rules.h"
#include "core/grant/client_words.h"
#include "core/grant/secret.h"

#define PAGE_MAX 50
#define PREFIX   "own-client/"

/* A row that finds those of the operator among all that registered themselves. */
static gh_str own_key(struct gh_arena *arena, gh_str id)
{
    return gh_arena_printf(arena, PREFIX "%.*s", GH_STR_FMT(id));
}

/* ---- shown ---- */

static void put_client(struct gh_task *t, struct gh_text *text, const struct gh_client *client,
                       const char *source)
{
    gh_put_text(text, "client", client->id);
    gh_put_text(text, "name", client->name);
    gh_put_text(text, "source", gh_str_from(source));
    gh_put_text(text, "auth", gh_client_auth_text(client->auth));
    gh_put_list(text, "grants", gh_client_grants_list(t->x->arena, client->grants));
    gh_put_list(text, "redirect_uris", client->redirect_uris);
    gh_put_list(text, "resources", client->resources);
    gh_put_list(text, "scopes", client->scopes);
    if (client->secrets.count > 0)
        gh_put_number(text, "secrets", (int64_t)client->secrets.count);
    gh_put_true(text, "no_consent", client->no_consent);
    if (client->created > 0)
        gh_put_number(text, "created", client->created);
}

static const char *source_of(const struct gh_client *client)
{
    return client->kind == GH_CLIENT_SETTINGS ? "operator" : "registered";
}

/* ---- which one is meant ---- */

static const struct gh_task_member members_of_client[] = { { "client", GH_JSON_STRING, true },
                                                           { NULL, GH_JSON_NULL, false } };

static enum gh_task_end tell_no_client(struct gh_task *t)
{
    return gh_task_tell(t, GH_ADMIN_UNKNOWN,
                        gh_arena_printf(t->x->arena, "client: found %.*s, which no client here is",
                                        GH_STR_FMT(gh_task_text(t, "client"))));
}

static enum gh_task_end read_client(struct gh_task *t)
{
    gh_str id = gh_task_text(t, "client"), key = gh_client_key(t->x->arena, id);
    t->again = t->step - 1;
    return gh_task_read(t, &key, 1);
}

static enum gh_task_end take_client(struct gh_task *t)
{
    if (gh_issuer_own_client(t->managed, gh_task_text(t, "client")) != NULL)
        return gh_task_tell(t, GH_ADMIN_CONFLICT,
                            GH_STR("client: this one is of the settings file, and changed there"));
    if (t->rows.at[0].version == 0)
        return tell_no_client(t);
    enum gh_reason reason = gh_client_read(t->x->arena, t->rows.at[0].value, &t->client);
    if (reason != GH_OK)
        return gh_task_refuse(t, reason);
    gh_task_name(t, GH_STR(""), t->client.id, GH_STR(""));
    t->effects = (struct gh_effects){ 0 };
    return GH_TASK_NEXT;
}

static enum gh_reason put_row(struct gh_task *t)
{
    const struct gh_stored_row *row = &t->rows.at[0];
    gh_str value = gh_client_write(t->x->arena, &t->client);
    enum gh_reason reason = gh_effects_expect(&t->effects, row->key, row->version);
    if (value.ptr == NULL)
        return GH_OUT_OF_MEMORY;
    return reason == GH_OK ? gh_effects_write(&t->effects, row->key, value, row->expires) : reason;
}

/* ---- list and show ---- */

static const struct gh_task_member members_of_list[] = { { "after", GH_JSON_STRING, false },
                                                         { NULL, GH_JSON_NULL, false } };

static enum gh_task_end list_names(struct gh_task *t)
{
    gh_str after = gh_task_text(t, "after");
    gh_str key = after.len > 0 ? own_key(t->x->arena, after) : GH_STR("");
    return gh_task_list(t, GH_STR(PREFIX), key, PAGE_MAX);
}

static enum gh_task_end read_listed(struct gh_task *t)
{
    gh_str keys[PAGE_MAX];
    t->listed = t->rows;
    for (size_t i = 0; i < t->listed.count; i++)
        keys[i] = gh_client_key(t->x->arena, gh_str_skip(t->listed.at[i].key, sizeof(PREFIX) - 1));
    if (t->listed.count == 0)
        return GH_TASK_NEXT;
    return gh_task_read(t, keys, t->listed.count);
}

static void put_one(struct gh_task *t, struct gh_text *all, const struct gh_client *client,
                    const char *source)
{
    struct gh_text one = { .arena = t->x->arena };
    put_client(t, &one, client, source);
    gh_text_add(all, t->shown++ > 0 ? GH_STR(",\n") : GH_STR("\n"));
    gh_text_add(all, gh_put_end(&one));
}

/* Those of the settings come first, on the first page. */
static enum gh_task_end show_listed(struct gh_task *t)
{
    struct gh_text all = { .arena = t->x->arena };
    bool is_first = gh_task_text(t, "after").len == 0;
    gh_text_add(&all, GH_STR("{\"clients\":["));
    for (size_t i = 0; is_first && i < t->managed->client_count; i++)
        put_one(t, &all, &t->managed->clients[i].client, "settings");
    for (size_t i = 0; i < t->listed.count; i++) {
        struct gh_client client;
        if (t->rows.at[i].version == 0) /* removed between the two reads */
            continue;
        enum gh_reason reason = gh_client_read(t->x->arena, t->rows.at[i].value, &client);
        if (reason != GH_OK)
            return gh_task_refuse(t, reason);
        put_one(t, &all, &client, "operator");
    }
    gh_text_add(&all, GH_STR("]"));
    if (t->listed.count == PAGE_MAX) {
        gh_text_add(&all, GH_STR(",\"next\":"));
        gh_text_json(&all, gh_str_skip(t->listed.at[PAGE_MAX - 1].key, sizeof(PREFIX) - 1));
    }
    gh_text_add(&all, GH_STR("}\n"));
    return gh_task_answer(t, gh_text_take(&all));
}

static enum gh_task_end show_client(struct gh_task *t)
{
    const struct gh_client *own = gh_issuer_own_client(t->managed, gh_task_text(t, "client"));
    struct gh_text text = { .arena = t->x->arena };
    if (own == NULL && t->rows.at[0].version == 0)
        return tell_no_client(t);
    enum gh_reason reason =
        own == NULL ? gh_client_read(t->x->arena, t->rows.at[0].value, &t->client) : GH_OK;
    if (reason != GH_OK)
        return gh_task_refuse(t, reason);
    if (own != NULL)
        put_client(t, &text, own, "settings");
    else
        put_client(t, &text, &t->client, source_of(&t->client));
    return gh_task_answer(t, gh_put_end(&text));
}

/* ---- add ---- */

static const struct gh_task_member members_of_add[] = {
    { "client", GH_JSON_STRING, false },   { "name", GH_JSON_STRING, false },
    { "auth", GH_JSON_STRING, false },     { "grants", GH_JSON_ARRAY, false },
    { "resources", GH_JSON_ARRAY, false }, { "scopes", GH_JSON_ARRAY, false },
    { "jwks", GH_JSON_OBJECT, false },     { "redirect_uris", GH_JSON_ARRAY, false },
    { "no_consent", GH_JSON_TRUE, false }, { NULL, GH_JSON_NULL, false },
};

static gh_str random_id(struct gh_arena *arena)
{
    unsigned char random[16];
    gh_random_fill(random, sizeof(random));
    return gh_id_text(arena, "cli_", random);
}

static gh_str read_wish(struct gh_task *t, struct gh_client *client)
{
    struct gh_arena *arena = t->x->arena;
    gh_str words = gh_client_wish_read(arena, &t->asked, client);
    if (words.ptr == NULL || words.len > 0)
        return words;
    client->created = t->now;
    if (client->id.len == 0)
        client->id = random_id(arena);
    if (client->id.ptr == NULL)
        return GH_STR_NONE;
    gh_client_fill_in(client);
    return gh_client_wrong(arena, &t->managed->policy, client);
}

static enum gh_task_end read_new(struct gh_task *t)
{
    gh_str words = read_wish(t, &t->client);
    if (words.ptr == NULL)
        return gh_task_refuse(t, GH_OUT_OF_MEMORY);
    if (words.len > 0)
        return gh_task_tell(t, GH_ADMIN_MALFORMED, words);
    gh_str key = gh_client_key(t->x->arena, t->client.id);
    t->again = t->step - 1;
    return gh_task_read(t, &key, 1);
}

/* The answer alone shows the secret: 256 bits, of which the hash is kept. */
static enum gh_reason give_secret(struct gh_task *t)
{
    unsigned char bytes[32];
    struct gh_text text = { .arena = t->x->arena };
    bool wants = t->client.auth == GH_CLIENT_AUTH_BASIC || t->client.auth == GH_CLIENT_AUTH_POST;
    gh_str secret = GH_STR("");
    if (wants) {
        gh_random_fill(bytes, sizeof(bytes));
        secret = gh_secret_text(t->x->arena, bytes, sizeof(bytes));
        gh_wipe(bytes, sizeof(bytes));
    }
    gh_str hash = secret.len > 0 ? gh_secret_hash(t->x->arena, secret) : GH_STR_NONE;
    if (wants && (hash.ptr == NULL || !gh_client_add_secret(t->x->arena, &t->client, hash)))
        return GH_OUT_OF_MEMORY;
    put_client(t, &text, &t->client, source_of(&t->client));
    gh_put_text(&text, "secret", secret);
    t->reply = gh_put_end(&text);
    return t->reply.ptr != NULL ? GH_OK : GH_OUT_OF_MEMORY;
}

static enum gh_task_end add_client(struct gh_task *t)
{
    gh_str key = own_key(t->x->arena, t->client.id);
    if (t->rows.at[0].version != 0 || gh_issuer_own_client(t->managed, t->client.id) != NULL)
        return gh_task_tell(t, GH_ADMIN_CONFLICT,
                            gh_arena_printf(t->x->arena, "client: found %.*s, which a client here is already",
                                            GH_STR_FMT(t->client.id)));
    t->effects = (struct gh_effects){ 0 };
    enum gh_reason reason = key.ptr != NULL ? give_secret(t) : GH_OUT_OF_MEMORY;
    if (reason == GH_OK)
        reason = put_row(t);
    if (reason == GH_OK)
        reason = gh_effects_write(&t->effects, key, GH_STR("{}"), 0);
    gh_task_name(t, GH_STR(""), t->client.id, GH_STR(""));
    return reason == GH_OK ? gh_task_commit(t) : gh_task_refuse(t, reason);
}

/* ---- rotate, and drop the older ---- */

static enum gh_task_end rotate(struct gh_task *t)
{
    if (t->client.secrets.count == 0)
        return gh_task_tell(t, GH_ADMIN_CONFLICT, GH_STR("client: this one has no secret to rotate"));
    if (t->client.secrets.count == GH_CLIENT_SECRETS_MAX)
        return gh_task_tell(t, GH_ADMIN_CONFLICT,
                            GH_STR("client: found two secrets that live; drop the older one first"));
    enum gh_reason reason = give_secret(t);
    if (reason == GH_OK)
        reason = put_row(t);
    return reason == GH_OK ? gh_task_commit(t) : gh_task_refuse(t, reason);
}

static enum gh_task_end drop_older(struct gh_task *t)
{
    struct gh_text text = { .arena = t->x->arena };
    if (!gh_client_drop_secret(&t->client))
        return gh_task_tell(t, GH_ADMIN_CONFLICT, GH_STR("client: found no second secret; rotate makes one"));
    put_client(t, &text, &t->client, source_of(&t->client));
    t->reply = gh_put_end(&text);
    enum gh_reason reason = put_row(t);
    return reason == GH_OK ? gh_task_commit(t) : gh_task_refuse(t, reason);
}

/* ---- remove ---- */

/* Whatever it was given ends with it, also what was on its way to it in this second. */
static enum gh_task_end remove_client(struct gh_task *t)
{
    const struct gh_stored_row *row = &t->rows.at[0];
    struct gh_text text = { .arena = t->x->arena };
    gh_put_text(&text, "client", t->client.id);
    gh_put_text(&text, "state", GH_STR("removed"));
    t->reply = gh_put_end(&text);
    enum gh_reason reason = gh_effects_expect(&t->effects, row->key, row->version);
    if (reason == GH_OK)
        reason = gh_effects_delete(&t->effects, row->key);
    if (reason == GH_OK && gh_id_is_sound(t->client.id))
        reason = gh_effects_delete(&t->effects, own_key(t->x->arena, t->client.id));
    if (reason == GH_OK)
        reason = gh_task_revoke(t, GH_REVOKED_CLIENT, t->client.id,
                                gh_task_epoch(t, GH_REVOKED_CLIENT, t->client.id) + 1);
    return reason == GH_OK ? gh_task_commit(t) : gh_task_refuse(t, reason);
}

static const gh_task_step list_steps[] = { list_names, read_listed, show_listed, NULL };
static const gh_task_step show_steps[] = { read_client, show_client, NULL };
static const gh_task_step add_steps[] = { read_new, add_client, gh_task_reply, NULL };
static const gh_task_step rotate_steps[] = { read_client, take_client, rotate, gh_task_reply, NULL };
static const gh_task_step drop_steps[] = { read_client, take_client, drop_older, gh_task_reply, NULL };
static const gh_task_step remove_steps[] = { read_client, take_client, remove_client, gh_task_reply, NULL };

const struct gh_task_kind gh_task_clients[] = {
    { GH_STR_INIT("/admin/v1/clients/list"), "admin.client.list", members_of_list, list_steps },
    { GH_STR_INIT("/admin/v1/clients/show"), "admin.client.show", members_of_client, show_steps },
    { GH_STR_INIT("/admin/v1/clients/add"), "admin.client.add", members_of_add, add_steps },
    { GH_STR_INIT("/admin/v1/clients/rotate"), "admin.client.rotate", members_of_client, rotate_steps },
    { GH_STR_INIT("/admin/v1/clients/drop-secret"), "admin.client.drop_secret", members_of_client,
      drop_steps },
    { GH_STR_INIT("/admin/v1/clients/remove"), "admin.client.remove", members_of_client, remove_steps },
    { .path = { 0 } },
};
