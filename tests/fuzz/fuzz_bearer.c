/* fuzz/fuzz_bearer.c: the values of Authorization, a line each: one credential, or none. */
/* covers: src/core/http/credential.c without gh_query_has_token is_access_token */
#include "core/http/chars.h"
#include "fuzz/fuzz.h"
#include "gatehouse/http.h"

#define TOKEN_MAX 48

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct gh_header fields[3];
    struct gh_headers headers = { .at = fields, .cap = GH_ARRAY_LEN(fields) };
    struct gh_credential found = { .token = GH_STR_NONE };
    for (gh_str rest = gh_str_of(data, size); rest.ptr != NULL;) {
        if (gh_headers_add(&headers, GH_STR("authorization"), gh_str_cut(&rest, '\n')) != GH_OK)
            break;
    }
    if (gh_credential_read(&headers, TOKEN_MAX, &found) != GH_OK)
        return 0;
    gh_str value = fields[0].value, before = gh_str_take(value, value.len - found.token.len);
    GH_HOLDS(headers.count == 1 && found.token.len != 0 && found.token.len <= TOKEN_MAX);
    GH_HOLDS(gh_str_ends(value, found.token) && gh_str_ends(before, GH_STR(" ")));
    for (size_t i = 0; i < found.token.len; i++)
        GH_HOLDS(gh_char_is_b64token(found.token.ptr[i]) || found.token.ptr[i] == '=');
    while (gh_str_ends(before, GH_STR(" ")))
        before.len--;
    GH_HOLDS(gh_str_eq_nocase(before, found.scheme == GH_SCHEME_BEARER ? GH_STR("Bearer") : GH_STR("DPoP")));
    return 0;
}
