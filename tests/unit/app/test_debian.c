/* Debian's order of versions, and which installed packages are found below their floors. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/debian.h"
#include "support/cm.h"

/* Each is older than the next; the examples of deb-version(7) among them. */
static void versions_have_their_order(void **state)
{
    static const char *const rising[] = {
        "~~",
        "~~a",
        "~",
        "",
        "0.9",
        "1.0~rc1",
        "1.0",
        "1.0a",
        "1.0+b",
        "1.0.1",
        "1.9",
        "1.10",
        "1.52.0-1",
        "1.52.0-1+deb12u2",
        "1.52.0-1+deb12u3",
        "1.52.0-1+deb12u10",
        "2.1.12-stable-8",
        "2.1.12-stable-8+deb12u1",
        "3.0.22-1~deb12u1",
        "3.0.22-1~deb12u2",
        "3.0.22-1",
        "7.88.1-10+deb12u9",
        "7.88.1-10+deb12u15",
    };
    (void)state;
    for (size_t i = 0; i < GH_ARRAY_LEN(rising); i++) {
        assert_int_equal(gh_debian_order(rising[i], rising[i]), 0);
        for (size_t j = 0; j < i; j++) {
            assert_true(gh_debian_order(rising[j], rising[i]) < 0);
            assert_true(gh_debian_order(rising[i], rising[j]) > 0);
        }
    }
    assert_int_equal(gh_debian_order("1.01", "1.1"), 0);
}

static FILE *file_of(const char *text)
{
    FILE *file = fmemopen((void *)(uintptr_t)text, strlen(text), "r");
    assert_non_null(file);
    return file;
}

static bool is_12(const char *text)
{
    FILE *file = file_of(text);
    bool is = gh_debian_is_12(file);
    (void)fclose(file);
    return is;
}

static void only_debian_12_is_known(void **state)
{
    (void)state;
    assert_true(is_12("PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nVERSION_ID=\"12\"\nID=debian\n"));
    assert_true(is_12("ID=\"debian\"\nVERSION_ID=12\n"));
    assert_false(is_12("ID=debian\nVERSION_ID=\"13\"\n"));
    assert_false(is_12("ID=debian\nVERSION_ID=\"120\"\n"));
    assert_false(is_12("ID=ubuntu\nID_LIKE=debian\nVERSION_ID=\"12\"\n"));
    assert_false(is_12("\n"));
}

static unsigned warnings_of(const char *text, const char *expected)
{
    char *said = NULL;
    size_t len = 0;
    FILE *status = file_of(text), *out = open_memstream(&said, &len);
    unsigned count = gh_debian_warn(status, out);
    (void)fclose(status);
    (void)fclose(out);
    if (expected != NULL)
        assert_non_null(strstr(said, expected));
    free(said);
    return count;
}

static void what_is_below_its_floor_is_told(void **state)
{
    (void)state;
    assert_int_equal(
        warnings_of("Package: libssl3\nStatus: install ok installed\nVersion: 3.0.22-1~deb12u1\n",
                    "libssl3 3.0.22-1~deb12u1 is below 3.0.22-1~deb12u2"),
        1);
    assert_int_equal(
        warnings_of("Package: libssl3\nStatus: install ok installed\nVersion: 3.0.22-1~deb12u2\n", NULL), 0);
    assert_int_equal(warnings_of("Package: libssl3\nStatus: hold ok installed\nVersion: 3.0.9-1\n", NULL), 1);
    /* Removed, or not one of ours. */
    assert_int_equal(
        warnings_of("Package: libssl3\nStatus: deinstall ok config-files\nVersion: 3.0.9-1\n", NULL), 0);
    assert_int_equal(warnings_of("Package: libssl3-dev\nStatus: install ok installed\nVersion: 1\n", NULL),
                     0);
    /* The state of one package says nothing of the next. */
    assert_int_equal(warnings_of("Package: a\nStatus: install ok installed\nVersion: 1\n\n"
                                 "Package: libcurl4\nVersion: 1\n",
                                 NULL),
                     0);
    assert_int_equal(
        warnings_of("Package: libcurl4\nStatus: install ok installed\nVersion: 7.88.1-10+deb12u9\n\n"
                    "Package: libnghttp2-14\nStatus: install ok installed\nVersion: 1.52.0-1\n",
                    "libnghttp2-14 1.52.0-1 is below"),
        2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(versions_have_their_order),
        cmocka_unit_test(only_debian_12_is_known),
        cmocka_unit_test(what_is_below_its_floor_is_told),
    };
    return cmocka_run_group_tests_name("debian", tests, NULL, NULL);
}
