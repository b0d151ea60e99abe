/* core/http/ipv6.h: the text of an IPv6 address, one spelling per address. */
#ifndef GH_CORE_HTTP_IPV6_H
#define GH_CORE_HTTP_IPV6_H

#include "gatehouse/types.h"

#define GH_IPV6_TEXT_MAX 40u

/* Dotted quad without leading zeros: "127.0.0.1", nothing shorter. */
bool gh_ipv4_is_legal(gh_str text);
/* Writes the form of RFC 5952 section 4 and returns its length; 0 when `text` is no address of RFC
 * 4291 section 2.2. Zones are refused. */
size_t gh_ipv6_normalise(gh_str text, char ret_text[GH_IPV6_TEXT_MAX]);

#endif
