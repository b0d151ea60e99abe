/* conf/values.c: one value of the settings: what each row type takes, in words and in code. */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/str.h"
#include "conf/rows.h"
#include "io/file.h"

#define MS_DAY 86400000

static bool put_int(const struct gh_row *row, gh_str text, void *at);
static bool put_bool(gh_str text, void *at);
static bool put_duration(const struct gh_row *row, gh_str text, void *at);
static bool put_size(const struct gh_row *row, gh_str text, void *at);
static bool put_choice(const struct gh_row *row, gh_str text, void *at);
static bool put_text(struct gh_fill *fill, const struct gh_row *row, gh_str text, gh_str *at);
static void fill_file(struct gh_fill *fill, const struct gh_row *row, const struct gh_node *node, gh_str *at);
static void check_file(struct gh_teller *teller, const struct gh_row *row, const struct gh_node *node,
                       const char *path);
static void fill_list(struct gh_fill *fill, const struct gh_row *row, const struct gh_node *node, void *at);
static bool put_entries(struct gh_fill *fill, const struct gh_row *row, const struct gh_node *first,
                        size_t count, void *at);
static void fill_rules(struct gh_fill *fill, const struct gh_row *row, const struct gh_node *node,
                       struct gh_claim_rules *at);
static void fill_values(struct gh_fill *fill, const struct gh_row *row, const struct gh_node *node,
                        struct gh_settings_values *at);
static bool put_json(struct gh_fill *fill, const struct gh_node *node, struct gh_rpc_value *at);

static bool is_list(enum gh_row_type type)
{
    return type == GH_ROW_TEXTS || type == GH_ROW_URLS || type == GH_ROW_HEADERS || type == GH_ROW_SCOPES ||
           type == GH_ROW_ALGS || type == GH_ROW_CIDRS || type == GH_ROW_FILES;
}

static bool is_null(const struct gh_node *node)
{
    return node->plain && (gh_str_is_empty(node->text) || gh_str_eq(node->text, GH_STR("~")) ||
                           gh_str_eq_nocase(node->text, GH_STR("null")));
}

void gh_fill_value(struct gh_fill *fill, const struct gh_row *row, const struct gh_node *node, void *at)
{
    if (is_list(row->type)) {
        fill_list(fill, row, node, at);
        return;
    }
    if (row->type == GH_ROW_RULES || row->type == GH_ROW_CALLS) {
        fill_rules(fill, row, node, at);
        return;
    }
    if (row->type == GH_ROW_VALUES) {
        fill_values(fill, row, node, at);
        return;
    }
    bool good = node->kind == GH_NODE_SCALAR && !is_null(node);
    bool is_off = good && (row->flags & GH_ROW_OFF) != 0 && gh_str_eq(node->text, GH_STR("off"));
    if (is_off)
        return;
    if (good && (row->type == GH_ROW_FILE || row->type == GH_ROW_OUTPUT || row->type == GH_ROW_PATH))
        fill_file(fill, row, node, at);
    else if (good && row->type == GH_ROW_INT)
        good = put_int(row, node->text, at);
    else if (good && row->type == GH_ROW_BOOL)
        good = node->plain && put_bool(node->text, at);
    else if (good && (row->type == GH_ROW_MS || row->type == GH_ROW_SECONDS))
        good = put_duration(row, node->text, at);
    else if (good && row->type == GH_ROW_SIZE)
        good = put_size(row, node->text, at);
    else if (good && row->type == GH_ROW_CHOICE)
        good = put_choice(row, node->text, at);
    else if (good && row->type == GH_ROW_NUMBER)
        good = put_json(fill, node, at) && ((struct gh_rpc_value *)at)->what == GH_RPC_NUMBER;
    else if (good)
        good = put_text(fill, row, node->text, at);
    if (!good)
        gh_tell_wrong(fill->teller, node, NULL, gh_row_allowed(fill->teller->errors->arena, row));
}

