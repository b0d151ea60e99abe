/* conf/docs_schema.c: docs/settings.schema.json, the JSON schema by which editors complete and check
 * settings.
 */
#include "base/str.h"
#include "conf/rows.h"

static void write_section(FILE *out, const struct gh_section *section, int indent);
static void write_row(FILE *out, const struct gh_row *row, int indent);
static void write_type(FILE *out, const struct gh_row *row, int indent);
static void write_choices(FILE *out, const struct gh_choice *choices);
static void write_text(FILE *out, const char *text);

void gh_conf_write_settings_schema(FILE *out)
{
    fputs("{\n  \"$schema\": \"https://json-schema.org/draft/2020-12/schema\",\n"
          "  \"title\": \"Gatehouse settings\",\n  ",
          out);
    write_section(out, &gh_settings_section, 2);
    fputs("\n}\n", out);
}

/* The members of an object schema, without the braces. */
static void write_section(FILE *out, const struct gh_section *section, int indent)
{
    bool is_first = true;
    fprintf(out, "\"type\": \"object\",\n%*s\"additionalProperties\": false,\n", indent, "");
    fprintf(out, "%*s\"required\": [", indent, "");
    for (const struct gh_row *row = section->rows; row->key != NULL; row++) {
        if ((row->flags & GH_ROW_REQUIRED) == 0)
            continue;
        fprintf(out, "%s\"%s\"", is_first ? "" : ", ", row->key);
        is_first = false;
    }
    fprintf(out, "],\n%*s\"properties\": {\n", indent, "");
    for (const struct gh_row *row = section->rows; row->key != NULL; row++) {
        write_row(out, row, indent + 2);
        fputs(row[1].key != NULL ? ",\n" : "\n", out);
    }
    fprintf(out, "%*s}", indent, "");
}

static void write_row(FILE *out, const struct gh_row *row, int indent)
{
    fprintf(out, "%*s\"%s\": {\n%*s\"description\": ", indent, "", row->key, indent + 2, "");
    write_text(out, row->doc);
    fprintf(out, ",\n%*s", indent + 2, "");
    if (row->fallback != NULL) {
        bool is_json = row->type == GH_ROW_INT || row->type == GH_ROW_BOOL;
        fprintf(out, is_json ? "\"default\": %s" : "\"default\": \"%s\"", row->fallback);
        fprintf(out, ",\n%*s", indent + 2, "");
    }
    write_type(out, row, indent + 2);
    fprintf(out, "\n%*s}", indent, "");
}

static void write_bounds(FILE *out, const struct gh_row *row, const char *what)
{
    if (row->min > 0)
        fprintf(out, ", \"min%s\": %lld", what, (long long)row->min);
    if (row->max > 0)
        fprintf(out, ", \"max%s\": %lld", what, (long long)row->max);
}

static void write_list(FILE *out, const struct gh_row *row, const char *items)
{
    const char *one = (row->flags & GH_ROW_ONE) != 0 ? items : NULL;
    if (one != NULL)
        fprintf(out, "\"anyOf\": [{ %s }, { ", one);
    fprintf(out, "\"type\": \"array\", \"items\": { %s }", items);
    write_bounds(out, row, "Items");
    if (one != NULL)
        fputs(" }]", out);
}

static void write_nested(FILE *out, const struct gh_row *row, int indent)
{
    if (row->type == GH_ROW_SECTIONS) {
        fprintf(out, "\"type\": \"array\", \"items\": {\n%*s", indent + 2, "");
        write_section(out, row->section, indent + 2);
        fprintf(out, "\n%*s}", indent, "");
        write_bounds(out, row, "Items");
    } else if (row->type == GH_ROW_NAMED) {
        fprintf(out, "\"type\": \"object\", \"additionalProperties\": {\n%*s", indent + 2, "");
        write_section(out, row->section, indent + 2);
        fprintf(out, "\n%*s}", indent, "");
        write_bounds(out, row, "Properties");
    } else if (row->section->scalar_key != NULL) {
        fprintf(out, "\"anyOf\": [{ \"type\": \"string\" }, {\n%*s", indent + 2, "");
        write_section(out, row->section, indent + 2);
        fprintf(out, "\n%*s}]", indent, "");
    } else {
        write_section(out, row->section, indent);
    }
}

