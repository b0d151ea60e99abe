/* core/test_list_event.c: where events end, at any split of their stream: no byte is lost, none of a whole
 * event waits. */
#include <string.h>

#include "base/str.h"
#include "gatehouse/list.h"
#include "support/cm.h"

#define EVENTS 3

static const char *const streams[] = {
    "data: a\n\nid: 1\ndata: b\n\n: c\n\n",
    "data: a\r\n\r\nid: 1\r\ndata: b\r\n\r\n: c\r\n\r\n",
    "data: a\r\rid: 1\rdata: b\r\r: c\r\r",
    "data: a\r\n\nid: 1\ndata: b\r\r\n: c\n\r\n", /* line ends of several kinds */
    "\n\r\n\r",
};

/* What lists.c does: bytes are held until an event is whole. */
struct reading {
    struct gh_event_finder finder;
    size_t passed, held, events;
};

static void take(struct reading *reading, gh_str bytes)
{
    while (bytes.len > 0) {
        size_t end = gh_event_find_end(&reading->finder, bytes), len = end != 0 ? end : bytes.len;
        bool is_lf_alone = reading->held == 0 && end == 1 && bytes.ptr[0] == '\n' && reading->passed > 0;
        reading->held += len;
        if (end != 0) {
            reading->passed += reading->held;
            reading->events += !is_lf_alone;
            reading->held = 0;
        }
        bytes = gh_str_skip(bytes, len);
    }
}

static void test_every_split(void **state)
{
    for (size_t i = 0; i < GH_ARRAY_LEN(streams); i++) {
        gh_str stream = gh_str_from(streams[i]);
        for (size_t size = 1; size <= stream.len; size++) {
            struct reading reading = { .passed = 0 };
            for (gh_str rest = stream; rest.len > 0;
                 rest = gh_str_skip(rest, size < rest.len ? size : rest.len))
                take(&reading, gh_str_take(rest, size < rest.len ? size : rest.len));
            if (reading.passed != stream.len || reading.held != 0 || reading.events != EVENTS)
                fail_msg("stream %zu in pieces of %zu: %zu bytes passed, %zu held, %zu events", i, size,
                         reading.passed, reading.held, reading.events);
        }
    }
    (void)state;
}

/* The LF behind the end of a line that is not blank belongs to that line, whenever it comes. */
static void test_a_line_is_not_split(void **state)
{
    struct gh_event_finder finder = { .in_line = false };
    (void)state;
    assert_int_equal(gh_event_find_end(&finder, GH_STR("data: a\r")), 0);
    assert_int_equal(gh_event_find_end(&finder, GH_STR("\ndata: b\r")), 0);
    assert_int_equal(gh_event_find_end(&finder, GH_STR("\n\r")), 2);
    assert_int_equal(gh_event_find_end(&finder, GH_STR("\ndata: c")), 1);
    assert_int_equal(gh_event_find_end(&finder, GH_STR("data: c\n\n")), 9);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_split),
        cmocka_unit_test(test_a_line_is_not_split),
    };
    return cmocka_run_group_tests_name("list_event", tests, NULL, NULL);
}
