/* support/shared.h: where the data published by others stands, and what a test says when it is not there. */
#ifndef GH_TEST_SHARED_H
#define GH_TEST_SHARED_H

#include "gatehouse/types.h"

struct gh_arena;

/* The path of `below` in ../shared. When that folder is absent the program ends here: as skipped, or, where
 * CI=true is set, as failed. */
gh_str gh_shared_path(struct gh_arena *arena, const char *below);
/* A whole file; a missing one ends the program as failed. NUL-terminated behind its length. */
gh_str gh_file_read(struct gh_arena *arena, gh_str path);

#endif
