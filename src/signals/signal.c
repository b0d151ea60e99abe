/* signals/signal.c: whose place a request came to, and what it says as text between threads. */
#include "base/arena.h"
#include "base/str.h"
#include "signals/signals.h"

static bool is_at(const struct gh_signal_place *place, const struct gh_authority *authority, gh_str path)
{
    bool is_usual = place->port == 443 || place->port == 80;
    return gh_str_eq(place->path, path) && gh_str_eq(place->host, authority->host) &&
           (authority->port != 0 ? authority->port == place->port : is_usual);
}

const struct gh_signal_place *gh_signal_find(const struct gh_signal_site *site,
                                             const struct gh_authority *authority, gh_str path)
{
    for (size_t i = 0; i < site->count; i++)
        if (is_at(&site->at[i], authority, path))
            return &site->at[i];
    return NULL;
}

/* Names of the settings and addresses hold no newline. */
gh_str gh_signal_write(struct gh_arena *arena, const struct gh_signal *signal)
{
    return gh_arena_printf(arena, "%.*s\n%.*s\n%c%.*s", GH_STR_FMT(signal->issuer),
                           GH_STR_FMT(signal->source), signal->form == GH_EVENT_FORM_SET ? 'S' : 'L',
                           GH_STR_FMT(signal->token));
}

bool gh_signal_read(gh_str text, struct gh_signal *ret_signal)
{
    struct gh_signal signal = { .issuer = gh_str_cut(&text, '\n') };
    signal.source = text.ptr != NULL ? gh_str_cut(&text, '\n') : GH_STR_NONE;
    if (text.ptr == NULL || text.len == 0)
        return false;
    signal.form = text.ptr[0] == 'S' ? GH_EVENT_FORM_SET : GH_EVENT_FORM_LOGOUT;
    signal.token = gh_str_skip(text, 1);
    *ret_signal = signal;
    return true;
}
