/* io/tls_files.c: certificates and keys from PEM files, refused with words an operator can act on. */
#include <openssl/err.h>
#include <openssl/pem.h>

#include "base/str.h"
#include "io/file.h"
#include "io/tls_private.h"

#define FILE_MAX_LEN ((size_t)1024 * 1024)
#define RSA_MIN_BITS 2048
#define EC_MIN_BITS  256

static enum gh_reason use_chain(SSL_CTX *ctx, gh_str path, char **ret_why);
static enum gh_reason use_key(SSL_CTX *ctx, gh_str path, char **ret_why);
static bool is_strong(const EVP_PKEY *key);

/* Without this OpenSSL asks for a passphrase on the terminal. */
static int no_passphrase(char *out, int cap, int writing, void *ctx)
{
    return -1;
}

enum gh_reason gh_tls_use_pair(SSL_CTX *ctx, gh_str certificate_file, gh_str key_file, char **ret_why)
{
    enum gh_reason why = use_chain(ctx, certificate_file, ret_why);
    if (why == GH_OK)
        why = use_key(ctx, key_file, ret_why);
    return why;
}

static bool use_one(SSL_CTX *ctx, X509 *certificate, bool leaf)
{
    return (leaf ? SSL_CTX_use_certificate(ctx, certificate)
                 : (int)SSL_CTX_add1_chain_cert(ctx, certificate)) == 1;
}

static enum gh_reason use_chain(SSL_CTX *ctx, gh_str path, char **ret_why)
{
    struct gh_secret file = { 0 };
    enum gh_reason why = gh_small_file_read(path, FILE_MAX_LEN, false, &file, ret_why);
    if (why != GH_OK)
        return why;
    BIO *bio = BIO_new_mem_buf(file.bytes, (int)file.len);
    size_t count = 0;
    X509 *one;
    ERR_clear_error();
    bool weak = false;
    while (bio != NULL && (one = PEM_read_bio_X509(bio, NULL, no_passphrase, NULL)) != NULL) {
        weak = count == 0 && !is_strong(X509_get0_pubkey(one));
        bool used = !weak && use_one(ctx, one, count == 0);
        X509_free(one);
        if (!used)
            break;
        count++;
    }
    BIO_free(bio);
    gh_secret_done(&file);
    if (weak)
        return gh_tls_refuse(ret_why, "%.*s: the key is too weak: RSA of 2048 bits, P-256 or more is needed",
                             GH_STR_FMT(path));
    unsigned long error = ERR_peek_last_error();
    bool at_end = ERR_GET_LIB(error) == ERR_LIB_PEM && ERR_GET_REASON(error) == PEM_R_NO_START_LINE;
    if (count == 0 && at_end)
        return gh_tls_refuse(ret_why, "%.*s: holds no PEM certificate", GH_STR_FMT(path));
    if (!at_end)
        return gh_tls_refuse(ret_why, "%.*s: certificate %zu: %s", GH_STR_FMT(path), count + 1,
                             gh_tls_error_words());
    ERR_clear_error();
    return GH_OK;
}

static enum gh_reason use_key(SSL_CTX *ctx, gh_str path, char **ret_why)
{
    struct gh_secret file = { 0 };
    enum gh_reason why = gh_small_file_read(path, FILE_MAX_LEN, true, &file, ret_why);
    if (why != GH_OK)
        return why;
    BIO *bio = BIO_new_mem_buf(file.bytes, (int)file.len);
    EVP_PKEY *key = bio != NULL ? PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL) : NULL;
    BIO_free(bio);
    gh_secret_done(&file);
    X509 *leaf = SSL_CTX_get0_certificate(ctx);
    if (key == NULL)
        why = gh_tls_refuse(ret_why, "%.*s: holds no PEM private key without passphrase", GH_STR_FMT(path));
    else if (leaf == NULL || X509_check_private_key(leaf, key) != 1)
        why = gh_tls_refuse(ret_why, "%.*s: the key does not belong to the certificate", GH_STR_FMT(path));
    else if (SSL_CTX_use_PrivateKey(ctx, key) != 1)
        why = gh_tls_refuse(ret_why, "%.*s: %s", GH_STR_FMT(path), gh_tls_error_words());
    EVP_PKEY_free(key);
    return why;
}

static bool is_strong(const EVP_PKEY *key)
{
    if (key == NULL)
        return false;
    int bits = EVP_PKEY_get_bits(key);
    switch (EVP_PKEY_get_base_id(key)) {
    case EVP_PKEY_RSA:
    case EVP_PKEY_RSA_PSS:
        return bits >= RSA_MIN_BITS;
    case EVP_PKEY_EC:
        return bits >= EC_MIN_BITS;
    case EVP_PKEY_ED25519:
    case EVP_PKEY_ED448:
        return true;
    default:
        return false;
    }
}
