/* io/file.h: whole small files for the control thread: certificates, keys, secrets. */
#ifndef GH_IO_FILE_H
#define GH_IO_FILE_H

#include "base/secret.h"
#include "gatehouse/reason.h"

/* Whether a file of that mode is its owner's alone. In $CREDENTIALS_DIRECTORY, which systemd closes to
 * everybody else, the group may read: newer ones let the user in by an ACL, whose mask shows as the group's
 * bits. */
bool gh_file_is_private(gh_str path, unsigned mode);
/* A plain file of 1 to `max` bytes. With `is_secret` it must be private: the mode is asked of the open file,
 * so that it cannot change in between. GH_SETTINGS_INVALID with a text for the operator to free ("PATH:
 * why"), GH_OUT_OF_MEMORY. Blocks. */
GH_MUST_USE enum gh_reason gh_small_file_read(gh_str path, size_t max, bool is_secret,
                                              struct gh_secret *ret_bytes, char **ret_why);

#endif
