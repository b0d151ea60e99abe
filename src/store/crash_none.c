/* store/crash_none.c: no crash tests in this build. */
#include <stddef.h>

#include "store/crash.h"

const char *gh_crash_functions(void)
{
    return NULL;
}

void gh_crash_set_up(sqlite3 *db)
{
}

const char *gh_crash_name(void)
{
    return NULL;
}
