/* keys/signing_files.c: private keys as PKCS#8 in PEM files of mode 0600, encrypted where there is a
 * key-encryption key. */
#include "keys/signing_files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/str.h"
#include "io/file.h"

#define PATH_MAX_HERE 1024
#define PEM_MAX       16384
#define KEK_MIN       16

static enum gh_reason refuse(char **ret_why, gh_str file, const char *why)
{
    char text[PATH_MAX_HERE + 256];
    (void)snprintf(text, sizeof(text), "%.*s: %s", GH_STR_FMT(file), why);
    *ret_why = gh_str_to_heap(gh_str_from(text));
    return GH_SETTINGS_INVALID;
}

enum gh_reason gh_signing_kek_read(gh_str file, struct gh_secret *ret_kek, char **ret_why)
{
    if (file.len == 0)
        return GH_OK;
    enum gh_reason reason = gh_small_file_read(file, PEM_MAX, true, ret_kek, ret_why);
    if (reason == GH_OK && ret_kek->len < KEK_MIN)
        return refuse(ret_why, file, "the key-encryption key is shorter than 16 bytes");
    return reason;
}

/* ---- PEM ---- */

/* Encrypted: PBES2 with PBKDF2 and AES-256 (RFC 8018), as openssl pkcs8 reads it. */
static bool write_pem(BIO *bio, EVP_PKEY *pkey, const struct gh_secret *kek)
{
    const EVP_CIPHER *cipher = kek->len > 0 ? EVP_aes_256_cbc() : NULL;
    return PEM_write_bio_PKCS8PrivateKey(bio, pkey, cipher, (const char *)kek->bytes, (int)kek->len, NULL,
                                         NULL) == 1;
}

static int give_kek(char *out, int cap, int writing, void *ctx)
{
    const struct gh_secret *kek = ctx;
    if (kek->len == 0 || kek->len > (size_t)cap)
        return -1;
    memcpy(out, kek->bytes, kek->len);
    return (int)kek->len;
}

/* The one reader takes plain PKCS#8: what was encrypted is written once more in memory, and wiped. */
static const char *key_of(EVP_PKEY *pkey, struct gh_signing_key **ret_key)
{
    static const struct gh_secret none = { 0 };
    BIO *bio = BIO_new(BIO_s_secmem());
    char *pem = NULL;
    const char *why = "out of memory";
    enum gh_signing_fault fault;
    if (bio != NULL && write_pem(bio, pkey, &none)) {
        long len = BIO_get_mem_data(bio, &pem);
        enum gh_reason reason = gh_signing_key_read(gh_str_of(pem, (size_t)len), &fault, ret_key);
        gh_wipe(pem, (size_t)len);
        if (reason == GH_KEYS_MALFORMED)
            why = gh_signing_fault_text(fault).ptr;
        why = reason == GH_OK ? NULL : why;
    }
    BIO_free(bio);
    return why;
}

static EVP_PKEY *generate(enum gh_alg alg)
{
    if (alg == GH_ALG_RS256)
        return EVP_RSA_gen(3072);
    return alg == GH_ALG_EDDSA ? EVP_PKEY_Q_keygen(NULL, NULL, "ED25519") : EVP_EC_gen("P-256");
}

const char *gh_signing_key_generate(enum gh_alg alg, struct gh_signing_key **ret_key)
{
    EVP_PKEY *pkey = generate(alg);
    const char *why = pkey != NULL ? key_of(pkey, ret_key) : "libcrypto failed";
    EVP_PKEY_free(pkey);
    return why;
}

/* ---- files ---- */

static bool path_of(char out[PATH_MAX_HERE], gh_str folder, int64_t created, gh_str kid, const char *end)
{
    int len = snprintf(out, PATH_MAX_HERE, "%.*s/%lld-%.*s.pem%s", GH_STR_FMT(folder), (long long)created,
                       GH_STR_FMT(kid), end);
    return len > 0 && len < PATH_MAX_HERE;
}

static bool sync_folder(gh_str folder)
{
    char path[PATH_MAX_HERE];
    if (snprintf(path, sizeof(path), "%.*s", GH_STR_FMT(folder)) >= (int)sizeof(path))
        return false;
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool ok = fd >= 0 && fsync(fd) == 0;
    if (fd >= 0)
        (void)close(fd);
    return ok;
}

