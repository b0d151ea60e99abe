/* wire/corpus_desync_guardian.c: the requests http-desync-guardian describes, through the reader, cut in
 * every way. */
#include <stdlib.h>
#include <yaml.h>

#include "base/buf.h"
#include "support/shared.h"
#include "verdict.h"

/* "FILE: NAME" of what is refused though the corpus calls it Compliant. Nothing else of that tier may fail.
 */
static const struct exception exceptions[] = {
    { "rfc-compliant: Valid Transfer-Encoding (chunked) + custom header (non-ascii)", "http_malformed",
      "8-bit bytes in a request's values: what they mean is up to each reader" },
    { "rfc-compliant: Valid custom header with tchar in name and obs-text", "http_malformed",
      "as before, and '_'" },
    { "rfc-compliant: Valid custom header with underscore in name", "http_malformed",
      "'_' and '-' are one character to CGI and its children (threats.md rule 5)" },
    { "rfc-compliant: Valid custom header with dot in name", "http_malformed", "8-bit bytes in the value" },
    { "rfc-compliant: Valid custom header with digits in name", "http_malformed", "as before" },
    { "rfc-compliant: Different Transfer-Encoding headers", "http_malformed",
      "one \"chunked\" and nothing else" },
    { "rfc-compliant: Different Transfer-Encoding headers combined", "http_malformed", "as before" },
    { "rfc-compliant: Transfer-Encoding with a param: chunked;custom_param", "http_malformed", "as before" },
    { "rfc-compliant: Compliant URL", "http_path",
      "a request target has no fragment (RFC 9112 section 3.2.1)" },
    { "rfc-compliant: International in URI", "http_malformed", "RFC 3986 has no 8-bit bytes" },
    { "rfc-compliant: Empty URI", "http_malformed", "RFC 9112 section 3.2.1: \"/\" at least" },
    { "uri-specific-test-cases: %09 in URI is OK", "http_path",
      "control bytes in a path harm whoever decodes them" },
    { "uri-specific-test-cases: %0D in URI is OK", "http_path", "as before" },
    { "uri-specific-test-cases: %0A in URI is OK", "http_path", "as before" },
};

/* Of the tier Acceptable these are accepted; every other one breaks a rule of threats.md H1, H14 or H16. */
static const char *const acceptable[] = {
    "acceptable: Get with a body and Content-Length:0",
};

static yaml_node_t *member(yaml_document_t *doc, yaml_node_t *map, const char *name)
{
    if (map == NULL || map->type != YAML_MAPPING_NODE)
        return NULL;
    for (yaml_node_pair_t *pair = map->data.mapping.pairs.start; pair < map->data.mapping.pairs.top; pair++) {
        yaml_node_t *key = yaml_document_get_node(doc, pair->key);
        if (strcmp((const char *)key->data.scalar.value, name) == 0)
            return yaml_document_get_node(doc, pair->value);
    }
    return NULL;
}

static gh_str scalar(yaml_document_t *doc, yaml_node_t *map, const char *name)
{
    yaml_node_t *node = member(doc, map, name);
    if (node == NULL || node->type != YAML_SCALAR_NODE)
        return GH_STR("");
    return gh_str_of(node->data.scalar.value, node->data.scalar.length);
}

/* Escapes below U+0100 mean bytes; texts beyond it (the Cyrillic path) go out as the UTF-8 they are. */
static bool add_bytes(struct gh_buf *out, gh_str text)
{
    for (size_t i = 0; i < text.len; i++) {
        if ((unsigned char)text.ptr[i] > 0xc3)
            return gh_buf_add(out, text);
    }
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        char byte = c >= 0xc2 ? (char)((c & 3) << 6 | (text.ptr[++i] & 0x3f)) : (char)c;
        if (!gh_buf_add(out, gh_str_of(&byte, 1)))
            return false;
    }
    return true;
}

