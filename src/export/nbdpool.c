/*
 * A connection has ops of its own, so one that does not read its answers has used up what is its
 * own and costs nobody else anything.  As in fusepool.c address space costs nothing, and
 * only what a request touches becomes resident.
 */
#include <sys/mman.h>

#include <assert.h>
#include <stdlib.h>

#include "export/nbdint.h"

static bool
make_op(struct nbd_conn *c)
{
	struct nbd_op *op = calloc(1, sizeof *op);

	if (op == NULL)
		return false;
	op->mem = mmap(NULL, NBD_MEM_BYTES, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (op->mem == MAP_FAILED) {
		free(op);
		return false;
	}
	/* A huge page would make all of it resident.  Where there are none, this fails and is not
	 * missed. */
	(void)madvise(op->mem, NBD_MEM_BYTES, MADV_NOHUGEPAGE);
	op->conn = c;
	list_push_front(&c->idle, &op->link);
	c->ops_made++;
	return true;
}

bool
nbdpool_init(struct nbd_conn *c)
{
	list_init(&c->idle);
	return make_op(c);
}

struct nbd_op *
nbdpool_get(struct nbd_conn *c, uint32_t bytes)
{
	struct nbd_op *op;

	if (c->carries > 0 && c->carries + bytes > LIMIT_NBD_CONN_BYTES)
		return NULL;
	if (list_empty(&c->idle) && (c->ops_made == LIMIT_NBD_CONN_OPS || !make_op(c)))
		return NULL;
	op = LIST_ENTRY(list_pop(&c->idle), struct nbd_op, link);
	c->ops++;
	op->carries = bytes;
	c->carries += bytes;
	if (bytes > op->touched) {
		c->touched += bytes - op->touched;
		op->touched = bytes;
	}
	op->error = NBD_OK;
	op->zeroed = 0;
	op->flushes = false;
	return op;
}

void
nbdpool_put(struct nbd_op *op)
{
	struct nbd_conn *c = op->conn;

	assert(c->ops > 0);
	c->ops--;
	c->carries -= op->carries;
	if (c->touched > LIMIT_NBD_CONN_BYTES &&
	    madvise(op->mem, NBD_MEM_BYTES, MADV_DONTNEED) == 0) {
		c->touched -= op->touched;
		op->touched = 0;
	}
	list_push_front(&c->idle, &op->link);
}

void
nbdpool_free(struct nbd_conn *c)
{
	struct list *node;

	assert(c->ops == 0);
	while ((node = list_pop(&c->idle)) != NULL) {
		struct nbd_op *op = LIST_ENTRY(node, struct nbd_op, link);

		(void)munmap(op->mem, NBD_MEM_BYTES); /* it is a mapping of ours */
		free(op);
	}
}
