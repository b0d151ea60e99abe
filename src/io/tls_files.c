/* io/tls_files.c: certificates and keys from PEM files, refused with words an operator can act on. */
#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/secret.h"
#include "base/str.h"
#include "io/tls_private.h"

#define FILE_MAX_LEN (1024 * 1024)
#define RSA_MIN_BITS 2048
#define EC_MIN_BITS  256

static enum gh_reason read_file(gh_str path, bool secret, struct gh_secret *ret_bytes, char **ret_why);
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
    enum gh_reason why = read_file(path, false, &file, ret_why);
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
    enum gh_reason why = read_file(path, true, &file, ret_why);
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

static bool read_all(int fd, unsigned char *out, size_t len)
{
    size_t at = 0;
    while (at < len) {
        ssize_t got = read(fd, out + at, len - at);
        if (got <= 0)
            return false;
        at += (size_t)got;
    }
    return true;
}

/* The mode is asked of the open file, so that it cannot change in between. */
static enum gh_reason read_file(gh_str path, bool secret, struct gh_secret *ret_bytes, char **ret_why)
{
    struct stat info;
    int fd = open(path.ptr, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return gh_tls_refuse(ret_why, "%.*s: %s", GH_STR_FMT(path), strerror(errno));
    enum gh_reason why = GH_OK;
    unsigned char *bytes = NULL;
    size_t len = 0;
    if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode))
        why = gh_tls_refuse(ret_why, "%.*s: is not a plain file", GH_STR_FMT(path));
    else if (secret && (info.st_mode & 077) != 0)
        why = gh_tls_refuse(ret_why, "%.*s: the key can be read by others (mode %04o): chmod 600 it",
                            GH_STR_FMT(path), (unsigned)info.st_mode & 07777);
    else if (info.st_size <= 0 || info.st_size > FILE_MAX_LEN)
        why = gh_tls_refuse(ret_why, "%.*s: is empty or larger than 1 MiB", GH_STR_FMT(path));
    else
        len = (size_t)info.st_size;
    if (why == GH_OK && ((bytes = gh_malloc(len)) == NULL || !read_all(fd, bytes, len)))
        why = gh_tls_refuse(ret_why, "%.*s: cannot be read", GH_STR_FMT(path));
    close(fd);
    if (why == GH_OK && !gh_secret_set(ret_bytes, gh_str_of(bytes, len)))
        why = gh_tls_refuse(ret_why, "%.*s: out of memory", GH_STR_FMT(path));
    if (bytes != NULL)
        gh_wipe(bytes, len);
    free(bytes);
    return why;
}
