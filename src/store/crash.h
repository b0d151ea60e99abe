/* store/crash.h: the file functions that SQLite is given: its own, or, in a build for crash tests, ones that
 * end the process at a numbered step. */
#ifndef GH_STORE_CRASH_H
#define GH_STORE_CRASH_H

#include <sqlite3.h>

/* crash_none.c in every build but those with -Dcrash_steps=true, which take crash_steps.c. */

/* The name of the functions to open with; NULL: SQLite's own. */
const char *gh_crash_functions(void);
/* A connection that was set up is set up otherwise, where the test asks for it. */
void gh_crash_set_up(sqlite3 *db);
/* For `gatehouse version`. */
const char *gh_crash_name(void);

#endif
