/* conf/rows.h: what a row of the settings tables is; rows drive reading, defaults, documentation and the
 * editor schema. */
#ifndef GH_CONF_ROWS_H
#define GH_CONF_ROWS_H

#include "conf/errors.h"

enum gh_row_type {
    GH_ROW_INT,      /* int64_t */
    GH_ROW_BOOL,     /* bool: true or false, nothing else */
    GH_ROW_MS,       /* int64_t, milliseconds: "500ms", "30s", "10m", "1h" */
    GH_ROW_SECONDS,  /* int64_t, seconds: the same notation, whole seconds */
    GH_ROW_SIZE,     /* int64_t, bytes: "512", "64KiB", "4MiB" */
    GH_ROW_TEXT,     /* gh_str */
    GH_ROW_TEXTS,    /* struct gh_strs */
    GH_ROW_URL,      /* gh_str: http or https, verbatim */
    GH_ROW_URLS,     /* struct gh_strs */
    GH_ROW_FILE,     /* gh_str: a path, relative to the settings file */
    GH_ROW_FILES,    /* struct gh_strs: paths */
    GH_ROW_OUTPUT,   /* gh_str: a path, or stdout, stderr */
    GH_ROW_PATH,     /* gh_str: a path where something may be made, relative to the settings file */
    GH_ROW_HEADER,   /* gh_str: the name of a header field, lower-cased */
    GH_ROW_HEADERS,  /* struct gh_strs */
    GH_ROW_SCOPES,   /* struct gh_strs: RFC 6749 section 3.3 scope tokens */
    GH_ROW_CHOICE,   /* an enum */
    GH_ROW_PROFILE,  /* gh_str: the name of a built-in profile; checked by the section */
    GH_ROW_ALGS,     /* gh_algs */
    GH_ROW_CIDRS,    /* struct gh_cidrs */
    GH_ROW_RULES,    /* struct gh_claim_rules: claim -> value or list of values */
    GH_ROW_CALLS,    /* struct gh_claim_rules: name of what is called -> scopes */
    GH_ROW_VALUES,   /* struct gh_settings_values: texts, numbers, true, false, null, as JSON has them */
    GH_ROW_NUMBER,   /* struct gh_rpc_value: a number of at most 15 digits; ABSENT: none */
    GH_ROW_SECTION,  /* the struct of row->section, in place */
    GH_ROW_SECTIONS, /* struct gh_elements: a list of sections */
    GH_ROW_NAMED     /* struct gh_elements: a map from a name to a section */
};

#define GH_ROW_REQUIRED 1u   /* must be written wherever its section is */
#define GH_ROW_SECRET   2u   /* a file nobody else may read */
#define GH_ROW_NULL     4u   /* an entry may be null: the empty text */
#define GH_ROW_ONE      8u   /* a list of one may be written without the brackets */
#define GH_ROW_LOWER    16u  /* compared without case: lower-cased here */
#define GH_ROW_OFF      32u  /* "off" is a further value: the empty text, or 0 */
#define GH_ROW_LABEL    64u  /* becomes a metric label: gh_label_is_legal */
#define GH_ROW_SITE     128u /* its values belong to the site, not to the process */
#define GH_ROW_POINTERS 256u /* the names of a GH_ROW_NAMED are JSON pointers */

struct gh_choice {
    const char *text;
    int value;
};

struct gh_row {
    const char *key;
    enum gh_row_type type;
    size_t offset;                   /* in the struct of the section */
    unsigned flags;                  /* GH_ROW_* */
    const char *fallback;            /* as it would be written; NULL: the struct keeps what it has */
    const char *unset;               /* for the documents: what it means to leave it out */
    int64_t min, max;                /* numbers, durations, sizes; lists: how many entries (max 0: any) */
    const struct gh_choice *choices; /* ends with text NULL */
    const struct gh_section *section;
    const char *doc;
};

struct gh_fill;

struct gh_section {
    const char *title;
    const char *doc;
    const struct gh_row *rows; /* ends with key NULL */
    size_t size;               /* of the struct */
    const char *scalar_key;    /* a lone scalar stands for { scalar_key: scalar }; may be NULL */
    /* Runs before the rows are read, to fill the struct with more than constants; may be NULL. */
    void (*prepare)(struct gh_fill *fill, const struct gh_node *node, void *base);
};

/* First member of every struct that is an entry of a list or map of sections. */
struct gh_element {
    const struct gh_node *node; /* for checks that report later */
    gh_str name;                /* GH_ROW_NAMED */
};

struct gh_elements {
    void *at;
    size_t count;
};

struct gh_settings_values {
    const struct gh_rpc_value *at;
    size_t count;
};

/* The node of the i-th entry of a list, or of the one entry written without brackets. */
const struct gh_node *gh_entry_node(const struct gh_node *list, size_t i);

/* What reading needs beside the teller. */
struct gh_fill {
    struct gh_teller *teller;
    struct gh_arena *arena;            /* values are copied to here */
    struct gh_arena *site_arena;       /* and those of GH_ROW_SITE to here */
    const struct gh_conf_file **files; /* the list of files that were named */
};

/* Reads `node` (NULL: nothing was written) into the struct at `base`, cleared by the caller. All faults are
 * told; the struct is then not to be used. */
void gh_fill_section(struct gh_fill *fill, const struct gh_section *section, const struct gh_node *node,
                     void *base);
/* One row whose value is `node`; values.c. */
void gh_fill_value(struct gh_fill *fill, const struct gh_row *row, const struct gh_node *node, void *at);
/* Used by values.c and rows.c: copies into the arena, or notes that memory ran out. */
gh_str gh_fill_copy(struct gh_fill *fill, gh_str text);
void *gh_fill_alloc(struct gh_fill *fill, size_t count, size_t size);
/* At most 64 letters, digits, '-', '_', '.': names become metric labels and parts of principal keys. */
bool gh_label_is_legal(gh_str name);
/* "a, b, c" of all choices. */
gh_str gh_row_choices_text(struct gh_arena *arena, const struct gh_choice *choices);
/* What may be written there, in words: "a duration from 1s to 1h, such as 30s". */
gh_str gh_row_allowed(struct gh_arena *arena, const struct gh_row *row);

/* The whole tree; schema.c. */
extern const struct gh_section gh_settings_section;

#endif
