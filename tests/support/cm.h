/* support/cm.h: cmocka with the headers it wants before it. */
#ifndef GH_TEST_CM_H
#define GH_TEST_CM_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/str.h"

#define assert_str_eq(found, text)                                                                           \
    do {                                                                                                     \
        gh_str found_ = (found);                                                                             \
        assert_int_equal(found_.len, sizeof(text) - 1);                                                      \
        assert_memory_equal(found_.ptr != NULL ? found_.ptr : "", (text), sizeof(text) - 1);                 \
    } while (0)

#endif
