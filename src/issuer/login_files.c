/* issuer/login_files.c: the secret or key by which we show a provider who asks. */
#include <stdio.h>

#include "base/str.h"
#include "io/file.h"
#include "issuer/request.h"

#define FILE_MAX ((size_t)64 * 1024)

const struct gh_issuer_login *gh_issuer_login_find(const struct gh_managed *managed, gh_str name)
{
    for (size_t i = 0; i < managed->login_count; i++)
        if (gh_str_eq(managed->logins[i].login.name, name))
            return &managed->logins[i];
    return NULL;
}

static enum gh_reason refuse(char **ret_why, gh_str file, gh_str why)
{
    if (asprintf(ret_why, "%.*s: %.*s", GH_STR_FMT(file), GH_STR_FMT(why)) < 0)
        *ret_why = NULL;
    return GH_SETTINGS_INVALID;
}

/* Editors end a file with a line feed, which no secret holds. */
static enum gh_reason read_secret(struct gh_issuer_login *login, char **ret_why)
{
    struct gh_secret *secret = &login->secret;
    gh_secret_done(secret);
    enum gh_reason reason = gh_small_file_read(login->secret_file, FILE_MAX, true, secret, ret_why);
    while (secret->len > 0 &&
           (secret->bytes[secret->len - 1] == '\n' || secret->bytes[secret->len - 1] == '\r'))
        secret->bytes[--secret->len] = '\0';
    return reason == GH_OK && secret->len == 0
               ? refuse(ret_why, login->secret_file, GH_STR("it holds no secret"))
               : reason;
}

static enum gh_reason read_key(struct gh_issuer_login *login, char **ret_why)
{
    struct gh_secret pem = { 0 };
    enum gh_signing_fault fault = GH_SIGNING_FAULT_MALFORMED;
    gh_signing_key_unref(login->key);
    login->key = NULL;
    enum gh_reason reason = gh_small_file_read(login->key_file, FILE_MAX, true, &pem, ret_why);
    if (reason != GH_OK)
        return reason;
    reason = gh_signing_key_read(gh_str_of(pem.bytes, pem.len), &fault, &login->key);
    gh_secret_done(&pem);
    return reason == GH_KEYS_MALFORMED ? refuse(ret_why, login->key_file, gh_signing_fault_text(fault))
                                       : reason;
}

enum gh_reason gh_issuer_login_load(struct gh_issuer_login *login, char **ret_why)
{
    enum gh_reason reason = login->secret_file.len > 0 ? read_secret(login, ret_why) : GH_OK;
    return reason == GH_OK && login->key_file.len > 0 ? read_key(login, ret_why) : reason;
}
