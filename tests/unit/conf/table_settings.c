/* table_settings.c: runs tests/tables/settings.cases: changes to one sound settings text, and what is said.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/str.h"
#include "conf/conf.h"
#include "support/sign.h"
#include "support/table.h"

#define MEMBERS_MAX 24

/* A block of the text: a heading, then one member a line. */
struct part {
    gh_str word; /* of the directives that change it; empty for the root */
    const char *heading, *first, *indent;
    gh_str members[MEMBERS_MAX]; /* "key: value" */
    size_t count;
    bool on;
};

enum { ISSUER, ISSUER2, TENANT, TENANT2, ROUTE, ROUTE2, ROOT, PARTS };

static char folder[] = "/tmp/gatehouse-settings-XXXXXX";

static void set_up(struct part parts[PARTS])
{
    static const struct part base[PARTS] = {
        { GH_STR_INIT("issuer"),
          "issuers:\n  idp:\n",
          "    ",
          "    ",
          { GH_STR_INIT("issuer: \"https://idp.example\"") },
          1,
          true },
        { GH_STR_INIT("issuer2"),
          "  two:\n",
          "    ",
          "    ",
          { GH_STR_INIT("issuer: \"https://two.example\"") },
          1,
          false },
        { GH_STR_INIT("tenant"),
          "tenants:\n  acme:\n",
          "    ",
          "    ",
          { GH_STR_INIT("hosts: [mcp.example]"), GH_STR_INIT("issuers: [idp]") },
          2,
          true },
        { GH_STR_INIT("tenant2"),
          "  beta:\n",
          "    ",
          "    ",
          { GH_STR_INIT("hosts: [beta.example]"), GH_STR_INIT("issuers: [idp]") },
          2,
          false },
        { GH_STR_INIT("route"),
          "routes:\n",
          "  - ",
          "    ",
          { GH_STR_INIT("name: a"), GH_STR_INIT("tenant: acme"),
            GH_STR_INIT("resource: \"https://mcp.example/a\""),
            GH_STR_INIT("upstream: \"http://127.0.0.1:3000/mcp\"") },
          4,
          true },
        { GH_STR_INIT("route2"),
          "",
          "  - ",
          "    ",
          { GH_STR_INIT("name: b"), GH_STR_INIT("tenant: acme"),
            GH_STR_INIT("resource: \"https://mcp.example/b\""),
            GH_STR_INIT("upstream: \"http://127.0.0.1:3000/mcp\"") },
          4,
          false },
        { GH_STR_INIT(""), "", "", "", { { NULL, 0 } }, 0, true },
    };
    memcpy(parts, base, sizeof(base));
}

static gh_str key_of(gh_str member)
{
    return gh_str_take(member, gh_str_find(member, ':'));
}

/* "key: value" replaces or adds a member, "-key" takes it away. */
static void change(struct part *part, gh_str member)
{
    part->on = true;
    bool is_away = gh_str_starts(member, GH_STR("-"));
    gh_str key = is_away ? gh_str_skip(member, 1) : key_of(member);
    size_t i = 0;
    while (i < part->count && !gh_str_eq(key_of(part->members[i]), key))
        i++;
    if (!is_away && i == part->count && part->count < MEMBERS_MAX)
        part->count++;
    if (!is_away)
        part->members[i] = member;
    for (; is_away && i + 1 < part->count; i++)
        part->members[i] = part->members[i + 1];
    part->count -= is_away;
}

static gh_str make_text(struct gh_arena *arena, gh_str line)
{
    struct part parts[PARTS];
    set_up(parts);
    while (line.ptr != NULL) {
        gh_str directive = gh_str_cut(&line, '\n');
        struct part *part = &parts[ROOT];
        gh_str word = gh_str_take(directive, gh_str_find(directive, ' '));
        for (size_t i = 0; i < ROOT; i++) {
            if (gh_str_eq(parts[i].word, word))
                part = &parts[i];
        }
        if (!gh_str_eq(directive, GH_STR("sound")))
            change(part, part == &parts[ROOT] ? directive : gh_str_skip(directive, word.len + 1));
    }
    gh_str text = GH_STR("");
    for (size_t i = 0; i < PARTS; i++) {
        if (parts[i].on)
            text = gh_arena_printf(arena, "%.*s%s", GH_STR_FMT(text), parts[i].heading);
        for (size_t j = 0; parts[i].on && j < parts[i].count; j++)
            text =
                gh_arena_printf(arena, "%.*s%s%.*s\n", GH_STR_FMT(text),
                                j == 0 ? parts[i].first : parts[i].indent, GH_STR_FMT(parts[i].members[j]));
    }
    return text;
}

static void answer(struct gh_arena *arena, gh_str line, struct gh_buf *out)
{
    struct gh_conf_errors errors;
    struct gh_conf *conf = NULL;
    gh_str text = gh_str_starts(line, GH_STR("raw ")) ? gh_str_skip(line, 4) : make_text(arena, line);
    if (gh_conf_errors_init(&errors) != GH_OK)
        abort();
    enum gh_reason reason = gh_conf_from_text(GH_STR("t"), text, gh_str_from(folder), &conf, &errors);
    bool done = gh_buf_printf(out, "%s", reason == GH_OK ? "ok" : reason == GH_SETTINGS_INVALID ? "" : "?");
    if ((reason == GH_OK) != (errors.error_count == 0))
        done = gh_buf_printf(out, "the verdict does not fit the errors");
    for (size_t i = 0; i < errors.count; i++) {
        const struct gh_conf_error *error = &errors.at[i];
        done = done &&
               gh_buf_printf(out, "%s%u:%u: %s%.*s: found %.*s, %s %.*s", gh_buf_len(out) != 0 ? " | " : "",
                             error->line, error->column, error->warning ? "warning: " : "",
                             GH_STR_FMT(error->key_path), GH_STR_FMT(error->found),
                             error->warning ? "better" : "allowed", GH_STR_FMT(error->allowed));
    }
    if (!done)
        abort();
    gh_conf_free(conf);
    gh_conf_errors_done(&errors);
}

static void make_file(const char *name, const char *text, mode_t mode)
{
    char path[256];
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    FILE *file = fopen(path, "we");
    if (file == NULL || fputs(text, file) < 0 || fclose(file) != 0 || chmod(path, mode) != 0)
        abort();
}

/* Private keys, each in a file named after its algorithm. */
static const char *const algs[] = { "ES256", "EdDSA", "RS256", "ES384" };

static void make_key(const char *alg)
{
    struct gh_arena *arena = gh_arena_new(0);
    struct gh_signer *signer = gh_signer_new(alg);
    make_file(alg, gh_signer_pem(arena, signer).ptr, 0600);
    gh_signer_free(signer);
    gh_arena_free(arena);
}

static void drop_file(const char *name)
{
    char path[256];
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    unlink(path);
}

/* In the folder of the settings: a certificate, a secret as it should be, one that others may read, keys. */
int main(void)
{
    if (mkdtemp(folder) == NULL)
        abort();
    make_file("cert", "x", 0644);
    make_file("secret", "x", 0600);
    make_file("open", "x", 0640);
    for (size_t i = 0; i < GH_ARRAY_LEN(algs); i++)
        make_key(algs[i]);
    int status = gh_table_run("settings", answer);
    drop_file("cert");
    drop_file("secret");
    drop_file("open");
    for (size_t i = 0; i < GH_ARRAY_LEN(algs); i++)
        drop_file(algs[i]);
    rmdir(folder);
    return status;
}
