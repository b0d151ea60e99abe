/* gateway/session_keys.c: the keys of sealed sessions from a file, or from the kernel's randomness. */
#include "gateway/session_keys.h"

#include <stdio.h>

#include "base/base64.h"
#include "base/clock.h"
#include "base/secret.h"
#include "base/str.h"
#include "io/file.h"

/* Sixteen keys with a comment each. */
#define FILE_MAX ((size_t)16 * 1024)

static enum gh_reason refuse(char **ret_why, gh_str file, unsigned line, const char *why)
{
    int len = line > 0 ? asprintf(ret_why, "%.*s: line %u: %s", GH_STR_FMT(file), line, why)
                       : asprintf(ret_why, "%.*s: %s", GH_STR_FMT(file), why);
    if (len >= 0)
        return GH_SETTINGS_INVALID;
    *ret_why = NULL;
    return GH_OUT_OF_MEMORY;
}

enum gh_reason gh_session_keys_load(gh_str file, struct gh_session_keys **ret_keys, char **ret_why)
{
    struct gh_secret text = { 0 };
    enum gh_reason reason = gh_small_file_read(file, FILE_MAX, true, &text, ret_why);
    if (reason != GH_OK)
        return reason;
    unsigned line = 0;
    const char *why = NULL;
    reason = gh_session_keys_read(gh_str_of(text.bytes, text.len), ret_keys, &line, &why);
    gh_secret_done(&text);
    return reason == GH_SETTINGS_INVALID ? refuse(ret_why, file, line, why) : reason;
}

struct gh_session_keys *gh_session_keys_random(void)
{
    unsigned char root[GH_SESSION_KEY];
    char text[43]; /* of 32 bytes in base64url */
    struct gh_session_keys *keys = NULL;
    unsigned line;
    const char *why;
    gh_random_fill(root, sizeof(root));
    gh_base64url_encode(gh_str_of(root, sizeof(root)), text);
    if (gh_session_keys_read(gh_str_of(text, sizeof(text)), &keys, &line, &why) != GH_OK)
        keys = NULL;
    gh_wipe(root, sizeof(root));
    gh_wipe(text, sizeof(text));
    return keys;
}
