/* unit/store/faulty.h: a file system under SQLite that fails when the test says so, and knows what has not
 * been synced. */
#ifndef GH_TEST_STORE_FAULTY_H
#define GH_TEST_STORE_FAULTY_H

#include <stdbool.h>

/* Becomes the default of the process. Syncs are only noted, not done: the kernel is not what is tested. */
void faulty_install(void);
/* The n-th write, sync, truncation or growth from now on fails with this SQLite code (0: switched off);
 * `stays`: and all behind it. */
void faulty_fail_at(unsigned n, int code, bool stays);
/* Has it come to that? */
bool faulty_has_failed(void);
/* Every read fails. */
void faulty_fail_reads(bool fail);
/* Bytes that were written ahead and not synced since. */
bool faulty_log_is_synced(void);

#endif
