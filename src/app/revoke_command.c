/* app/revoke_command.c: `gatehouse revoke`: tells the running gateway, by its admin listener, what is to end.
 */
#include <stdio.h>

#include "app/admin_client.h"
#include "app/commands.h"
#include "base/str.h"
#include "core/text.h"

struct wish {
    const char *file, *level, *tenant, *issuer, *until, *id;
};

/* The gateway judges it; only numbers must be some for the JSON's sake. */
static gh_str body_of(struct gh_arena *arena, const struct wish *wish)
{
    struct gh_text text = { .arena = arena };
    uint64_t until = 0;
    gh_put_text(&text, "level", gh_str_from(wish->level));
    gh_put_text(&text, "tenant", gh_str_from(wish->tenant));
    gh_put_text(&text, "issuer", gh_str_from(wish->issuer));
    gh_put_text(&text, "id", gh_str_from(wish->id));
    if (wish->until != NULL && gh_str_to_u64(gh_str_from(wish->until), &until))
        gh_put_number(&text, "until", (int64_t)until);
    return gh_put_end(&text);
}

static int revoke_it(const struct wish *wish)
{
    struct gh_conf *conf = gh_admin_settings(wish->file);
    if (conf == NULL)
        return 1;
    struct gh_admin_answer answer = { 0 };
    gh_str body = body_of(conf->arena, wish);
    bool asked = body.ptr != NULL && gh_admin_post(conf, GH_STR("/admin/v1/revoke"), body, &answer);
    if (!asked)
        (void)fprintf(stderr, "gatehouse revoke: no gateway answers at admin.address of %s\n", wish->file);
    else
        (void)fprintf(answer.status == 200 ? stdout : stderr, "%.*s", GH_STR_FMT(answer.body));
    gh_conf_free(conf);
    return asked && answer.status == 200 ? 0 : 1;
}

int gh_command_revoke(int argc, char **argv)
{
    struct wish wish = { 0 };
    const struct gh_option rows[] = {
        { "-c", "FILE", "settings file of the running gateway", &wish.file },
        { "--level", "LEVEL", "tenant, user, client, agent, instance, grant or token", &wish.level },
        { "--tenant", "NAME", "the tenant it is about", &wish.tenant },
        { "--issuer", "NAME", "the issuer whose id it is, as the settings call it; not with level tenant",
          &wish.issuer },
        { "--until", "SECONDS", "when it may be forgotten (since 1970): nothing it could end lives longer",
          &wish.until },
    };
    const struct gh_options options = {
        .command = "revoke",
        .summary =
            "Ends tokens before they expire: those issued up to now to a tenant, user, client or agent, or "
            "all\nwith the id of a grant (sid) or token (jti; `gatehouse explain` says which). Open streams "
            "end too.\nReturns when it is durable.",
        .rows = rows,
        .row_count = sizeof(rows) / sizeof(rows[0]),
        .operands_name = "ID",
        .operands = &wish.id,
        .operands_max = 1,
    };
    unsigned operands;
    bool help;
    if (!gh_options_read(&options, argc, argv, &operands, &help))
        return help ? 0 : 2;
    uint64_t until;
    if (wish.file == NULL || wish.level == NULL || wish.tenant == NULL ||
        (wish.until != NULL && !gh_str_to_u64(gh_str_from(wish.until), &until))) {
        (void)fprintf(stderr,
                      "gatehouse revoke: -c FILE, --level LEVEL and --tenant NAME are needed, --until is a "
                      "number\n");
        return 2;
    }
    return revoke_it(&wish);
}