#define DURATION "\"type\": \"string\", \"pattern\": \"^[0-9]+(ms|s|m|h|d)$\""
#define HEADER   "\"type\": \"string\", \"pattern\": \"^[A-Za-z0-9!#$%&'*+.^`|~-]+$\""
#define ALGS                                                                                                 \
    "\"enum\": [\"RS256\", \"RS384\", \"RS512\", \"PS256\", \"PS384\", \"PS512\", \"ES256\", \"ES384\", "    \
    "\"ES512\", \"EdDSA\", \"Ed25519\"]"

static void write_type(FILE *out, const struct gh_row *row, int indent)
{
    bool has_off = (row->flags & GH_ROW_OFF) != 0;
    switch (row->type) {
    case GH_ROW_INT:
        fprintf(out, "\"type\": \"integer\", \"minimum\": %lld, \"maximum\": %lld", (long long)row->min,
                (long long)row->max);
        return;
    case GH_ROW_BOOL:
        fputs("\"type\": \"boolean\"", out);
        return;
    case GH_ROW_MS:
    case GH_ROW_SECONDS:
        fputs(has_off ? "\"anyOf\": [{ \"const\": \"off\" }, { " DURATION " }]" : DURATION, out);
        return;
    case GH_ROW_SIZE:
        fprintf(out, "\"type\": [\"string\", \"integer\"], \"pattern\": \"^[0-9]+(B|KiB|MiB|GiB)?%s$\"",
                has_off ? "$|^off" : "");
        return;
    case GH_ROW_TEXT:
    case GH_ROW_PROFILE:
    case GH_ROW_FILE:
    case GH_ROW_OUTPUT:
    case GH_ROW_PATH:
        fputs("\"type\": [\"string\", \"number\", \"boolean\"]", out);
        return;
    case GH_ROW_URL:
        fputs("\"type\": \"string\", \"pattern\": \"^https?://\"", out);
        return;
    case GH_ROW_HEADER:
        fputs(HEADER, out);
        return;
    case GH_ROW_CHOICE:
        write_choices(out, row->choices);
        return;
    case GH_ROW_TEXTS:
    case GH_ROW_SCOPES:
    case GH_ROW_CIDRS:
        write_list(out, row,
                   (row->flags & GH_ROW_NULL) != 0 ? "\"type\": [\"string\", \"null\"]"
                                                   : "\"type\": \"string\"");
        return;
    case GH_ROW_FILES:
        write_list(out, row, "\"type\": \"string\"");
        return;
    case GH_ROW_URLS:
        write_list(out, row, "\"type\": \"string\", \"pattern\": \"^https?://\"");
        return;
    case GH_ROW_HEADERS:
        write_list(out, row, HEADER);
        return;
    case GH_ROW_ALGS:
        write_list(out, row, ALGS);
        return;
    case GH_ROW_NUMBER:
        fputs("\"type\": \"number\"", out);
        return;
    case GH_ROW_VALUES:
        write_list(out, row, "\"type\": [\"string\", \"number\", \"boolean\", \"null\"]");
        return;
    case GH_ROW_CALLS:
    case GH_ROW_RULES:
        fputs("\"type\": \"object\", \"additionalProperties\": { \"anyOf\": [{ \"type\": [\"string\", "
              "\"number\", "
              "\"boolean\"] }, { \"type\": \"array\" }] }",
              out);
        return;
    case GH_ROW_SECTION:
    case GH_ROW_SECTIONS:
    case GH_ROW_NAMED:
        write_nested(out, row, indent);
        return;
    }
}

static void write_choices(FILE *out, const struct gh_choice *choices)
{
    fputs("\"enum\": [", out);
    for (; choices->text != NULL; choices++)
        fprintf(out, "\"%s\"%s", choices->text, choices[1].text != NULL ? ", " : "");
    fputs("]", out);
}

static void write_text(FILE *out, const char *text)
{
    char escaped[2048];
    size_t len = gh_json_escape(gh_str_from(text), escaped, sizeof(escaped));
    fprintf(out, "\"%.*s\"", (int)len, escaped);
}
