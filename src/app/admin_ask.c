/* app/admin_ask.c: what the commands of the admin interface have in common: a question, and its answer on the
 * standard output. */
#include <stdio.h>
#include <string.h>

#include "app/admin_client.h"
#include "base/arena.h"
#include "base/secret.h"
#include "base/str.h"
#include "core/json/json.h"

/* What the gateway says of it, or its answer as it came. */
static gh_str words_of(struct gh_arena *arena, gh_str body)
{
    struct gh_json answer;
    gh_str words = GH_STR_NONE;
    if (gh_json_read(arena, body, &gh_json_control_limits, GH_ADMIN_MALFORMED, &answer) == GH_OK)
        words = gh_json_text(gh_json_get(&answer, GH_STR("error")));
    return words.ptr != NULL ? words : gh_str_trim(body);
}

int gh_admin_ask(const struct gh_conf *conf, const char *command, const char *path, struct gh_text *asked)
{
    struct gh_admin_answer answer = { 0 };
    gh_str body = gh_put_end(asked);
    if (body.ptr == NULL || !gh_admin_post(conf, gh_str_from(path), body, &answer)) {
        (void)fprintf(stderr, "gatehouse %s: no gateway answers at admin.address of the settings\n", command);
        return 1;
    }
    bool good = answer.status == 200;
    if (good)
        (void)printf("%.*s\n", GH_STR_FMT(gh_str_trim(answer.body)));
    else
        (void)fprintf(stderr, "gatehouse %s: %.*s\n", command,
                      GH_STR_FMT(words_of(conf->arena, answer.body)));
    gh_wipe((char *)(uintptr_t)answer.body.ptr, answer.body.len); /* it may hold a link or a secret */
    return good && fflush(stdout) == 0 ? 0 : 1;
}

void gh_admin_put(struct gh_text *asked, const char *name, const char *value)
{
    if (value != NULL)
        gh_put_text(asked, name, gh_str_from(value));
}

void gh_admin_put_user(struct gh_text *asked, const char *user)
{
    if (user != NULL)
        gh_admin_put(asked, strncmp(user, "usr_", 4) == 0 ? "user" : "name", user);
}