/* ---- numbers ---- */

static bool in_range(const struct gh_row *row, int64_t value)
{
    return value >= row->min && value <= row->max;
}

static bool put_int(const struct gh_row *row, gh_str text, void *at)
{
    uint64_t value;
    if (!gh_str_to_u64(text, &value) || value > INT64_MAX || !in_range(row, (int64_t)value))
        return false;
    *(int64_t *)at = (int64_t)value;
    return true;
}

static bool put_bool(gh_str text, void *at)
{
    bool value = gh_str_eq(text, GH_STR("true"));
    if (!value && !gh_str_eq(text, GH_STR("false")))
        return false;
    *(bool *)at = value;
    return true;
}

struct unit {
    const char *suffix;
    int64_t factor;
};

/* Digits, then one of the units; the units end with factor 0. */
static bool read_unit(gh_str text, const struct unit *units, int64_t *ret_value)
{
    size_t digits = 0;
    while (digits < text.len && isdigit((unsigned char)text.ptr[digits]))
        digits++;
    uint64_t number;
    if (!gh_str_to_u64(gh_str_take(text, digits), &number) || number > INT64_MAX / 2)
        return false;
    for (; units->factor != 0; units++) {
        if (gh_str_eq(gh_str_skip(text, digits), gh_str_from(units->suffix)))
            return !__builtin_mul_overflow((int64_t)number, units->factor, ret_value);
    }
    return false;
}

static bool put_duration(const struct gh_row *row, gh_str text, void *at)
{
    static const struct unit units[] = { { "ms", 1 },      { "s", 1000 },   { "m", 60000 },
                                         { "h", 3600000 }, { "d", MS_DAY }, { NULL, 0 } };
    int64_t ms;
    if (!read_unit(text, units, &ms) || (row->type == GH_ROW_SECONDS && ms % 1000 != 0))
        return false;
    int64_t value = row->type == GH_ROW_SECONDS ? ms / 1000 : ms;
    if (!in_range(row, value))
        return false;
    *(int64_t *)at = value;
    return true;
}

static bool put_size(const struct gh_row *row, gh_str text, void *at)
{
    static const struct unit units[] = { { "", 1 },          { "B", 1 },         { "KiB", 1 << 10 },
                                         { "MiB", 1 << 20 }, { "GiB", 1 << 30 }, { NULL, 0 } };
    int64_t value;
    if (!read_unit(text, units, &value) || !in_range(row, value))
        return false;
    *(int64_t *)at = value;
    return true;
}

static bool put_choice(const struct gh_row *row, gh_str text, void *at)
{
    for (const struct gh_choice *choice = row->choices; choice->text != NULL; choice++) {
        if (!gh_str_eq(text, gh_str_from(choice->text)))
            continue;
        memcpy(at, &choice->value, sizeof(choice->value));
        return true;
    }
    return false;
}

/* ---- texts ---- */

static void lower(gh_str text, const char *source)
{
    char *out = (char *)(uintptr_t)source; /* just copied into our arena by the caller */
    for (size_t i = 0; i < text.len; i++)
        out[i] = (char)tolower((unsigned char)out[i]);
}

/* RFC 6749 section 3.3: scope-token = 1*( %x21 / %x23-5B / %x5D-7E ). */
static bool is_scope(gh_str text)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        if (c <= 0x20 || c >= 0x7f || c == '"' || c == '\\')
            return false;
    }
    return text.len != 0;
}

static bool has_control(gh_str text)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        if (c < 0x20 || c == 0x7f)
            return true;
    }
    return false;
}

