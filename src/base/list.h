/* base/list.h: an intrusive doubly linked list; an unlinked node points at itself. */
#ifndef GH_BASE_LIST_H
#define GH_BASE_LIST_H

#include "gatehouse/types.h"

struct gh_list {
    struct gh_list *next, *prev;
};

#define GH_LIST_ENTRY(node, type, member) ((type *)(void *)((char *)(node)-offsetof(type, member)))
#define GH_LIST_EACH(node, head)          for (struct gh_list *node = (head)->next; node != (head); node = node->next)
/* The node may be removed (and freed) inside the loop. */
#define GH_LIST_EACH_SAFE(node, head)                                                                        \
    for (struct gh_list *node = (head)->next, *node##_next = node->next; node != (head);                     \
         node = node##_next, node##_next = node->next)

static inline void gh_list_init(struct gh_list *node)
{
    node->next = node->prev = node;
}
static inline bool gh_list_is_empty(const struct gh_list *head)
{
    return head->next == head;
}
static inline bool gh_list_is_linked(const struct gh_list *node)
{
    return node->next != node;
}
static inline void gh_list_remove(struct gh_list *node)
{
    node->prev->next = node->next;
    node->next->prev = node->prev;
    gh_list_init(node);
}
static inline void gh_list_append(struct gh_list *head, struct gh_list *node)
{
    node->prev = head->prev;
    node->next = head;
    head->prev->next = node;
    head->prev = node;
}
static inline void gh_list_prepend(struct gh_list *head, struct gh_list *node)
{
    gh_list_append(head->next, node);
}
static inline struct gh_list *gh_list_first(struct gh_list *head)
{
    return head->next == head ? NULL : head->next;
}
static inline struct gh_list *gh_list_last(struct gh_list *head)
{
    return head->prev == head ? NULL : head->prev;
}

#endif
