/* core/http/method.c: the request methods the gateway knows. */
#include "base/str.h"
#include "gatehouse/http.h"

static const gh_str names[GH_METHOD_COUNT] = {
    [GH_METHOD_GET] = GH_STR_INIT("GET"),         [GH_METHOD_HEAD] = GH_STR_INIT("HEAD"),
    [GH_METHOD_POST] = GH_STR_INIT("POST"),       [GH_METHOD_DELETE] = GH_STR_INIT("DELETE"),
    [GH_METHOD_OPTIONS] = GH_STR_INIT("OPTIONS"), [GH_METHOD_PUT] = GH_STR_INIT("PUT"),
    [GH_METHOD_PATCH] = GH_STR_INIT("PATCH"),
};

enum gh_reason gh_method_read(gh_str text, enum gh_method *ret_method)
{
    for (unsigned i = 0; i < (unsigned)GH_METHOD_COUNT; i++) {
        if (gh_str_eq(names[i], text)) {
            *ret_method = (enum gh_method)i;
            return GH_OK;
        }
    }
    return GH_HTTP_METHOD_UNKNOWN;
}

gh_str gh_method_text(enum gh_method method)
{
    return (unsigned)method < (unsigned)GH_METHOD_COUNT ? names[method] : GH_STR_NONE;
}
