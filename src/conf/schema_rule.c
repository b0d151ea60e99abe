/* conf/schema_rule.c: the rows of one of a route's `rules`, and of `param_headers`. */
#include "conf/settings.h"

#define AT(field)    offsetof(struct gh_settings_rule, field)
#define CLAIM(field) AT(claims.field)
#define ARG(field)   offsetof(struct gh_settings_argument, field)

static const struct gh_choice effects[] = { { "allow", GH_EFFECT_ALLOW },
                                            { "deny", GH_EFFECT_DENY },
                                            { NULL, 0 } };

static const struct gh_row claim_rows[] = {
    { "issuers", GH_ROW_TEXTS, CLAIM(issuers), GH_ROW_ONE, .min = 1, .max = 64, .unset = "any",
      .doc = "Names of issuers of these settings." },
    { "users", GH_ROW_TEXTS, CLAIM(users), GH_ROW_ONE, .min = 1, .max = 4096, .unset = "any",
      .doc = "Subjects, as the audit log has them." },
    { "clients", GH_ROW_TEXTS, CLAIM(clients), GH_ROW_ONE, .min = 1, .max = 4096, .unset = "any",
      .doc = "Client ids." },
    { "agents", GH_ROW_TEXTS, CLAIM(agents), GH_ROW_ONE, .min = 1, .max = 4096, .unset = "any, or none",
      .doc = "Subjects of the agent that acts for the user (`act`)." },
    { "groups", GH_ROW_TEXTS, CLAIM(groups), GH_ROW_ONE, .min = 1, .max = 4096, .unset = "any",
      .doc =
          "The user is in one of them. Unknown where the token leaves them out because they are too many." },
    { "roles", GH_ROW_TEXTS, CLAIM(roles), GH_ROW_ONE, .min = 1, .max = 4096, .unset = "any",
      .doc = "The user has one of them; where they stand is for `role_claims` of the issuer." },
    { "tenants", GH_ROW_TEXTS, CLAIM(tenants), GH_ROW_ONE, .min = 1, .max = 4096, .unset = "any",
      .doc = "Values of the issuer's tenant claim." },
    { "acr", GH_ROW_TEXTS, CLAIM(acr), GH_ROW_ONE, .min = 1, .max = 64, .unset = "any",
      .doc = "How the user signed in (RFC 9470). Unknown without the claim." },
    { "max_auth_age", GH_ROW_SECONDS, CLAIM(auth_age_s), .min = 1, .max = 31536000, .unset = "any",
      .doc = "How long ago the user signed in, by `auth_time`. Unknown without the claim." },
    { .key = NULL }
};
static const struct gh_section claim_section = {
    .title = "routes[].rules[].claims",
    .doc = "Who calls: all that is written must hold, and of each list one entry.",
    .rows = claim_rows,
};

static const struct gh_row argument_rows[] = {
    { "equals", GH_ROW_VALUES, ARG(equals), .unset = "any",
      .doc = "The value, or one of a list. In quotes it is a text: `\"5\"` is not `5`. With a `/` in it, "
             "unknown where `pattern` would be." },
    { "pattern", GH_ROW_TEXTS, ARG(patterns), GH_ROW_ONE, .min = 1, .max = 256, .unset = "any",
      .doc = "For texts: `*` stands for any run of bytes but `/`, `**` for any run. Unknown for paths and "
             "addresses that are not in their one normal form, and where another spelling is meant." },
    { "min", GH_ROW_NUMBER, ARG(min), .unset = "any", .doc = "For numbers: at least so much." },
    { "max", GH_ROW_NUMBER, ARG(max), .unset = "any", .doc = "For numbers: at most so much." },
    { .key = NULL }
};
static const struct gh_section argument_section = {
    .title = "routes[].rules[].arguments.POINTER",
    .doc =
        "What one argument must be, named by a JSON pointer into `params.arguments` (RFC 6901): `/amount`, "
        "`/to/0/account`. All that is written must hold. An argument that is left out, is of another sort "
        "than the rule speaks of, or is a number of more than 15 digits, is unknown. A lone value stands "
        "for `{ equals: VALUE }`.",
    .rows = argument_rows,
    .size = sizeof(struct gh_settings_argument),
    .scalar_key = "equals",
};

static const struct gh_row rule_rows[] = {
    { "name", GH_ROW_TEXT, AT(name), GH_ROW_REQUIRED | GH_ROW_LABEL,
      .doc = "For the audit log, which names the rule that decided." },
    { "effect", GH_ROW_CHOICE, AT(effect), .fallback = "allow", .choices = effects,
      .doc = "`allow`: if the conditions are known to hold. `deny`: unless they are known not to hold." },
    { "tools", GH_ROW_TEXTS, AT(tools), GH_ROW_ONE, .min = 1, .max = 4096, .unset = "none",
      .doc = "Names of tools it is about; `*` stands for any run of bytes." },
    { "prompts", GH_ROW_TEXTS, AT(prompts), GH_ROW_ONE, .min = 1, .max = 4096, .unset = "none",
      .doc = "The same of prompts." },
    { "resources", GH_ROW_TEXTS, AT(resources), GH_ROW_ONE, .min = 1, .max = 4096, .unset = "none",
      .doc = "URIs of resources; `*` stands for any run of bytes but `/`, `**` for any run. On a route that "
             "tells some resources from others, URIs that are not in their one normal form (RFC 3986 "
             "section 6.2.2) are denied." },
    { "methods", GH_ROW_TEXTS, AT(methods), GH_ROW_ONE, .min = 1, .max = 4096, .unset = "none",
      .doc =
          "Methods, such as `logging/setLevel`, `tools/list` or one that MCP does not know; `*` stands for "
          "any run of bytes." },
    { "scopes", GH_ROW_SCOPES, AT(scopes), GH_ROW_ONE, .max = 64, .unset = "none",
      .doc = "What it needs beside the route's: who lacks one is told which (403, a step-up)." },
    { "claims", GH_ROW_SECTION, 0, .section = &claim_section, .unset = "of everybody", .doc = "Who calls." },
    { "arguments", GH_ROW_NAMED, AT(arguments), GH_ROW_POINTERS, .section = &argument_section, .min = 1,
      .max = 32, .unset = "any", .doc = "With which arguments: all that are written must hold." },
    { .key = NULL }
};
const struct gh_section gh_rule_section = {
    .title = "routes[].rules[]",
    .doc = "One rule for calls. Needs at least one of `tools`, `prompts`, `resources` and `methods`.",
    .rows = rule_rows,
    .size = sizeof(struct gh_settings_rule),
};

#define MIRROR(field) offsetof(struct gh_settings_mirror, field)

static const struct gh_row mirror_rows[] = {
    { "tool", GH_ROW_TEXT, MIRROR(tool), GH_ROW_REQUIRED, .doc = "Name of the tool." },
    { "header", GH_ROW_HEADER, MIRROR(header), GH_ROW_REQUIRED,
      .doc = "Its `x-mcp-header`: the field is `Mcp-Param-` and this." },
    { "argument", GH_ROW_TEXT, MIRROR(argument), GH_ROW_REQUIRED,
      .doc = "JSON pointer to the argument: `/region`." },
    { .key = NULL }
};
const struct gh_section gh_mirror_section = {
    .title = "routes[].param_headers[]",
    .doc = "An argument that its tool's `inputSchema` marks with `x-mcp-header`.",
    .rows = mirror_rows,
    .size = sizeof(struct gh_settings_mirror),
};
