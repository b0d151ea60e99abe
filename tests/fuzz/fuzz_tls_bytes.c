/* fuzz/fuzz_tls_bytes.c: arbitrary bytes to a TLS server, in two pieces cut where the first byte says. */
#include "base/str.h"
#include "io/tls.h"
#include "support/certs.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct gh_tls_context *make_context(void)
{
    struct gh_identity *me =
        gh_identity_new(&(struct gh_identity_plan){ .name = "fuzz", .san = "DNS:fuzz.example" });
    struct gh_tls_pair pair = { gh_str_from(me->cert_file), gh_str_from(me->key_file) };
    struct gh_tls_server_conf conf = { .pairs = &pair, .pair_count = 1, .h2 = true };
    struct gh_tls_context *context = NULL;
    char *why = NULL;
    if (gh_tls_server_context(&conf, gh_ticket_keys_new(), &context, &why) != GH_OK)
        __builtin_trap();
    gh_identity_free(me);
    return context;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct gh_tls_context *context;
    struct gh_buf plain = { 0 }, send = { 0 };
    if (context == NULL)
        context = make_context();
    struct gh_tls *tls = gh_tls_accept(context);
    gh_str bytes = gh_str_skip(gh_str_of(data, size), 1);
    size_t cut = size != 0 ? data[0] : 0;
    if (gh_tls_read(tls, gh_str_take(bytes, cut), &plain, &send) == GH_OK &&
        gh_tls_read(tls, gh_str_skip(bytes, cut), &plain, &send) == GH_OK &&
        gh_tls_state(tls) == GH_TLS_ERROR)
        __builtin_trap();
    gh_tls_free(tls);
    gh_buf_done(&plain);
    gh_buf_done(&send);
    return 0;
}
