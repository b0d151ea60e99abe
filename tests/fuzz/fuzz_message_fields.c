/* fuzz/fuzz_message_fields.c: fields, a line each: which of them pass from one connection to another. */
/* covers: src/upstream/message.c */
#include "fuzz/fuzz.h"
#include "upstream/message.h"

/* Host and the credential are ours, whatever the client calls its own. */
static void check_request(struct gh_arena *arena, const struct gh_headers *given)
{
    unsigned char secret[] = "s";
    struct gh_upstream_target target = { .credential = { secret, 1 } };
    struct gh_endpoint endpoint = { .target =
                                        &(struct gh_target_endpoint){ .authority = GH_STR("up.example") } };
    struct gh_call call = { .endpoint = &endpoint, .request = { .headers = given } };
    struct gh_headers sent;
    target.conf.credential_header = GH_STR("key");
    call.upstream = GH_ARENA_NEW(arena, struct gh_upstream);
    call.upstream->target = &target;
    GH_HOLDS(gh_request_fields(&call, arena, true, &sent) == GH_OK);
    GH_HOLDS(gh_headers_count(&sent, GH_STR("host")) == 1 && gh_headers_count(&sent, GH_STR("key")) == 1);
    GH_HOLDS(gh_str_eq(gh_headers_find(&sent, GH_STR("key"))->value, GH_STR("s")));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct gh_arena *arena = gh_arena_new(0);
    struct gh_header fields[32];
    struct gh_headers got = { .at = fields, .cap = GH_ARRAY_LEN(fields) }, kept;
    for (gh_str rest = gh_str_of(data, size); rest.ptr != NULL && got.count < got.cap;) {
        gh_str value = gh_str_cut(&rest, '\n'), name = gh_str_cut(&value, ':');
        (void)!gh_headers_add(&got, name, value);
    }
    GH_HOLDS(gh_response_keep_alive(&got) >= -1 && gh_response_keep_alive(&got) <= 86400);
    GH_HOLDS(gh_response_fields(&got, arena, &kept) == GH_OK && kept.count <= got.count);
    const struct gh_header *steer = gh_headers_find(&got, GH_STR("connection"));
    for (size_t i = 0; steer != NULL && i < kept.count; i++) /* those that may not be named away are long */
        GH_HOLDS(kept.at[i].name.len >= 12 || !gh_header_list_has(steer->value, kept.at[i].name));
    check_request(arena, &got);
    gh_arena_free(arena);
    return 0;
}
