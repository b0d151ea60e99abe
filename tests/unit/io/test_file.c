/* Small files: read whole, or refused with words that name the file and what is wrong with it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "support/cm.h"

#include "base/arena.h"
#include "io/file.h"
#include "support/certs.h"

static void check_refused(const char *path, size_t max, bool is_secret, const char *words)
{
    struct gh_secret bytes = { 0 };
    char *why = NULL;
    assert_int_equal(gh_small_file_read(gh_str_from(path), max, is_secret, &bytes, &why),
                     GH_SETTINGS_INVALID);
    if (why == NULL || strstr(why, words) == NULL)
        fail_msg("%s, not %s", why, words);
    assert_null(bytes.bytes);
    free(why);
}

static void check_read(const char *path, size_t max, bool is_secret, gh_str expected)
{
    struct gh_secret bytes = { 0 };
    char *why = NULL;
    assert_int_equal(gh_small_file_read(gh_str_from(path), max, is_secret, &bytes, &why), GH_OK);
    assert_true(gh_secret_equals(&bytes, expected));
    assert_null(why);
    gh_secret_done(&bytes);
}

static void test_whole_or_not_at_all(void **state)
{
    const char *path = gh_test_file("eight", GH_STR("8 bytes\n"), 0600);
    check_read(path, 1024, true, GH_STR("8 bytes\n"));
    check_read(path, 8, true, GH_STR("8 bytes\n"));
    check_refused(path, 7, true, "eight: is empty or larger than 0 KiB");
    check_refused(gh_test_file("none", GH_STR(""), 0600), 1024, true, "none: is empty or larger than 1 KiB");
    check_refused("/", 1024, true, "/: is not a plain file");
    check_refused("/dev/null", 1024, true, "/dev/null: is not a plain file");
    check_refused("/nonexistent", 1024, true, "/nonexistent: No such file");
}

static void test_secrets_are_private(void **state)
{
    const unsigned open_modes[] = { 0640, 0604, 0620, 0602, 0610, 0601, 0644, 0666 };
    const char *path = gh_test_file("private", GH_STR("x"), 0600);
    for (size_t i = 0; i < GH_ARRAY_LEN(open_modes); i++) {
        assert_int_equal(chmod(path, open_modes[i]), 0);
        check_refused(path, 1024, true, "private: can be read by others (mode 06");
        check_read(path, 1024, false, GH_STR("x"));
    }
    assert_int_equal(chmod(path, 0400), 0);
    check_read(path, 1024, true, GH_STR("x"));
}

/* systemd gives them with 0440, an ACL for the user behind the group's bits: in its folder, and nowhere else.
 */
static void test_credentials_are_as_the_service_manager_makes_them(void **state)
{
    const char *path = gh_test_file("given", GH_STR("x"), 0600);
    char folder[4096], beside[4100];
    (void)snprintf(folder, sizeof(folder), "%.*s", (int)(strrchr(path, '/') - path), path);
    assert_int_equal(chmod(path, 0440), 0);
    check_refused(path, 1024, true, "given: can be read by others (mode 0440)");
    assert_int_equal(setenv("CREDENTIALS_DIRECTORY", folder, 1), 0);
    check_read(path, 1024, true, GH_STR("x"));
    const unsigned open_modes[] = { 0444, 0460, 0450, 0441, 0442 };
    for (size_t i = 0; i < GH_ARRAY_LEN(open_modes); i++) {
        assert_int_equal(chmod(path, open_modes[i]), 0);
        check_refused(path, 1024, true, "given: can be read by others (mode 04");
    }
    assert_int_equal(chmod(path, 0440), 0);
    (void)snprintf(beside, sizeof(beside), "%s/../%s", folder, strrchr(folder, '/') + 1);
    assert_int_equal(setenv("CREDENTIALS_DIRECTORY", beside, 1), 0); /* the same folder by another name */
    check_refused(path, 1024, true, "given: can be read by others (mode 0440)");
    *strrchr(folder, '/') = '\0';
    assert_int_equal(setenv("CREDENTIALS_DIRECTORY", folder, 1), 0); /* below it, not in it */
    check_refused(path, 1024, true, "given: can be read by others (mode 0440)");
    assert_int_equal(setenv("CREDENTIALS_DIRECTORY", "", 1), 0);
    check_refused(path, 1024, true, "given: can be read by others (mode 0440)");
    assert_int_equal(unsetenv("CREDENTIALS_DIRECTORY"), 0);
}

static void test_memory_may_run_out(void **state)
{
    const char *path = gh_test_file("memory", GH_STR("x"), 0600);
    struct gh_secret bytes = { 0 };
    char *why = NULL;
    unsigned failures = 0;
    for (unsigned long n = 1;; n++, failures++) {
        gh_alloc_fail_at(n);
        enum gh_reason reason = gh_small_file_read(gh_str_from(path), 1024, true, &bytes, &why);
        gh_alloc_fail_at(0);
        if (reason == GH_OK)
            break;
        assert_int_equal(reason, GH_OUT_OF_MEMORY);
        assert_null(bytes.bytes);
    }
    assert_int_equal(failures, 3);
    gh_secret_done(&bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole_or_not_at_all),
        cmocka_unit_test(test_secrets_are_private),
        cmocka_unit_test(test_credentials_are_as_the_service_manager_makes_them),
        cmocka_unit_test(test_memory_may_run_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
