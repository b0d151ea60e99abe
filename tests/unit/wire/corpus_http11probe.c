/* wire/corpus_http11probe.c: every raw request of Http11Probe through the reader, cut in every way. */
#include <jansson.h>
#include <stdlib.h>

#include "support/shared.h"
#include "verdict.h"

/* The corpus leaves these open ("400 or 2xx", or a warning), or judges an answer of a whole server. What is
 * left open and not named here is refused. */
static const struct exception exceptions[] = {
    { "COMP-LEADING-CRLF", "ok", "RFC 9112 section 2.2 asks servers to skip empty lines" },
    { "COMP-EXPECT-UNKNOWN", "http_expect", "417, which the corpus prefers" },
    { "COMP-GET-WITH-CL-BODY", "ok", "a GET with a correct length is plain and legal" },
    { "SMUG-HEAD-CL-BODY", "ok", "a HEAD with a correct length is plain and legal" },
    { "SMUG-CL-TRAILING-SPACE", "ok",
      "white space around a value belongs to no value (RFC 9110 section 5.5)" },
    { "SMUG-CL-EXTRA-LEADING-SP", "ok", "as before" },
    { "SMUG-EXPECT-100-CL", "ok", "plain and legal" },
    { "COMP-ABSOLUTE-FORM", "http_malformed", "absolute-form is for proxies; threats.md H16" },
    { "COMP-CHUNKED-NO-FINAL", "incomplete", "the timers cut it" },
    { "MAL-INCOMPLETE-REQUEST", "incomplete", "the timers cut it" },
    { "COMP-UPGRADE-POST", "ok", "well-formed; the offer of another protocol is not taken up" },
    { "COMP-UPGRADE-MISSING-CONN", "ok", "as before" },
    { "COMP-UPGRADE-INVALID-VER", "ok", "as before" },
    { "COMP-HTTP12-VERSION", "http_version", "only 1.1 and 1.0 are spoken" },
    { "COMP-NO-1XX-HTTP10", "ok", "the expectation of a 1.0 client is not looked at" },
    { "COMP-405-ALLOW", "ok", "well-formed; judges the answer" },
    { "COMP-DATE-FORMAT", "ok", "as before" },
    { "COMP-OPTIONS-ALLOW", "ok", "as before" },
    { "COMP-CONTENT-TYPE", "ok", "as before" },
    { "COMP-METHOD-TRACE", "http_method_unknown", "501, which the corpus prefers" },
    { "COOK-ECHO", "ok", "well-formed; written for an echo server" },
    { "COOK-PARSED-EMPTY-VAL", "ok", "as before" },
    { "COOK-PARSED-SPECIAL", "ok", "as before" },
};

/* Each character is one byte, and the listener's name is filled in. */
static gh_str request_of(struct gh_arena *arena, const json_t *raw)
{
    gh_str text = gh_str_of(json_string_value(raw), json_string_length(raw));
    char *out = gh_arena_alloc(arena, text.len * 8);
    size_t len = 0;
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        if (gh_str_starts(gh_str_skip(text, i), GH_STR("@HOST@"))) {
            memcpy(out + len, "localhost:8080", 14);
            len += 14;
            i += 5;
        } else if (c >= 0xc2) {
            out[len++] = (char)((c & 3) << 6 | (text.ptr[++i] & 0x3f));
        } else {
            out[len++] = (char)c;
        }
    }
    return gh_str_of(out, len);
}

static bool is_right(const json_t *test, const char *verdict)
{
    const char *id = json_string_value(json_object_get(test, "id"));
    const struct exception *exception = exception_find(exceptions, GH_ARRAY_LEN(exceptions), id);
    if (exception != NULL)
        return strcmp(exception->verdict, verdict) == 0;
    gh_str expected = gh_str_from(json_string_value(json_object_get(test, "expected")));
    bool accepts = gh_str_contains(expected, GH_STR("2xx")) && !gh_str_contains(expected, GH_STR("400"));
    if (accepts)
        return strcmp(verdict, "ok") == 0;
    return strcmp(verdict, "ok") != 0 && strcmp(verdict, "incomplete") != 0;
}

int main(void)
{
    struct gh_arena *arena = gh_arena_new(0);
    json_t *corpus =
        json_load_file(gh_shared_path(arena, "corpora/http11probe/cases.json").ptr, JSON_ALLOW_NUL, NULL);
    const json_t *tests = json_object_get(corpus, "cases");
    size_t failed = 0, count = json_array_size(tests);
    for (size_t i = 0; i < count; i++) {
        const json_t *test = json_array_get(tests, i);
        gh_str bytes = request_of(arena, json_object_get(test, "raw"));
        const char *verdict = verdict_of(bytes);
        bool right = verdict != NULL && is_right(test, verdict);
        failed += right ? 0 : 1;
        (void)printf("%s %zu - %s: %s\n", right ? "ok" : "not ok", i + 1,
                     json_string_value(json_object_get(test, "id")), verdict != NULL ? verdict : "differs");
    }
    (void)printf("1..%zu\n", count);
    json_decref(corpus);
    gh_arena_free(arena);
    return failed == 0 && count == 79 ? 0 : 1;
}
