/* keys/signing_files.h: private keys in files: made, read, deleted. Private to this folder. */
#ifndef GH_KEYS_SIGNING_FILES_H
#define GH_KEYS_SIGNING_FILES_H

#include "base/secret.h"
#include "keys/signing.h"

struct gh_signing_file {
    int64_t created;
    struct gh_signing_key *key; /* a reference */
};

/* Empty without a file. GH_SETTINGS_INVALID when it is shorter than 16 bytes or others may read it. */
GH_MUST_USE enum gh_reason gh_signing_kek_read(gh_str file, struct gh_secret *ret_kek, char **ret_why);
/* A new key of that algorithm, in memory alone. NULL, or why not. */
const char *gh_signing_key_generate(enum gh_alg alg, struct gh_signing_key **ret_key);
/* Unless it is there. */
GH_MUST_USE enum gh_reason gh_signing_folder_make(gh_str folder, char **ret_why);
/* All keys of the folder; those that `known` has under the same name are
 * taken from there (a reference), not read again. On failure none is handed over. */
struct gh_signing_known {
    const struct gh_signing_file *at;
    size_t count;
};
GH_MUST_USE enum gh_reason gh_signing_files_read(gh_str folder, const struct gh_secret *kek,
                                                 const struct gh_signing_known *known,
                                                 struct gh_signing_file ret_files[GH_SIGNING_KEYS_MAX],
                                                 size_t *ret_count, char **ret_why);
/* The folder for one process at a time, which alone makes keys: a descriptor that holds it until it is
 * closed. -1: there is no such folder, or, unless `waits`, another process has it (errno EWOULDBLOCK). */
int gh_signing_folder_hold(gh_str folder, bool waits);
/* A new key of that algorithm, on disk before it is used. NULL, or why not. */
const char *gh_signing_file_make(gh_str folder, const struct gh_secret *kek, enum gh_alg alg, int64_t created,
                                 struct gh_signing_key **ret_key);
/* The same key, born at another time. */
bool gh_signing_file_reborn(gh_str folder, gh_str kid, int64_t from, int64_t to);
/* False when it is still there. */
bool gh_signing_file_delete(gh_str folder, int64_t created, gh_str kid);

#endif
