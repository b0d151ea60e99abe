/* core/rpc/paths.c: JSON pointers as a tree of steps, which a walk follows down from the arguments of a call.
 */
#include "base/arena.h"
#include "base/str.h"
#include "core/json/fold.h"
#include "core/rpc/parts.h"

#define INDEX_DIGITS 6u

const struct gh_rpc_path *gh_rpc_path_member(const struct gh_rpc_path *path, gh_str name, bool *ret_is_twin)
{
    *ret_is_twin = false;
    for (const struct gh_rpc_path *child = path->first; child != NULL; child = child->next) {
        if (gh_str_eq(child->name, name))
            return child;
        *ret_is_twin = *ret_is_twin || gh_fold_eq(name, child->name);
    }
    return NULL;
}

const struct gh_rpc_path *gh_rpc_path_item(const struct gh_rpc_path *path, size_t index)
{
    for (const struct gh_rpc_path *child = path->first; child != NULL; child = child->next)
        if (child->index == index)
            return child;
    return NULL;
}

/* RFC 6901 section 4: "~1" is "/" and "~0" is "~"; what else begins with a tilde is no pointer. */
static enum gh_reason read_token(struct gh_arena *arena, gh_str token, gh_str *ret_name)
{
    char *out = gh_arena_alloc(arena, token.len + 1);
    size_t len = 0;
    if (out == NULL)
        return GH_OUT_OF_MEMORY;
    for (size_t i = 0; i < token.len; i++) {
        unsigned char c = (unsigned char)token.ptr[i];
        if (c < 0x20 || c > 0x7e) /* letters beyond ASCII have twins that nobody lists here */
            return GH_RPC_MESSAGE;
        if (c == '~') {
            char code = i + 1 < token.len ? token.ptr[++i] : '\0';
            if (code != '0' && code != '1')
                return GH_RPC_MESSAGE;
            c = code == '0' ? '~' : '/';
        }
        out[len++] = (char)c;
    }
    *ret_name = gh_str_of(out, len);
    return GH_OK;
}

/* RFC 6901 section 4: digits without leading zeros. */
static size_t index_of(gh_str name)
{
    uint64_t index;
    bool is_index = name.len > 0 && name.len <= INDEX_DIGITS && (name.ptr[0] != '0' || name.len == 1) &&
                    gh_str_to_u64(name, &index);
    return is_index ? (size_t)index : SIZE_MAX;
}

static enum gh_reason step(struct gh_arena *arena, struct gh_rpc_path *from, gh_str name,
                           struct gh_rpc_path **ret_child)
{
    struct gh_rpc_path **link = &from->first;
    for (; *link != NULL && !gh_str_eq((*link)->name, name); link = &(*link)->next)
        if (gh_fold_eq((*link)->name, name))
            return GH_RPC_DUPLICATE;
    if (*link == NULL) {
        struct gh_rpc_path *child = GH_ARENA_NEW(arena, struct gh_rpc_path);
        if (child == NULL)
            return GH_OUT_OF_MEMORY;
        *child = (struct gh_rpc_path){ .name = name, .index = index_of(name), .slot = GH_RPC_VALUES_MAX };
        *link = child;
    }
    *ret_child = *link;
    return GH_OK;
}

static enum gh_reason add(struct gh_arena *arena, struct gh_rpc_paths *paths, gh_str pointer)
{
    struct gh_rpc_path *at = &paths->root;
    gh_str rest = pointer, name;
    if (pointer.len == 0 || pointer.ptr[0] != '/')
        return GH_RPC_MESSAGE;
    if (paths->count == GH_RPC_VALUES_MAX)
        return GH_RPC_LIMITS;
    (void)gh_str_cut(&rest, '/');
    while (rest.ptr != NULL) {
        enum gh_reason reason = read_token(arena, gh_str_cut(&rest, '/'), &name);
        if (reason == GH_OK)
            reason = step(arena, at, name, &at);
        if (reason != GH_OK)
            return reason;
    }
    if (at->slot != GH_RPC_VALUES_MAX)
        return GH_RPC_MESSAGE; /* twice: who asks lists each once */
    at->slot = (unsigned)paths->count++;
    return GH_OK;
}

enum gh_reason gh_rpc_paths_read(struct gh_arena *arena, struct gh_strs pointers,
                                 const struct gh_rpc_paths **ret_paths)
{
    struct gh_rpc_paths *paths = GH_ARENA_NEW(arena, struct gh_rpc_paths);
    if (paths == NULL)
        return GH_OUT_OF_MEMORY;
    *paths = (struct gh_rpc_paths){ .root = { .index = SIZE_MAX, .slot = GH_RPC_VALUES_MAX } };
    for (size_t i = 0; i < pointers.count; i++) {
        enum gh_reason reason = add(arena, paths, pointers.at[i]);
        if (reason != GH_OK)
            return reason;
    }
    *ret_paths = paths;
    return GH_OK;
}
