/* fuzz/fuzz_proxy_header.c: the PROXY header in front of a connection: one verdict, however it comes. */
/* covers: src/front/proxy_header.c */
#include <stdlib.h>

#include "front/client.h"
#include "fuzz/fuzz.h"

#define HEADER_MAX 536

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    gh_str bytes = gh_str_of(data, size);
    struct gh_address peer = { .len = 0 }, again = { .len = 0 };
    char text[GH_ADDRESS_TEXT];
    size_t used = 0, used_again = 0, came = 0;
    enum gh_proxy_read whole = gh_proxy_header_read(bytes, &used, &peer), cut = GH_PROXY_MORE;
    /* The shortest beginning that gives a verdict: each in a block of its size, so that none is overread. */
    for (; came <= size && cut == GH_PROXY_MORE; came++) {
        char *block = gh_str_to_heap(gh_str_take(bytes, came));
        cut = gh_proxy_header_read(gh_str_of(block, came), &used_again, &again);
        free(block);
    }
    GH_HOLDS(cut == whole && came <= HEADER_MAX + 1);
    if (whole != GH_PROXY_DONE)
        return 0;
    GH_HOLDS(used == used_again && used == came - 1 && used <= HEADER_MAX);
    GH_HOLDS(peer.len == again.len && memcmp(&peer.storage, &again.storage, peer.len) == 0);
    if (peer.len != 0)
        GH_HOLDS(gh_address_ip_text(&peer, text) < sizeof(text) && text[0] != '\0');
    return 0;
}
