/* io/tls_names.c: which certificate serves which name, by the dNSNames of its SAN. */
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/str.h"
#include "io/tls_private.h"

static bool add_name(struct gh_tls_context *context, size_t pair, gh_str name);

enum gh_reason gh_tls_names_add(struct gh_tls_context *context, size_t pair, X509 *leaf)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(leaf, NID_subject_alt_name, NULL, NULL);
    enum gh_reason why = GH_OK;
    for (int i = 0; i < sk_GENERAL_NAME_num(names) && why == GH_OK; i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
        if (name->type != GEN_DNS)
            continue;
        gh_str text =
            gh_str_of(ASN1_STRING_get0_data(name->d.dNSName), (size_t)ASN1_STRING_length(name->d.dNSName));
        if (text.len != 0 && text.len <= SNI_MAX && !add_name(context, pair, text))
            why = GH_OUT_OF_MEMORY;
    }
    GENERAL_NAMES_free(names);
    return why;
}

/* The first pair that has a name keeps it. */
static bool add_name(struct gh_tls_context *context, size_t pair, gh_str name)
{
    struct gh_tls_name **entries =
        gh_realloc(context->entries, (context->entry_count + 1) * sizeof(struct gh_tls_name *));
    if (entries == NULL)
        return false;
    context->entries = entries;
    struct gh_tls_name *entry = gh_calloc(1, sizeof(*entry) + name.len);
    if (entry == NULL)
        return false;
    char *key = (char *)(entry + 1);
    for (size_t i = 0; i < name.len; i++)
        key[i] = (char)(name.ptr[i] >= 'A' && name.ptr[i] <= 'Z' ? name.ptr[i] | 0x20 : name.ptr[i]);
    entry->pair = pair;
    entry->node.key = gh_str_of(key, name.len);
    if (gh_map_find(&context->names, entry->node.key) != NULL) {
        free(entry);
        return true;
    }
    if (!gh_map_add(&context->names, &entry->node)) {
        free(entry);
        return false;
    }
    context->entries[context->entry_count++] = entry;
    return true;
}

/* RFC 9525 section 6.3: a wildcard stands for exactly one label, the left-most. */
size_t gh_tls_names_find(const struct gh_tls_context *context, gh_str name)
{
    char wild[SNI_MAX + 1];
    struct gh_map_node *node = gh_map_find(&context->names, name);
    size_t dot = gh_str_find(name, '.');
    if (node == NULL && dot > 0 && dot < name.len && name.len - dot < sizeof(wild)) {
        wild[0] = '*';
        memcpy(wild + 1, name.ptr + dot, name.len - dot);
        node = gh_map_find(&context->names, gh_str_of(wild, name.len - dot + 1));
    }
    return node != NULL ? GH_MAP_ENTRY(node, struct gh_tls_name, node)->pair : 0;
}

void gh_tls_names_done(struct gh_tls_context *context)
{
    for (size_t i = 0; i < context->entry_count; i++)
        free(context->entries[i]);
    free(context->entries);
    gh_map_done(&context->names);
}
