/* issuer/test_password.c: passwords as PHC texts: made, matched, and refused when the text is not one of
 * ours. */
#include <string.h>

#include "base/str.h"
#include "issuer/password.h"
#include "support/cm.h"

static const unsigned char salt[16] = "0123456789abcdef";

static bool matches(const char *text, const char *password)
{
    unsigned cost;
    return gh_password_matches(gh_str_from(text), gh_str_from(password), &cost);
}

/* The same as Python's hashlib.scrypt(b"correct horse", salt=..., n=1024, r=8, p=1, dklen=32). */
static void the_text_is_what_others_make(void **state)
{
    char text[GH_PASSWORD_TEXT];
    assert_true(gh_password_hash(GH_STR("correct horse"), 10, salt, text));
    assert_string_equal(
        text, "$scrypt$ln=10,r=8,p=1$MDEyMzQ1Njc4OWFiY2RlZg$6g3umF+uVrJsObaTZhIbbTlgrvOEFcCItdwSjtPF67M");
}

static void one_password_matches(void **state)
{
    char text[GH_PASSWORD_TEXT];
    unsigned cost;
    assert_true(gh_password_hash(GH_STR("correct horse"), 10, salt, text));
    assert_true(gh_password_matches(gh_str_from(text), GH_STR("correct horse"), &cost));
    assert_int_equal(cost, 10);
    assert_false(matches(text, "correct hors"));
    assert_false(matches(text, "correct horse "));
    assert_false(matches(text, ""));
}

static void a_text_that_was_changed_matches_nothing(void **state)
{
    char text[GH_PASSWORD_TEXT], changed[GH_PASSWORD_TEXT];
    assert_true(gh_password_hash(GH_STR("correct horse"), 10, salt, text));
    for (size_t i = 0; i < strlen(text); i++) {
        memcpy(changed, text, sizeof(changed));
        changed[i] = changed[i] == 'A' ? 'B' : 'A';
        assert_false(matches(changed, "correct horse"));
        changed[i] = '\0';
        assert_false(matches(changed, "correct horse"));
    }
    assert_false(
        matches("$scrypt$ln=99,r=8,p=1$MDEyMzQ1Njc4OWFiY2RlZg$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
                "correct horse"));
    assert_false(matches("", "correct horse"));
}

static void costs_have_bounds(void **state)
{
    char text[GH_PASSWORD_TEXT];
    assert_false(gh_password_hash(GH_STR("correct horse"), 0, salt, text));
    assert_false(gh_password_hash(GH_STR("correct horse"), 21, salt, text));
    assert_false(gh_password_hash(GH_STR(""), 10, salt, text));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_text_is_what_others_make),
        cmocka_unit_test(one_password_matches),
        cmocka_unit_test(a_text_that_was_changed_matches_nothing),
        cmocka_unit_test(costs_have_bounds),
    };
    return cmocka_run_group_tests_name("password", tests, NULL, NULL);
}
