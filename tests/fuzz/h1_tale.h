/* fuzz/h1_tale.h: what the HTTP/1.1 reader tells of some bytes, as text that two readings are compared by. */
#ifndef GH_FUZZ_H1_TALE_H
#define GH_FUZZ_H1_TALE_H

#include "fuzz/fuzz.h"
#include "wire/h1.h"

struct gh_fuzz_h1 {
    struct gh_arena *arena;
    enum gh_h1_side side;
    enum gh_method answered;                                             /* by responses */
    void (*head)(struct gh_arena *arena, const struct gh_h1_head *head); /* sees each; may be NULL */
};
/* Reads message after message, in pieces of `step` bytes. In the arena. */
gh_str gh_fuzz_h1_tale(const struct gh_fuzz_h1 *with, gh_str bytes, size_t step);
/* What was `written` of the head reads as that head again. Frees it. */
void gh_fuzz_h1_same(struct gh_arena *arena, const struct gh_h1_head *head, struct gh_buf *written);
struct gh_h1_body gh_fuzz_h1_body(const struct gh_h1_head *head);

#endif
