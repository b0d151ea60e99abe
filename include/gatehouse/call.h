/* include/gatehouse/call.h: rules for calls: who may call what, with which scopes and arguments. They are
 * plain data, made with the settings; every question ends, and none allocates. */
#ifndef GATEHOUSE_CALL_H
#define GATEHOUSE_CALL_H

#include "gatehouse/rpc.h"
#include "gatehouse/token.h"

/* ---- conditions: each is true, false, or unknown: the token or the call does not say, or not clearly ----
 */

enum gh_truth { GH_FALSE, GH_UNKNOWN, GH_TRUE };

/* Of the principal. All that are written must hold; a list holds when one of its entries does. */
struct gh_claim_tests {
    struct gh_strs issuers; /* names in the settings */
    struct gh_strs users;   /* subjects */
    struct gh_strs clients;
    struct gh_strs agents; /* the outermost actor's subject */
    struct gh_strs groups, roles;
    struct gh_strs tenants; /* the issuer's tenant claim */
    struct gh_strs acr;
    int64_t auth_age_s; /* how long ago the user signed in, at most; 0: any time */
};

/* Of one argument. All that are written must hold. */
struct gh_argument_test {
    size_t value;                      /* which of gh_rpc_message.values */
    const struct gh_rpc_value *one_of; /* strings, numbers, true, false, null */
    size_t one_of_count;
    struct gh_strs patterns; /* of strings; one must match, as gh_glob_paths does */
    bool has_min, has_max;
    double min, max;
};
/* A number of at most 15 significant digits, which every reader reads as the same one. false: it has more, or
 * is beyond the range of a double. */
bool gh_number_read(gh_str text, double *ret_number);

/* ---- rules ---- */

struct gh_call_rule {
    gh_str name; /* for the audit log */
    bool
        denies; /* unless its conditions are known to be false; else it allows if they are known to be true */
    struct gh_strs scopes;
    const struct gh_claim_tests *claims; /* NULL: of everybody */
    const struct gh_argument_test *arguments;
    size_t argument_count;
};

/* A rule with one of the names that it is about. */
struct gh_call_target {
    gh_str name; /* with stars: a pattern */
    const struct gh_call_rule *rule;
    unsigned order; /* the first rule that decides, decides */
    size_t fixed;   /* bytes before the first star */
};
struct gh_call_rules {
    bool is_set;                        /* false: all may be called */
    bool has_paths;                     /* of resources: some are told from others, so URIs must be plain */
    const struct gh_call_target *exact; /* sorted by name, then order */
    size_t exact_count;
    const struct gh_call_target *patterns; /* sorted by what stands before their first star, then order */
    size_t pattern_count;
};
/* Parts the targets, whose names, rules and orders are set, into exact ones and patterns, and sorts them in
 * place. */
void gh_call_rules_sort(struct gh_call_target *targets, size_t count, bool are_paths,
                        struct gh_call_rules *ret_rules);
/* Does the target decide about everything that `other`, a name or a pattern, is about? */
bool gh_call_target_covers(const struct gh_call_target *target, gh_str other, bool are_paths);

/* Names and patterns longer than this match nothing, and are denied where there are rules. */
#define GH_CALL_NAME_MAX 8192u

/* A star stands for any run of bytes; of paths: of bytes other than '/', and two stars for any run. "*" alone
 * matches everything. */
bool gh_glob(gh_str pattern, gh_str text);
bool gh_glob_paths(gh_str pattern, gh_str text);
/* Is a URI in its one normal form (RFC 3986 section 6.2.2, and what readers of URLs make equal besides)? Only
 * bytes that a URI may have, encoded where they must be and nowhere else; no ".", ".." and empty segments; no
 * fragment, user and empty query; the scheme in lower case. Of http, https, ws, wss and ftp: a path, a host
 * in lower case (an IPv4 address in four decimals, no IPv6 address), no default port. Of file: no host, no
 * query, no slash at the end. */
bool gh_uri_is_plain(gh_str uri);
/* The same of a text that may be a path: no ".", ".." and empty segments, backslashes, controls. One that
 * readers take for a URI must be plain as such, but may lack a path, and have a fragment, which is not in
 * *ret_path. */
bool gh_path_is_plain(gh_str text, gh_str *ret_path);

#endif
