/* fuzz/fuzz_rpc.c: bodies of requests: what the scanner takes, jansson takes as well, and both find the same
 * call. */
/* covers: src/core/rpc/text.c src/core/rpc/walk.c src/core/rpc/message.c src/core/rpc/names.c */
#include <jansson.h>

#include "base/str.h"
#include "fuzz/fuzz.h"
#include "gatehouse/rpc.h"

static void is_text(json_t *value, gh_str text)
{
    GH_HOLDS(json_is_string(value) && json_string_length(value) == text.len);
    GH_HOLDS(memcmp(json_string_value(value), text.ptr, text.len) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct gh_rpc_limits limits = { .depth = 16, .members = 64, .string = 1024 };
    static const uint64_t seed[2] = { 3, 4 };
    static struct gh_rpc_scanner *scanner;
    struct gh_rpc_message found;
    json_error_t error;
    scanner = scanner != NULL ? scanner : gh_rpc_scanner_new(&limits, seed);
    if (gh_rpc_scan(scanner, NULL, gh_str_of(data, size), &found) != GH_OK)
        return 0;
    json_t *theirs = json_loadb((const char *)data, size, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &error);
    if (theirs == NULL) /* a number that is a number, and too large for a double */
        GH_HOLDS(json_error_code(&error) == json_error_numeric_overflow);
    json_t *params = json_object_get(theirs, "params"), *ref = json_object_get(params, "ref");
    bool by_ref = gh_str_eq(found.method, GH_STR("completion/complete"));
    if (theirs != NULL && found.method.ptr != NULL)
        is_text(json_object_get(theirs, "method"), found.method);
    bool is_any = gh_str_eq(found.method, GH_STR("subscriptions/listen"));
    if (theirs != NULL && found.name.ptr != NULL && !is_any)
        is_text(json_object_get(by_ref ? ref : params, found.names == GH_RPC_NAMES_RESOURCE ? "uri" : "name"),
                found.name);
    json_decref(theirs);
    return 0;
}
