/* TLS contexts from files: what is wrong with them is refused with words that name the file. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>
#include <openssl/pem.h>

#include "base/str.h"
#include "io/tls.h"
#include "support/certs.h"

static struct gh_identity *good;

static int set_up(void **state)
{
    good = gh_identity_new(&(struct gh_identity_plan){ .name = "good", .san = "DNS:good.example" });
    return 0;
}

static int tear_down(void **state)
{
    gh_identity_free(good);
    return 0;
}

static void check_pair(const char *certificate, const char *key, const char *words)
{
    struct gh_tls_pair pair = { gh_str_from(certificate), gh_str_from(key) };
    struct gh_tls_server_conf conf = { .pairs = &pair, .pair_count = 1 };
    struct gh_tls_context *context = NULL;
    char *why = NULL;
    enum gh_reason reason = gh_tls_server_context(&conf, NULL, &context, &why);
    assert_int_equal(reason, words == NULL ? GH_OK : GH_SETTINGS_INVALID);
    if (words != NULL && (why == NULL || strstr(why, words) == NULL))
        fail_msg("%s, not %s", why, words);
    gh_tls_context_unref(context);
    free(why);
}

static void check_weak(const char *kind, const char *words)
{
    struct gh_identity *weak =
        gh_identity_new(&(struct gh_identity_plan){ .name = "weak", .key = kind, .san = "DNS:weak.example" });
    check_pair(weak->cert_file, weak->key_file, words);
    gh_identity_free(weak);
}

static void test_keys_must_be_strong_and_fit(void **state)
{
    struct gh_identity *another = gh_identity_new(&(struct gh_identity_plan){ .name = "another" });
    check_pair(good->cert_file, good->key_file, NULL);
    check_pair(good->cert_file, another->key_file, "another.key: the key does not belong to the certificate");
    check_weak("RSA-1024", "too weak");
    check_weak("P-224", "too weak");
    check_weak("RSA-2048", NULL);
    check_weak("P-384", NULL);
    gh_identity_free(another);
}

static void test_files_must_be_readable_and_private(void **state)
{
    check_pair("/nonexistent/tls.crt", good->key_file, "/nonexistent/tls.crt: No such file");
    check_pair(good->cert_file, "/nonexistent/tls.key", "/nonexistent/tls.key: No such file");
    check_pair("/", good->key_file, "/: is not a plain file");
    check_pair(gh_test_file("empty.crt", GH_STR(""), 0644), good->key_file, "empty.crt: is empty");
    check_pair(gh_test_file("text.crt", GH_STR("hello"), 0644), good->key_file,
               "text.crt: holds no PEM cert");
    check_pair(good->cert_file, gh_test_file("text.key", GH_STR("hello"), 0600),
               "text.key: holds no PEM private");
    check_pair(gh_test_file("torn.crt", GH_STR("-----BEGIN CERTIFICATE-----\nMIIB\n"), 0644), good->key_file,
               "torn.crt: certificate 1: ");
    check_pair(good->key_file, good->key_file, "holds no PEM cert");
    assert_int_equal(chmod(good->key_file, 0640), 0);
    check_pair(good->cert_file, good->key_file, "good.key: can be read by others (mode 0640)");
    assert_int_equal(chmod(good->key_file, 0400), 0);
    check_pair(good->cert_file, good->key_file, NULL);
}

static void test_a_passphrase_is_not_asked_for(void **state)
{
    BIO *bio = BIO_new(BIO_s_mem());
    char *bytes, word[] = "open";
    PEM_write_bio_PrivateKey(bio, good->key, EVP_aes_256_cbc(), NULL, 0, NULL, word);
    long len = BIO_get_mem_data(bio, &bytes);
    const char *path = gh_test_file("locked.key", gh_str_of(bytes, (size_t)len), 0600);
    check_pair(good->cert_file, path, "locked.key: holds no PEM private key without passphrase");
    BIO_free(bio);
}

static void test_a_second_pair_must_serve_a_name(void **state)
{
    struct gh_tls_pair pair = { gh_str_from(good->cert_file), gh_str_from(good->key_file) };
    struct gh_tls_pair pairs[] = { pair, pair };
    struct gh_tls_server_conf conf = { .pairs = pairs, .pair_count = 2 };
    struct gh_tls_context *context = NULL;
    char *why = NULL;
    assert_int_equal(gh_tls_server_context(&conf, NULL, &context, &why), GH_SETTINGS_INVALID);
    assert_non_null(strstr(why, "good.crt: names no host"));
    free(why);
    conf.pair_count = 0;
    assert_int_equal(gh_tls_server_context(&conf, NULL, &context, &why), GH_SETTINGS_INVALID);
    free(why);
}

static void test_client_files(void **state)
{
    struct gh_tls_client_conf conf = { .ca_file = GH_STR("/nonexistent/ca.pem") };
    struct gh_tls_context *context = NULL;
    char *why = NULL;
    assert_int_equal(gh_tls_client_context(&conf, &context, &why), GH_SETTINGS_INVALID);
    assert_non_null(strstr(why, "/nonexistent/ca.pem: "));
    free(why);
    conf = (struct gh_tls_client_conf){ .certificate_file = gh_str_from(good->cert_file),
                                        .key_file = gh_str_from(good->key_file) };
    assert_int_equal(gh_tls_client_context(&conf, &context, &why), GH_OK);
    assert_null(gh_tls_connect(context, GH_STR("")));
    assert_null(gh_tls_connect(context, GH_STR("a\0b")));
    gh_tls_context_unref(context);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keys_must_be_strong_and_fit),
        cmocka_unit_test(test_files_must_be_readable_and_private),
        cmocka_unit_test(test_a_passphrase_is_not_asked_for),
        cmocka_unit_test(test_a_second_pair_must_serve_a_name),
        cmocka_unit_test(test_client_files),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
