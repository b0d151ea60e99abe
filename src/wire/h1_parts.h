/* wire/h1_parts.h: what the files of the HTTP/1.1 reader share: lines, their fields, and the head made of
 * them. */
#ifndef GH_WIRE_H1_PARTS_H
#define GH_WIRE_H1_PARTS_H

#include "wire/h1.h"

/* A field as offsets into the run of lines, since those bytes may still move. */
struct gh_h1_span {
    uint32_t name, name_len, value, value_len;
};

/* The start line: method and target, or status. */
struct gh_h1_start {
    uint32_t method_len, target, target_len;
    uint32_t method; /* offset */
    int status, minor_version;
};

/* What gh_h1_lines_read found so far in this call. */
struct gh_h1_found {
    struct gh_h1_start start;
    struct gh_h1_span spans[GH_H1_FIELDS_MAX];
};

/* Goes on at `lines` over all bytes of the run. GH_H1_NEED_MORE, GH_H1_HEAD when the empty line is behind
 * lines->at, or GH_H1_ERROR. Fields of lines that an earlier call went over are not in `found`. */
enum gh_h1_event gh_h1_lines_read(enum gh_h1_side side, const struct gh_h1_limits *limits, gh_str bytes,
                                  struct gh_h1_lines *lines, struct gh_h1_found *found,
                                  enum gh_reason *ret_reason);
/* RFC 9110 section 5.5, of a request without 8-bit bytes. */
bool gh_h1_value_is_legal(enum gh_h1_side side, gh_str value);
/* May `trailer` stand behind a body at all? Fields that would frame, route or steer may not. */
bool gh_h1_trailer_is_legal(gh_str name);
/* RFC 9110 section 5.6.2: the character in lower case, or 0 when it is no tchar. */
extern const unsigned char gh_h1_tchars[256];

/* Copies the head into the arena and draws from it what decides framing. */
GH_MUST_USE enum gh_reason gh_h1_head_make(enum gh_h1_side side, struct gh_arena *arena, gh_str bytes,
                                           const struct gh_h1_lines *lines, const struct gh_h1_found *found,
                                           struct gh_h1_head *ret_head);

#endif
