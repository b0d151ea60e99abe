/* support/certs.c: certificates and keys made for one test run. */
#include "support/certs.h"

#include <dirent.h>
#include <fcntl.h>
#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/str.h"

static char folder[64];

static void need(bool ok, const char *what)
{
    if (ok)
        return;
    (void)printf("Bail out! certificates: %s\n", what);
    exit(1);
}

static void remove_folder(void)
{
    DIR *dir = opendir(folder);
    struct dirent *entry;
    while (dir != NULL && (entry = readdir(dir)) != NULL)
        (void)unlinkat(dirfd(dir), entry->d_name, 0);
    if (dir != NULL)
        (void)closedir(dir);
    (void)rmdir(folder);
}

static void path_of(const char *name, char *out, size_t cap)
{
    if (folder[0] == '\0') {
        (void)snprintf(folder, sizeof(folder), "/tmp/gh-test-XXXXXX");
        need(mkdtemp(folder) != NULL, "no folder for files");
        (void)atexit(remove_folder);
    }
    (void)snprintf(out, cap, "%s/%s", folder, name);
}

const char *gh_test_file(const char *name, gh_str bytes, unsigned mode)
{
    static char path[128];
    path_of(name, path, sizeof(path));
    (void)unlink(path);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    need(fd >= 0 && write(fd, bytes.ptr, bytes.len) == (ssize_t)bytes.len && fchmod(fd, mode) == 0, name);
    (void)close(fd);
    return path;
}

static void write_pem(BIO *bio, const char *name, const char *kind, unsigned mode, char *out, size_t cap)
{
    char file[64];
    char *bytes;
    long len = BIO_get_mem_data(bio, &bytes);
    (void)snprintf(file, sizeof(file), "%s.%s", name, kind);
    (void)snprintf(out, cap, "%s", gh_test_file(file, gh_str_of(bytes, (size_t)len), mode));
    BIO_free(bio);
}

static EVP_PKEY *make_key(const char *kind)
{
    if (strncmp(kind, "RSA-", 4) == 0)
        return EVP_RSA_gen((unsigned)atoi(kind + 4));
    return EVP_EC_gen(kind);
}

static void add_extension(X509 *cert, const X509 *issuer, int nid, const char *value)
{
    X509V3_CTX ctx;
    X509V3_set_ctx_nodb(&ctx);
    X509 *by = X509_dup(issuer);
    X509V3_set_ctx(&ctx, by, cert, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    need(extension != NULL && X509_add_ext(cert, extension, -1) == 1, value);
    X509_EXTENSION_free(extension);
    X509_free(by);
}

static void make_cert(struct gh_identity *me, const struct gh_identity_plan *plan)
{
    X509 *cert = me->cert = X509_new();
    const struct gh_identity *issuer = plan->issuer != NULL ? plan->issuer : me;
    bool dated = plan->from_s != 0 || plan->to_s != 0;
    X509_NAME *name = X509_get_subject_name(cert);
    need(cert != NULL && X509_set_version(cert, 2) == 1, "no certificate");
    ASN1_INTEGER_set(X509_get_serialNumber(cert), plan->serial != 0 ? plan->serial : 1);
    X509_gmtime_adj(X509_getm_notBefore(cert), dated ? plan->from_s : -3600);
    X509_gmtime_adj(X509_getm_notAfter(cert), dated ? plan->to_s : 86400);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)plan->name, -1, -1, 0);
    X509_set_issuer_name(cert, X509_get_subject_name(issuer->cert));
    X509_set_pubkey(cert, me->key);
    add_extension(cert, issuer->cert, NID_subject_key_identifier, "hash");
    add_extension(cert, issuer->cert, NID_basic_constraints,
                  plan->ca ? "critical,CA:TRUE" : "critical,CA:FALSE");
    if (plan->san != NULL)
        add_extension(cert, issuer->cert, NID_subject_alt_name, plan->san);
    const EVP_MD *digest = EVP_get_digestbyname(plan->digest != NULL ? plan->digest : "SHA256");
    need(X509_sign(cert, issuer->key, digest) > 0, "not signed");
}

struct gh_identity *gh_identity_new(const struct gh_identity_plan *plan)
{
    struct gh_identity *me = calloc(1, sizeof(*me));
    need(me != NULL, "out of memory");
    me->key = make_key(plan->key != NULL ? plan->key : "P-256");
    need(me->key != NULL, "no key");
    make_cert(me, plan);
    BIO *pem = BIO_new(BIO_s_mem());
    need(PEM_write_bio_X509(pem, me->cert) == 1, "no PEM");
    write_pem(pem, plan->name, "crt", 0644, me->cert_file, sizeof(me->cert_file));
    pem = BIO_new(BIO_s_mem());
    need(PEM_write_bio_PrivateKey(pem, me->key, NULL, NULL, 0, NULL, NULL) == 1, "no PEM");
    write_pem(pem, plan->name, "key", 0600, me->key_file, sizeof(me->key_file));
    return me;
}

void gh_identity_free(struct gh_identity *identity)
{
    if (identity == NULL)
        return;
    X509_free(identity->cert);
    EVP_PKEY_free(identity->key);
    free(identity);
}