static bool put_text(struct gh_fill *fill, const struct gh_row *row, gh_str text, gh_str *at)
{
    if (has_control(text) || text.len > 4096 || (text.len == 0 && (row->flags & GH_ROW_NULL) == 0))
        return false;
    gh_str copy = gh_fill_copy(fill, text);
    if (copy.ptr == NULL)
        return true; /* told otherwise */
    bool is_header = row->type == GH_ROW_HEADER || row->type == GH_ROW_HEADERS;
    if (is_header || (row->flags & GH_ROW_LOWER) != 0)
        lower(copy, copy.ptr);
    if (is_header && !gh_header_name_is_legal(copy))
        return false;
    if (row->type == GH_ROW_SCOPES && !is_scope(copy))
        return false;
    if ((row->flags & GH_ROW_LABEL) != 0 && !gh_label_is_legal(copy))
        return false;
    struct gh_url url;
    if (row->type == GH_ROW_URL || row->type == GH_ROW_URLS) {
        enum gh_reason reason = gh_url_read(fill->arena, copy, &url);
        if (reason != GH_OK) {
            fill->teller->out_of_memory |= reason == GH_OUT_OF_MEMORY;
            return false;
        }
    }
    *at = copy;
    return true;
}

static bool note_file(struct gh_fill *fill, gh_str path, enum gh_row_type type)
{
    struct gh_conf_file *file = GH_ARENA_NEW(fill->arena, struct gh_conf_file);
    if (file == NULL)
        return false;
    *file = (struct gh_conf_file){ .next = *fill->files,
                                   .path = path,
                                   .is_output = type == GH_ROW_OUTPUT,
                                   .is_state = type == GH_ROW_PATH };
    *fill->files = file;
    return true;
}

/* systemd.exec(5), LoadCredential=: the service manager puts a file of that name into a folder of its own,
 * closed to everybody else. */
#define CREDENTIAL "credential:"

/* What we write, not what we are given. */
static bool is_ours(const struct gh_row *row)
{
    return row->type == GH_ROW_OUTPUT || row->type == GH_ROW_PATH;
}

static const char *credentials(void)
{
    const char *folder = getenv("CREDENTIALS_DIRECTORY");
    return folder != NULL && folder[0] == '/' ? folder : NULL;
}

static bool is_credential(struct gh_teller *teller, const struct gh_node *node, gh_str name)
{
    if (gh_str_is_empty(name) || name.ptr[0] == '.' || memchr(name.ptr, '/', name.len) != NULL)
        gh_tell_wrong(teller, node, NULL, GH_STR("credential: and its name, without a folder"));
    else if (credentials() == NULL)
        gh_tell_error(teller, node, NULL,
                      gh_tell_text(teller, "%s and no CREDENTIALS_DIRECTORY in the environment",
                                   gh_tell_quoted(teller, node->text).ptr),
                      GH_STR("a credential where the service manager gives some"));
    else
        return true;
    return false;
}

static bool fill_path(struct gh_fill *fill, const struct gh_row *row, const struct gh_node *node, gh_str *at)
{
    gh_str text = node->text, base = fill->teller->base_dir;
    if (gh_str_is_empty(text) || has_control(text) || text.len > 4000) {
        gh_tell_wrong(fill->teller, node, NULL, gh_row_allowed(fill->teller->errors->arena, row));
        return false;
    }
    if (!is_ours(row) && gh_str_starts(text, GH_STR(CREDENTIAL))) {
        gh_str name = gh_str_skip(text, sizeof(CREDENTIAL) - 1);
        if (!is_credential(fill->teller, node, name))
            return false;
        *at = gh_arena_printf(fill->arena, "%s/%.*s", credentials(), GH_STR_FMT(name));
    } else if (text.ptr[0] == '/' || base.len == 0) {
        *at = gh_fill_copy(fill, text);
    } else {
        *at = gh_arena_printf(fill->arena, "%.*s/%.*s", GH_STR_FMT(base), GH_STR_FMT(text));
    }
    return true;
}

