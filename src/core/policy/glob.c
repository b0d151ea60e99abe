/* core/policy/glob.c: patterns with stars. */
#include "base/str.h"
#include "gatehouse/call.h"

/* Where matching goes on when it fails: behind the last star of each kind, with one byte more eaten. */
struct retry {
    size_t pattern, text; /* pattern SIZE_MAX: there was none */
};

struct matching {
    gh_str pattern, text;
    bool are_paths;
    size_t p, t;       /* before these all matches */
    struct retry any;  /* the last star that goes over slashes */
    struct retry last; /* the last behind it that does not */
    size_t first;      /* where in the text the first such one stands */
};

static size_t segment_end(gh_str text, size_t at)
{
    while (at < text.len && text.ptr[at] != '/')
        at++;
    return at;
}

static void take_star(struct matching *m)
{
    bool is_double = m->p + 1 < m->pattern.len && m->pattern.ptr[m->p + 1] == '*';
    m->p += is_double ? 2 : 1;
    const struct retry here = { m->p, m->t };
    if (is_double || !m->are_paths) {
        m->any = here;
        m->last.pattern = SIZE_MAX;
        return;
    }
    if (m->last.pattern == SIZE_MAX)
        m->first = m->t;
    m->last = here;
}

/* A star that stops at slashes eats one byte more; where it cannot, the one before it that does not stop. */
static bool go_back(struct matching *m)
{
    size_t skipped = 1;
    if (m->last.pattern != SIZE_MAX) {
        if (m->last.text < m->text.len && m->text.ptr[m->last.text] != '/') {
            m->p = m->last.pattern;
            m->t = ++m->last.text;
            return true;
        }
        /* From no other place in the segment where the first of them began do they come further. */
        size_t end = segment_end(m->text, m->first);
        if (end == m->text.len)
            return false;
        skipped = end + 1 - m->first;
        m->last.pattern = SIZE_MAX;
    }
    if (m->any.pattern == SIZE_MAX || m->text.len - m->any.text < skipped)
        return false;
    m->any.text += skipped;
    m->p = m->any.pattern;
    m->t = m->any.text;
    return true;
}

/* At most pattern times text steps. */
static bool match(gh_str pattern, gh_str text, bool are_paths)
{
    const struct retry none = { SIZE_MAX, 0 };
    struct matching m = { pattern, text, are_paths, 0, 0, none, none, 0 };
    for (;;) {
        if (m.p < pattern.len && pattern.ptr[m.p] == '*')
            take_star(&m);
        else if (m.p == pattern.len && m.t == text.len)
            return true;
        else if (m.p < pattern.len && m.t < text.len && pattern.ptr[m.p] == text.ptr[m.t])
            m.p++, m.t++;
        else if (!go_back(&m))
            return false;
    }
}

static bool glob(gh_str pattern, gh_str text, bool are_paths)
{
    if (gh_str_eq(pattern, GH_STR("*")))
        return true;
    return pattern.len <= GH_CALL_NAME_MAX && text.len <= GH_CALL_NAME_MAX && match(pattern, text, are_paths);
}

bool gh_glob(gh_str pattern, gh_str text)
{
    return glob(pattern, text, false);
}

bool gh_glob_paths(gh_str pattern, gh_str text)
{
    return glob(pattern, text, true);
}
