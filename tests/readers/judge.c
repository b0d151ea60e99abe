/* readers/judge.c: FILE of bodies (length, 4 bytes little-endian, then the body) -> a line each: what our
 * scanner takes it for: "refused REASON", or "METHOD KIND NAME" in hexadecimal, "-" where there is none, and
 * behind them the arguments /amount and /to/0/account as a rule would read them. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/str.h"
#include "gatehouse/call.h"

static void print_hex(gh_str text)
{
    if (text.ptr == NULL)
        (void)putchar('-');
    for (size_t i = 0; i < text.len; i++)
        printf("%02x", (unsigned char)text.ptr[i]);
    if (text.ptr != NULL)
        (void)putchar('.'); /* an empty text is one too */
}

/* "n" and the bits of a double; "?": a number that a rule does not judge. */
static void print_number(gh_str text)
{
    double number;
    uint64_t bits;
    if (!gh_number_read(text, &number)) {
        printf(" ?");
        return;
    }
    number += 0.0; /* -0 */
    memcpy(&bits, &number, sizeof(bits));
    printf(" n%016" PRIx64, bits);
}

static void print_value(const struct gh_rpc_value *value)
{
    switch (value->what) {
    case GH_RPC_STRING:
        printf(" s");
        print_hex(value->text);
        return;
    case GH_RPC_NUMBER:
        print_number(value->text);
        return;
    case GH_RPC_BOOL:
        printf(" b%d", gh_str_eq(value->text, GH_STR("true")));
        return;
    case GH_RPC_NULL:
    case GH_RPC_ABSENT:
        printf(value->what == GH_RPC_NULL ? " z" : " -");
        return;
    case GH_RPC_OBJECT:
    case GH_RPC_ARRAY:
        printf(" o");
        return;
    }
}

static void judge(struct gh_rpc_scanner *scanner, const struct gh_rpc_paths *paths, gh_str body)
{
    static const char *const kinds[] = { "nothing", "tool", "prompt", "resource", "unknown" };
    struct gh_rpc_message message;
    enum gh_reason reason = gh_rpc_scan(scanner, paths, body, &message);
    if (reason != GH_OK) {
        printf("refused %s\n", gh_reason_row(reason)->slug);
        return;
    }
    print_hex(message.method);
    printf(" %s ", kinds[message.names]);
    print_hex(message.name);
    print_value(&message.values[0]);
    print_value(&message.values[1]);
    (void)putchar('\n');
}

int main(int argc, char **argv)
{
    static const struct gh_rpc_limits limits = { .depth = 64, .members = 10000, .string = 1 << 20 };
    static const uint64_t seed[2] = { 8, 9 };
    static const gh_str pointers[] = { GH_STR_INIT("/amount"), GH_STR_INIT("/to/0/account") };
    static char body[1 << 20];
    unsigned char size[4];
    FILE *file = argc == 2 ? fopen(argv[1], "rb") : NULL;
    GH_CLEANUP(gh_arena_free) struct gh_arena *arena = gh_arena_new(0);
    struct gh_rpc_scanner *scanner = gh_rpc_scanner_new(&limits, seed);
    const struct gh_rpc_paths *paths;
    if (file == NULL || scanner == NULL ||
        gh_rpc_paths_read(arena, (struct gh_strs){ pointers, 2 }, &paths) != GH_OK)
        return 2;
    while (fread(size, 1, 4, file) == 4) {
        size_t len = size[0] | (size_t)size[1] << 8 | (size_t)size[2] << 16 | (size_t)size[3] << 24;
        if (len > sizeof(body) || fread(body, 1, len, file) != len)
            return 2;
        judge(scanner, paths, gh_str_of(body, len));
    }
    gh_rpc_scanner_free(scanner);
    return fclose(file) == 0 ? 0 : 2;
}
