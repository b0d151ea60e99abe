/* conf/docs.c: docs/settings.md and docs/reasons.md, written from the tables that drive the program. */
#include "conf/reason_docs.h"
#include "conf/rows.h"

static void write_section(FILE *out, struct gh_arena *arena, const struct gh_section *section);
static void write_row(FILE *out, struct gh_arena *arena, const struct gh_row *row);
static void write_cell(FILE *out, const char *text);

static const char settings_head[] =
    "<!-- Generated from the tables in src/conf: ninja -C build docs. Do not edit. -->\n"
    "# Settings\n\n"
    "`gatehouse check -c FILE` tells every fault as `file:line:column: key.path: found X, allowed Y`.\n"
    "An editor that knows `settings.schema.json` completes and checks while you write:\n"
    "`# yaml-language-server: $schema=settings.schema.json` as the first line.\n\n"
    "Durations are written `500ms`, `30s`, `10m`, `1h`, `1d`; sizes `512`, `64KiB`, `4MiB`; booleans `true` "
    "and "
    "`false`.\n"
    "Secrets are never written here, only the names of files that hold them, which nobody else may read.\n"
    "`credential:NAME` is the file that the service manager gave under that name (`LoadCredential=`), "
    "wherever "
    "a file is read.\n";

void gh_conf_write_settings_md(FILE *out)
{
    GH_CLEANUP(gh_arena_free) struct gh_arena *arena = gh_arena_new(0);
    if (arena == NULL)
        return;
    fputs(settings_head, out);
    write_section(out, arena, &gh_settings_section);
}

static void write_section(FILE *out, struct gh_arena *arena, const struct gh_section *section)
{
    fprintf(out, "\n## %s\n\n%s\n\n| key | takes | default | what |\n|---|---|---|---|\n", section->title,
            section->doc);
    for (const struct gh_row *row = section->rows; row->key != NULL; row++)
        write_row(out, arena, row);
    for (const struct gh_row *row = section->rows; row->key != NULL; row++) {
        if (row->section != NULL)
            write_section(out, arena, row->section);
    }
}

static void write_row(FILE *out, struct gh_arena *arena, const struct gh_row *row)
{
    gh_str takes = gh_row_allowed(arena, row);
    fprintf(out, "| `%s` | ", row->key);
    write_cell(out, takes.ptr != NULL ? takes.ptr : "");
    fputs(" | ", out);
    if (row->fallback != NULL)
        fprintf(out, "`%s`", row->fallback);
    else if ((row->flags & GH_ROW_REQUIRED) != 0)
        fputs("must be written", out);
    else
        write_cell(out, row->unset != NULL ? row->unset : "as below");
    fputs(" | ", out);
    write_cell(out, row->doc);
    fputs(" |\n", out);
}

static void write_cell(FILE *out, const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text == '|')
            fputc('\\', out);
        fputc(*text, out);
    }
}

static const char reasons_head[] =
    "<!-- Generated from include/gatehouse/reason.h and src/conf/reason_docs.c: ninja -C build docs. Do not "
    "edit. "
    "-->\n"
    "# Reasons\n\n"
    "Every way an exchange can end. The slug stands in the audit line, in the label of metrics and in "
    "`gatehouse "
    "explain`;\n"
    "status, OAuth error and text are what the client sees when the gateway itself answers.\n\n"
    "| reason | status | OAuth error | the client reads | what it means | what helps |\n"
    "|---|---|---|---|---|---|\n";

void gh_conf_write_reasons_md(FILE *out)
{
    fputs(reasons_head, out);
    for (int i = 0; i < (int)GH_REASON_COUNT; i++) {
        const struct gh_reason_row *row = gh_reason_row((enum gh_reason)i);
        const struct gh_reason_doc *doc = gh_reason_doc((enum gh_reason)i);
        fprintf(out, "| `%s` | %d | %s | %s | ", row->slug, row->status,
                row->error != NULL ? row->error : "-", row->text != NULL ? row->text : "-");
        write_cell(out, doc->meaning != NULL ? doc->meaning : "");
        fputs(" | ", out);
        write_cell(out, doc->remedy != NULL ? doc->remedy : "");
        fputs(" |\n", out);
    }
}
