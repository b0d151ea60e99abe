/* core/rpc/text.h: a JSON text that is read from its first byte to its last. */
#ifndef GH_CORE_RPC_TEXT_H
#define GH_CORE_RPC_TEXT_H

#include "core/rpc/parts.h"

struct gh_rpc_text {
    const char *at, *end;
};

static inline void gh_rpc_space(struct gh_rpc_text *text)
{
    while (text->at < text->end &&
           (*text->at == ' ' || *text->at == '\t' || *text->at == '\n' || *text->at == '\r'))
        text->at++;
}

static inline bool gh_rpc_take(struct gh_rpc_text *text, char c)
{
    if (text->at == text->end || *text->at != c)
        return false;
    text->at++;
    return true;
}

/* False: it is none. Behind the opening quote; at the first byte of a value, which is there. */
GH_MUST_USE bool gh_rpc_string(struct gh_rpc_text *text, struct gh_rpc_part *part);
GH_MUST_USE bool gh_rpc_scalar(struct gh_rpc_text *text, struct gh_rpc_part *part);

#endif