static void fill_file(struct gh_fill *fill, const struct gh_row *row, const struct gh_node *node, gh_str *at)
{
    gh_str text = node->text;
    bool is_stream = gh_str_eq(text, GH_STR("stdout")) || gh_str_eq(text, GH_STR("stderr"));
    if (row->type == GH_ROW_OUTPUT && is_stream) {
        *at = gh_fill_copy(fill, text);
        return;
    }
    if (!fill_path(fill, row, node, at))
        return;
    if (at->ptr == NULL || !note_file(fill, *at, row->type))
        fill->teller->out_of_memory = true;
    else if (!is_ours(row))
        check_file(fill->teller, row, node, at->ptr);
}

/* Whether its content is any good is for those who read it. Where we may not even look (a folder of another
 * user's), the process that will run may. */
static void check_file(struct gh_teller *teller, const struct gh_row *row, const struct gh_node *node,
                       const char *path)
{
    struct stat facts;
    if (stat(path, &facts) != 0) {
        gh_str found =
            gh_tell_text(teller, "%s: %s", gh_tell_quoted(teller, node->text).ptr, strerror(errno));
        if (errno == EACCES)
            gh_tell_warning(teller, node, NULL, found, GH_STR("to check as the user who runs it"));
        else
            gh_tell_error(teller, node, NULL, found, GH_STR("a file that is there"));
        return;
    }
    if (!S_ISREG(facts.st_mode) && !S_ISFIFO(facts.st_mode))
        gh_tell_wrong(teller, node, NULL, GH_STR("a file"));
    else if ((row->flags & GH_ROW_SECRET) != 0 && !gh_file_is_private(gh_str_from(path), facts.st_mode))
        gh_tell_error(teller, node, NULL,
                      gh_tell_text(teller, "a file with mode %04o", (unsigned)facts.st_mode & 07777u),
                      GH_STR("0600 or 0400: nobody else may read a secret"));
}

/* ---- lists ---- */

static void fill_list(struct gh_fill *fill, const struct gh_row *row, const struct gh_node *node, void *at)
{
    bool is_one = node->kind == GH_NODE_SCALAR && !is_null(node) && (row->flags & GH_ROW_ONE) != 0;
    bool is_full = node->kind == GH_NODE_LIST && (int64_t)node->count >= row->min &&
                   (row->max == 0 || (int64_t)node->count <= row->max);
    if (!is_one && !is_full) {
        gh_tell_wrong(fill->teller, node, NULL, gh_row_allowed(fill->teller->errors->arena, row));
        return;
    }
    put_entries(fill, row, is_one ? node : node->children, is_one ? 1 : node->count, at);
}

static bool put_entry(struct gh_fill *fill, const struct gh_row *row, const struct gh_node *node, size_t i,
                      void *values)
{
    bool null_is_fine = (row->flags & GH_ROW_NULL) != 0;
    if (node->kind != GH_NODE_SCALAR || (is_null(node) && !null_is_fine))
        return false;
    gh_str text = is_null(node) ? GH_STR("") : node->text;
    if (row->type == GH_ROW_CIDRS)
        return gh_cidr_read(text, &((struct gh_cidr *)values)[i]) == GH_OK;
    if (row->type == GH_ROW_FILES) {
        fill_file(fill, row, node, &((gh_str *)values)[i]);
        return true; /* what is wrong was told */
    }
    enum gh_alg alg;
    if (row->type != GH_ROW_ALGS)
        return put_text(fill, row, text, &((gh_str *)values)[i]);
    if (gh_alg_read(text, &alg) != GH_OK)
        return false;
    *(gh_algs *)values |= GH_ALG_BIT(alg);
    return true;
}