/* The corpus names the fields it is about; a Host is added to make them a message. */
static bool add_head(struct gh_buf *out, yaml_document_t *doc, yaml_node_t *test)
{
    bool done = add_bytes(out, scalar(doc, test, "method")) && gh_buf_add(out, GH_STR(" ")) &&
                add_bytes(out, scalar(doc, test, "uri")) && gh_buf_add(out, GH_STR(" ")) &&
                add_bytes(out, scalar(doc, test, "version")) && gh_buf_add(out, GH_STR("\r\n"));
    yaml_node_t *headers = member(doc, test, "headers");
    bool hosted = false;
    if (headers != NULL && headers->type == YAML_SEQUENCE_NODE) {
        for (yaml_node_item_t *item = headers->data.sequence.items.start;
             item < headers->data.sequence.items.top; item++) {
            yaml_node_t *field = yaml_document_get_node(doc, *item);
            hosted = hosted || gh_str_eq(scalar(doc, field, "name"), GH_STR("Host"));
            done = done && add_bytes(out, scalar(doc, field, "name")) && gh_buf_add(out, GH_STR(": ")) &&
                   add_bytes(out, scalar(doc, field, "value")) && gh_buf_add(out, GH_STR("\r\n"));
        }
    }
    return done && (hosted || gh_buf_add(out, GH_STR("Host: localhost\r\n"))) &&
           gh_buf_add(out, GH_STR("\r\n"));
}

static bool add_body(struct gh_buf *out)
{
    gh_str head = gh_buf_peek(out);
    if (gh_str_contains(head, GH_STR("chunked")))
        return gh_buf_add(out, GH_STR("0\r\n\r\n"));
    static const char body[10000];
    size_t len = gh_str_contains(head, GH_STR("10000"))  ? 10000
                 : gh_str_contains(head, GH_STR("1000")) ? 1000
                                                         : 0;
    return gh_buf_add(out, gh_str_of(body, len));
}

static bool is_right(gh_str tier, const char *id, const char *verdict)
{
    const struct exception *exception = exception_find(exceptions, GH_ARRAY_LEN(exceptions), id);
    bool accepts = gh_str_eq(tier, GH_STR("Compliant"));
    for (size_t i = 0; i < GH_ARRAY_LEN(acceptable); i++)
        accepts = accepts || strcmp(acceptable[i], id) == 0;
    if (exception != NULL)
        return strcmp(exception->verdict, verdict) == 0;
    if (accepts)
        return strcmp(verdict, "ok") == 0;
    return strcmp(verdict, "ok") != 0 && strcmp(verdict, "incomplete") != 0;
}

struct tally {
    size_t count, failed;
};

static void run_file(struct gh_arena *arena, const char *name, struct tally *tally)
{
    gh_str below = gh_arena_printf(arena, "corpora/http-desync-guardian/%s.yaml", name);
    gh_str text = gh_file_read(arena, gh_shared_path(arena, below.ptr));
    yaml_parser_t parser;
    yaml_document_t doc;
    if (!yaml_parser_initialize(&parser))
        exit(1);
    yaml_parser_set_input_string(&parser, (const unsigned char *)text.ptr, text.len);
    if (!yaml_parser_load(&parser, &doc))
        exit(1);
    yaml_node_t *tests = yaml_document_get_root_node(&doc);
    for (yaml_node_item_t *item = tests->data.sequence.items.start; item < tests->data.sequence.items.top;
         item++) {
        yaml_node_t *test = yaml_document_get_node(&doc, *item);
        struct gh_buf bytes = { 0 };
        gh_str id = gh_arena_printf(arena, "%s: %.*s", name, GH_STR_FMT(scalar(&doc, test, "name")));
        const char *verdict =
            add_head(&bytes, &doc, test) && add_body(&bytes) ? verdict_of(gh_buf_peek(&bytes)) : NULL;
        bool right = verdict != NULL &&
                     is_right(scalar(&doc, member(&doc, test, "expected"), "tier"), id.ptr, verdict);
        tally->failed += right ? 0 : 1;
        (void)printf("%s %zu - %s: %s\n", right ? "ok" : "not ok", ++tally->count, id.ptr,
                     verdict != NULL ? verdict : "differs");
        gh_buf_done(&bytes);
    }
    yaml_document_delete(&doc);
    yaml_parser_delete(&parser);
}

int main(void)
{
    static const char *const files[] = { "acceptable", "bad-header-characters", "rfc-compliant", "severe",
                                         "uri-specific-test-cases" };
    struct gh_arena *arena = gh_arena_new(0);
    struct tally tally = { 0 };
    for (size_t i = 0; i < GH_ARRAY_LEN(files); i++)
        run_file(arena, files[i], &tally);
    (void)printf("1..%zu\n", tally.count);
    gh_arena_free(arena);
    return tally.failed == 0 && tally.count == 79 ? 0 : 1;
}
