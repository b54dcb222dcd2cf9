#include "iscsi_holderd/store.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void
close_item(struct store_item *i)
{
	for (int k = 0; k < HELD_FDS; k++)
		close(i->fds[k]);
}

static struct store_item *
find(const struct store *s, uint32_t key)
{
	for (size_t i = 0; i < s->n; i++)
		if (s->items[i].key == key)
			return &s->items[i];
	return NULL;
}

/* Room for one more, at the end. */
static struct store_item *
grow(struct store *s)
{
	size_t room = s->room > 0 ? 2 * s->room : 16;
	struct store_item *more;

	if (s->n == STORE_ITEMS)
		return NULL;
	if (s->n == s->room) {
		more = reallocarray(s->items, room, sizeof *more);
		if (more == NULL)
			return NULL;
		s->items = more;
		s->room = room;
	}
	return &s->items[s->n++];
}

bool
store_put(struct store *s, uint32_t key, uint64_t life, const int fds[HELD_FDS])
{
	struct store_item *i = find(s, key);

	if (i != NULL)
		close_item(i);
	else
		i = grow(s);
	if (i == NULL)
		return false;
	i->key = key;
	i->life = life;
	memcpy(i->fds, fds, sizeof i->fds);
	return true;
}

void
store_drop(struct store *s, uint32_t key)
{
	struct store_item *i = find(s, key);

	if (i == NULL)
		return;
	close_item(i);
	*i = s->items[--s->n];
}

void
store_forget(struct store *s, uint64_t life)
{
	for (size_t i = s->n; i-- > 0;)
		if (s->items[i].life != life)
			store_drop(s, s->items[i].key);
}

void
store_fini(struct store *s)
{
	while (s->n > 0)
		store_drop(s, s->items[0].key);
	free(s->items);
	*s = (struct store){ 0 };
}
