/* fuzz/fuzz_tls_bytes.c: what comes over the wire as TLS. The first byte: 1 to a client, 2 a script for an
 * open session (gh_fuzz_tls_script), else to a server; without a script the second says where the bytes are
 * cut. */
/* covers: src/io/tls.c */
/* covers: src/io/tls_server.c without gh_tls_server_context fill server_ctx note_leaf */
#include "fuzz/tls_peer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    gh_str bytes = gh_str_of(data, size);
    if (size < 2)
        return 0;
    if (data[0] == 2)
        gh_fuzz_tls_script(gh_str_skip(bytes, 1));
    else
        gh_fuzz_tls_bytes(data[0] == 1, gh_str_skip(bytes, 2), data[1]);
    return 0;
}