static bool write_all(int fd, const char *bytes, size_t len)
{
    while (len > 0) {
        ssize_t got = write(fd, bytes, len);
        if (got <= 0)
            return false;
        bytes += got;
        len -= (size_t)got;
    }
    return fsync(fd) == 0;
}

/* Whole under its name or not at all, and on the disk before any token is signed with it. */
static const char *put_file(gh_str folder, int64_t created, gh_str kid, const char *pem, size_t len)
{
    char path[PATH_MAX_HERE], fresh[PATH_MAX_HERE];
    if (!path_of(path, folder, created, kid, "") || !path_of(fresh, folder, created, kid, ".new"))
        return "the path is too long";
    int fd = open(fresh, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return strerror(errno);
    bool ok = write_all(fd, pem, len);
    ok = close(fd) == 0 && ok && rename(fresh, path) == 0 && sync_folder(folder);
    if (ok)
        return NULL;
    const char *why = strerror(errno);
    (void)unlink(fresh);
    return why;
}

const char *gh_signing_file_make(gh_str folder, const struct gh_secret *kek, enum gh_alg alg, int64_t created,
                                 struct gh_signing_key **ret_key)
{
    struct gh_signing_key *key = NULL;
    EVP_PKEY *pkey = generate(alg);
    BIO *bio = BIO_new(BIO_s_secmem());
    char *pem = NULL;
    const char *why = pkey != NULL && bio != NULL && write_pem(bio, pkey, kek) ? NULL : "libcrypto failed";
    if (why == NULL)
        why = key_of(pkey, &key);
    if (why == NULL) {
        long len = BIO_get_mem_data(bio, &pem);
        why = put_file(folder, created, gh_signing_key_kid(key), pem, (size_t)len);
        gh_wipe(pem, (size_t)len);
    }
    BIO_free(bio);
    EVP_PKEY_free(pkey);
    if (why == NULL)
        *ret_key = key;
    else
        gh_signing_key_unref(key);
    return why;
}

bool gh_signing_file_reborn(gh_str folder, gh_str kid, int64_t from, int64_t to)
{
    char old[PATH_MAX_HERE], path[PATH_MAX_HERE];
    return path_of(old, folder, from, kid, "") && path_of(path, folder, to, kid, "") &&
           rename(old, path) == 0 && sync_folder(folder);
}

bool gh_signing_file_delete(gh_str folder, int64_t created, gh_str kid)
{
    char path[PATH_MAX_HERE];
    if (!path_of(path, folder, created, kid, ""))
        return false;
    return unlink(path) == 0 ? sync_folder(folder) : errno == ENOENT;
}

/* ---- reading ---- */

/* "CREATED-KID.pem" */
static bool read_name(gh_str name, int64_t *ret_created)
{
    uint64_t created;
    if (!gh_str_ends(name, GH_STR(".pem")) ||
        !gh_str_to_u64(gh_str_take(name, gh_str_find(name, '-')), &created) || created > INT64_MAX)
        return false;
    *ret_created = (int64_t)created;
    return true;
}

static enum gh_reason read_file(gh_str path, const struct gh_secret *kek, struct gh_signing_key **ret_key,
                                char **ret_why)
{
    struct gh_secret pem = { 0 };
    enum gh_reason reason = gh_small_file_read(path, PEM_MAX, true, &pem, ret_why);
    if (reason != GH_OK)
        return reason;
    BIO *bio = BIO_new_mem_buf(pem.bytes, (int)pem.len);
    EVP_PKEY *pkey =
        bio != NULL ? PEM_read_bio_PrivateKey(bio, NULL, give_kek, (void *)(uintptr_t)kek) : NULL;
    const char *why =
        pkey != NULL ? key_of(pkey, ret_key) : "no private key, or one of another key-encryption key";
    EVP_PKEY_free(pkey);
    BIO_free(bio);
    gh_secret_done(&pem);
    return why == NULL ? GH_OK : refuse(ret_why, path, why);
}

/* A key does not change under its name. */
static struct gh_signing_key *find_known(const struct gh_signing_known *known, gh_str name)
{
    for (size_t i = 0; i < known->count; i++) {
        char path[PATH_MAX_HERE];
        const struct gh_signing_file *file = &known->at[i];
        if (path_of(path, GH_STR(""), file->created, gh_signing_key_kid(file->key), "") &&
            gh_str_eq(gh_str_from(path + 1), name)) /* behind the slash */
            return gh_signing_key_ref(file->key);
    }
    return NULL;
}

/* What is read, from where, with what. */
struct reading {
    gh_str folder;
    const struct gh_secret *kek;
    const struct gh_signing_known *known;
};

static enum gh_reason read_entry(const struct reading *reading, const char *name,
                                 struct gh_signing_key **ret_key, char **ret_why)
{
    char path[PATH_MAX_HERE];
    *ret_key = find_known(reading->known, gh_str_from(name));
    if (*ret_key != NULL)
        return GH_OK;
    int len = snprintf(path, sizeof(path), "%.*s/%s", GH_STR_FMT(reading->folder), name);
    return len < (int)sizeof(path) ? read_file(gh_str_of(path, (size_t)len), reading->kek, ret_key, ret_why)
                                   : refuse(ret_why, reading->folder, "the path is too long");
}

static enum gh_reason read_entries(const struct reading *reading, DIR *folder, struct gh_signing_file *files,
                                   size_t *count, char **ret_why)
{
    enum gh_reason reason = GH_OK;
    for (const struct dirent *entry = readdir(folder); entry != NULL && reason == GH_OK;
         entry = readdir(folder)) {
        struct gh_signing_file *file = &files[*count];
        if (*count == GH_SIGNING_KEYS_MAX || !read_name(gh_str_from(entry->d_name), &file->created))
            continue;
        reason = read_entry(reading, entry->d_name, &file->key, ret_why);
        *count += reason == GH_OK;
    }
    return reason;
}

enum gh_reason gh_signing_files_read(gh_str folder, const struct gh_secret *kek,
                                     const struct gh_signing_known *known,
                                     struct gh_signing_file ret_files[GH_SIGNING_KEYS_MAX], size_t *ret_count,
                                     char **ret_why)
{
    char path[PATH_MAX_HERE];
    const struct reading reading = { folder, kek, known };
    size_t count = 0;
    if (snprintf(path, sizeof(path), "%.*s", GH_STR_FMT(folder)) >= (int)sizeof(path))
        return refuse(ret_why, folder, "the path is too long");
    struct stat info;
    DIR *open_folder = opendir(path);
    if (open_folder == NULL || stat(path, &info) != 0) {
        if (open_folder != NULL)
            (void)closedir(open_folder);
        return refuse(ret_why, folder, strerror(errno));
    }
    enum gh_reason reason =
        (info.st_mode & 077) == 0 ? GH_OK : refuse(ret_why, folder, "others may enter it");
    if (reason == GH_OK)
        reason = read_entries(&reading, open_folder, ret_files, &count, ret_why);
    (void)closedir(open_folder);
    for (size_t i = 0; reason != GH_OK && i < count; i++)
        gh_signing_key_unref(ret_files[i].key);
    *ret_count = reason == GH_OK ? count : 0;
    return reason;
}

/* ---- one process at a time ---- */

enum gh_reason gh_signing_folder_make(gh_str folder, char **ret_why)
{
    char path[PATH_MAX_HERE];
    if (snprintf(path, sizeof(path), "%.*s", GH_STR_FMT(folder)) >= (int)sizeof(path))
        return refuse(ret_why, folder, "the path is too long");
    struct stat info; /* looked at first: once a sandbox is around the process, none is made any more */
    if (stat(path, &info) == 0 || mkdir(path, 0700) == 0 || errno == EEXIST)
        return GH_OK;
    return refuse(ret_why, folder, strerror(errno));
}

int gh_signing_folder_hold(gh_str folder, bool waits)
{
    char path[PATH_MAX_HERE];
    if (snprintf(path, sizeof(path), "%.*s", GH_STR_FMT(folder)) >= (int)sizeof(path))
        return -1;
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || flock(fd, waits ? LOCK_EX : LOCK_EX | LOCK_NB) == 0)
        return fd;
    int why = errno;
    (void)close(fd);
    errno = why;
    return -1;
}
