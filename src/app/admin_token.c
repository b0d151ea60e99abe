/* app/admin_token.c: reads the token that guards the admin interface, for those who ask for it and who send
 * it.
 */
#include <stdio.h>
#include <string.h>

#include "app/commands.h"
#include "base/str.h"

#define TOKEN_MIN 16

bool gh_admin_token_read(gh_str file, struct gh_secret *ret_token)
{
    FILE *in = fopen(file.ptr, "re");
    char line[512] = { 0 };
    bool read = in != NULL && fgets(line, sizeof(line), in) != NULL;
    gh_str token = gh_str_trim(gh_str_take(gh_str_from(line), strcspn(line, "\r\n")));
    bool good = read && token.len >= TOKEN_MIN && gh_secret_set(ret_token, token);
    gh_wipe(line, sizeof(line));
    if (in != NULL)
        (void)fclose(in);
    return good;
}
