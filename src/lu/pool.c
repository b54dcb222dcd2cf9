#include "driver/iscsial/iopool.h"

#include <assert.h>
#include <stdlib.h>

#include "driver/iscsial/disk_impl.h"

struct iopool {
	struct list free, waiting; /* io.link, disk.pool_link */
	unsigned slots, used;
	struct io io[];
};

struct iopool *
iopool_new(unsigned slots)
{
	struct iopool *p = calloc(1, sizeof *p + slots * sizeof p->io[0]);

	if (p == NULL)
		return NULL;
	list_init(&p->free);
	list_init(&p->waiting);
	p->slots = slots;
	for (unsigned i = 0; i < slots; i++)
		list_push_back(&p->free, &p->io[i].link);
	return p;
}

void
iopool_free(struct iopool *p)
{
	assert(p == NULL || (p->used == 0 && list_empty(&p->waiting)));
	free(p);
}

struct io *
iopool_get(struct iopool *p, struct disk *d)
{
	struct list *node = list_pop(&p->free);

	if (node == NULL) {
		if (list_empty(&d->pool_link))
			list_push_back(&p->waiting, &d->pool_link);
		return NULL;
	}
	p->used++;
	return LIST_ENTRY(node, struct io, link);
}

void
iopool_put(struct iopool *p, struct io *io)
{
	struct list *node;

	p->used--;
	/* The slot used last is the one still in the processor's cache. */
	list_push_front(&p->free, &io->link);
	/* A disk that cannot use it now (it is being looked at) leaves it to the next. */
	while (!list_empty(&p->free) && (node = list_pop(&p->waiting)) != NULL)
		disk_slot_free(LIST_ENTRY(node, struct disk, pool_link));
}

void
iopool_forget(struct iopool *p, struct disk *d)
{
	(void)p;
	list_remove(&d->pool_link);
}