static bool put_entries(struct gh_fill *fill, const struct gh_row *row, const struct gh_node *first,
                        size_t count, void *at)
{
    gh_algs algs = 0;
    bool is_cidrs = row->type == GH_ROW_CIDRS;
    void *values = &algs;
    if (row->type != GH_ROW_ALGS)
        values = gh_fill_alloc(fill, count, is_cidrs ? sizeof(struct gh_cidr) : sizeof(gh_str));
    if (values == NULL)
        return false;
    const struct gh_node *node = first;
    for (size_t i = 0; i < count; i++, node = node->next) {
        if (!put_entry(fill, row, node, i, values))
            gh_tell_wrong(fill->teller, node, NULL, gh_row_allowed(fill->teller->errors->arena, row));
    }
    if (row->type == GH_ROW_ALGS)
        *(gh_algs *)at = algs;
    else if (is_cidrs)
        *(struct gh_cidrs *)at = (struct gh_cidrs){ .at = values, .count = count };
    else
        *(struct gh_strs *)at = (struct gh_strs){ .at = values, .count = count };
    return true;
}

/* { claim: value, claim: [value, ...], claim: [] } */
static void fill_rules(struct gh_fill *fill, const struct gh_row *row, const struct gh_node *node,
                       struct gh_claim_rules *at)
{
    static const struct gh_row texts = { .key = "", .type = GH_ROW_TEXTS, .flags = GH_ROW_ONE };
    static const struct gh_row scopes = { .key = "", .type = GH_ROW_SCOPES, .flags = GH_ROW_ONE };
    const struct gh_row *values_row = row->type == GH_ROW_CALLS ? &scopes : &texts;
    if (node->kind != GH_NODE_MAP) {
        gh_tell_wrong(fill->teller, node, NULL, gh_row_allowed(fill->teller->errors->arena, row));
        return;
    }
    struct gh_claim_rule *rules = gh_fill_alloc(fill, node->count, sizeof(*rules));
    if (rules == NULL)
        return;
    size_t i = 0;
    for (const struct gh_node *child = node->children; child != NULL; child = child->next, i++) {
        rules[i].claim = gh_fill_copy(fill, child->key);
        gh_fill_value(fill, values_row, child, &rules[i].values);
    }
    *at = (struct gh_claim_rules){ .at = rules, .count = node->count };
}

/* ---- values of JSON ---- */

/* RFC 8259 section 6: does it begin as a number does? YAML's other spellings stay texts. */
static bool begins_a_number(gh_str text)
{
    size_t first = text.len > 1 && text.ptr[0] == '-' ? 1 : 0;
    return text.len > first && isdigit((unsigned char)text.ptr[first]);
}

/* What a plain scalar means in JSON; in quotes it is a text. */
static bool put_json(struct gh_fill *fill, const struct gh_node *node, struct gh_rpc_value *at)
{
    double number;
    at->what = GH_RPC_STRING;
    if (node->kind != GH_NODE_SCALAR)
        return false;
    if (node->plain && gh_str_eq(node->text, GH_STR("null")))
        at->what = GH_RPC_NULL;
    else if (node->plain && (gh_str_eq(node->text, GH_STR("true")) || gh_str_eq(node->text, GH_STR("false"))))
        at->what = GH_RPC_BOOL;
    else if (node->plain && begins_a_number(node->text))
        at->what = GH_RPC_NUMBER;
    else if (is_null(node))
        return false;
    if (at->what == GH_RPC_NUMBER && !gh_number_read(node->text, &number))
        return false;
    at->text = gh_fill_copy(fill, node->text);
    return true;
}

static void fill_values(struct gh_fill *fill, const struct gh_row *row, const struct gh_node *node,
                        struct gh_settings_values *at)
{
    bool is_list = node->kind == GH_NODE_LIST;
    size_t count = is_list ? node->count : 1;
    struct gh_rpc_value *values = gh_fill_alloc(fill, count, sizeof(*values));
    const struct gh_node *entry = is_list ? node->children : node;
    for (size_t i = 0; values != NULL && i < count; i++, entry = entry->next)
        if (!put_json(fill, entry, &values[i]))
            gh_tell_wrong(fill->teller, entry, NULL, gh_row_allowed(fill->teller->errors->arena, row));
    if (count == 0)
        gh_tell_wrong(fill->teller, node, NULL, gh_row_allowed(fill->teller->errors->arena, row));
    *at = (struct gh_settings_values){ values, count };
}
