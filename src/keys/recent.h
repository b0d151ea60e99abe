/* keys/recent.h: what was asked lately in vain: a bounded set of hashes, each until its time. */
#ifndef GH_KEYS_RECENT_H
#define GH_KEYS_RECENT_H

#include "base/list.h"
#include "base/map.h"

#define GH_RECENT_KEY 36

struct gh_recent {
    struct gh_map map;
    struct gh_list order; /* oldest first */
    size_t max;
};

void gh_recent_init(struct gh_recent *recent, size_t max);
void gh_recent_done(struct gh_recent *recent);
/* The slot and the SHA-256 of the text. False when the library fails. */
bool gh_recent_key(uint32_t slot, gh_str text, unsigned char ret_key[GH_RECENT_KEY]) GH_MUST_USE;
/* When it is full the oldest goes; without memory nothing is remembered. */
void gh_recent_add(struct gh_recent *recent, const unsigned char key[GH_RECENT_KEY], int64_t until_ms);
bool gh_recent_has(struct gh_recent *recent, const unsigned char key[GH_RECENT_KEY], int64_t now_ms);

#endif
