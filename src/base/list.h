/*
 * Intrusive doubly linked list.  A head is a node that points at itself; a
 * node that is on no list points at itself too, so that removing it twice does
 * no harm.
 */
#ifndef BASE_LIST_H
#define BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct list {
	struct list *next, *prev;
};

#define LIST_ENTRY(node, type, member) ((type *)(void *)((char *)(node)-offsetof(type, member)))

/* Walk; the body may remove the node it is at. */
#define LIST_EACH(node, tmp, head)                                                \
	for (struct list *node = (head)->next, *tmp = node->next; node != (head); \
	     node = tmp, tmp = node->next)

static inline void
list_init(struct list *l)
{
	l->next = l->prev = l;
}

static inline bool
list_empty(const struct list *l)
{
	return l->next == l;
}

static inline void
list_insert(struct list *prev, struct list *node)
{
	node->prev = prev;
	node->next = prev->next;
	prev->next->prev = node;
	prev->next = node;
}

static inline void
list_push_back(struct list *head, struct list *node)
{
	list_insert(head->prev, node);
}

static inline void
list_push_front(struct list *head, struct list *node)
{
	list_insert(head, node);
}

static inline void
list_remove(struct list *node)
{
	node->prev->next = node->next;
	node->next->prev = node->prev;
	list_init(node);
}

/* The first node, taken off, or NULL. */
static inline struct list *
list_pop(struct list *head)
{
	struct list *node = head->next;

	if (node == head)
		return NULL;
	list_remove(node);
	return node;
}

/* Move all of `from` to the front of `head`; `from` is empty afterwards. */
static inline void
list_splice_front(struct list *head, struct list *from)
{
	if (list_empty(from))
		return;
	from->prev->next = head->next;
	head->next->prev = from->prev;
	head->next = from->next;
	from->next->prev = head;
	list_init(from);
}

#endif
