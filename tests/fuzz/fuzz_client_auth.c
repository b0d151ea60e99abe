/* fuzz/fuzz_client_auth.c: how a client proves itself: the value of Authorization, and in a second line the
 * form. */
/* covers: src/core/grant/client_auth.c without check_secret aud_is times_are_good typ_is_good spend */
/* covers: src/core/grant/client_auth.c without check_signature check_assertion gh_client_verify */
#include "fuzz/fuzz.h"
#include "gatehouse/client.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct gh_arena *arena = gh_arena_new(0);
    gh_str text = gh_str_of(data, size);
    struct gh_header field = { GH_STR("authorization"), gh_str_cut(&text, '\n') };
    struct gh_headers headers = { &field, field.value.len != 0, 1 };
    struct gh_client_credential found;
    struct gh_form form;
    if (gh_form_read(arena, text, &form) == GH_OK &&
        gh_client_credential_read(arena, &headers, &form, &found) == GH_OK) {
        gh_str named = gh_form_get(&form, GH_STR("client_id"));
        GH_HOLDS(found.client_id.len != 0 && (named.ptr == NULL || gh_str_eq(named, found.client_id)));
        GH_HOLDS((found.method == GH_CLIENT_AUTH_BASIC) == (headers.count == 1));
        GH_HOLDS((found.method == GH_CLIENT_AUTH_KEY) == (found.assertion.len != 0));
        GH_HOLDS((found.secret.len != 0) ==
                 (found.method == GH_CLIENT_AUTH_BASIC || found.method == GH_CLIENT_AUTH_POST));
    }
    gh_arena_free(arena);
    return 0;
}
