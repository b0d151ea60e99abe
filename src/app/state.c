/* app/state.c: finds the folder of the state, and makes it. */
#include "app/state.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/arena.h"
#include "base/str.h"

/* XDG Base Directory Specification: paths that are not absolute are to be ignored. */
static gh_str absolute(const char *name)
{
    const char *value = getenv(name);
    return value != NULL && value[0] == '/' ? gh_str_from(value) : GH_STR("");
}

static gh_str find(struct gh_arena *arena)
{
    gh_str state = absolute("STATE_DIRECTORY"), xdg = absolute("XDG_STATE_HOME"), home = absolute("HOME");
    if (state.len > 0) /* systemd: several are parted by colons */
        return gh_arena_dup(arena, gh_str_take(state, gh_str_find(state, ':')));
    if (xdg.len > 0)
        return gh_arena_printf(arena, "%.*s/gatehouse", GH_STR_FMT(xdg));
    return home.len > 0 ? gh_arena_printf(arena, "%.*s/.local/state/gatehouse", GH_STR_FMT(home))
                        : GH_STR("");
}

/* Each part that is missing; `path` ends with a NUL. */
static bool make(char *path)
{
    for (char *slash = strchr(path + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        bool ok = mkdir(path, 0700) == 0 || errno == EEXIST;
        *slash = '/';
        if (!ok)
            return false;
    }
    return mkdir(path, 0700) == 0 || errno == EEXIST;
}

gh_str gh_state_folder(struct gh_arena *arena)
{
    gh_str folder = find(arena);
    if (folder.len == 0) {
        (void)fprintf(stderr,
                      "gatehouse serve: no folder for the state: set STATE_DIRECTORY, XDG_STATE_HOME or "
                      "HOME to an absolute path, or give -c FILE\n");
        return GH_STR_NONE;
    }
    char *path = gh_arena_alloc(arena, folder.len + 1);
    if (path == NULL)
        return GH_STR_NONE;
    memcpy(path, folder.ptr, folder.len);
    path[folder.len] = '\0';
    if (make(path))
        return folder;
    (void)fprintf(stderr, "gatehouse serve: %s: %s; set STATE_DIRECTORY to a folder that can be made\n", path,
                  strerror(errno));
    return GH_STR_NONE;
}
