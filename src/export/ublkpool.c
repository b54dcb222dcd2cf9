/*
 * Ops of a session's devices, with memory for their data.  As in nbdpool.c address space costs
 * nothing, and only what a request touches becomes resident.
 */
#include <sys/mman.h>

#include <assert.h>
#include <stdlib.h>

#include "base/limits.h"
#include "export/ublkint.h"

static bool
make_op(struct export *ex)
{
	struct ublk_op *op = calloc(1, sizeof *op);

	if (op == NULL)
		return false;
	op->mem = mmap(NULL, LIMIT_UBLK_IO_BYTES, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (op->mem == MAP_FAILED) {
		free(op);
		return false;
	}
	/* A huge page would make all of it resident.  Where there are none, this fails and is not
	 * missed. */
	(void)madvise(op->mem, LIMIT_UBLK_IO_BYTES, MADV_NOHUGEPAGE);
	list_push_front(&ex->idle, &op->link);
	ex->ops_made++;
	return true;
}

struct ublk_op *
ublkpool_get(struct export *ex, size_t bytes)
{
	struct ublk_op *op;

	assert(bytes <= LIMIT_UBLK_IO_BYTES);
	if (ex->carries > 0 && ex->carries + bytes > LIMIT_UBLK_BYTES)
		return NULL;
	if (list_empty(&ex->idle) && (ex->ops_made == LIMIT_UBLK_OPS || !make_op(ex)))
		return NULL;
	op = LIST_ENTRY(list_pop(&ex->idle), struct ublk_op, link);
	ex->ops++;
	op->carries = bytes;
	ex->carries += bytes;
	if (bytes > op->touched) {
		ex->touched += bytes - op->touched;
		op->touched = bytes;
	}
	return op;
}

void
ublkpool_put(struct export *ex, struct ublk_op *op)
{
	assert(ex->ops > 0);
	ex->ops--;
	ex->carries -= op->carries;
	if (ex->touched > LIMIT_UBLK_BYTES &&
	    madvise(op->mem, LIMIT_UBLK_IO_BYTES, MADV_DONTNEED) == 0) {
		ex->touched -= op->touched;
		op->touched = 0;
	}
	list_push_front(&ex->idle, &op->link);
}

void
ublkpool_free(struct export *ex)
{
	struct list *node;

	assert(ex->ops == 0);
	while ((node = list_pop(&ex->idle)) != NULL) {
		struct ublk_op *op = LIST_ENTRY(node, struct ublk_op, link);

		(void)munmap(op->mem, LIMIT_UBLK_IO_BYTES); /* it is a mapping of ours */
		free(op);
	}
}
