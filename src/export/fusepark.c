/*
 * Requests for a device that was taken over with its connection and is not
 * there yet.  They wait as they were received, outside of the pool's ops, so
 * those are for the other devices; and are dealt with as if they had just
 * been received when it is there, or when nobody waits for it any more.
 *
 * How many there may be is limited.  One for which there is no room stays in
 * ex->rx, and nothing more is received until a device comes: only then do
 * others of the mount wait for this one, too.
 */
#include <sys/epoll.h>

#include <assert.h>
#include <linux/fuse.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "export/fuseint.h"

struct parked {
	struct list link;       /* of ex->parked, or, not waiting any more, of ex->unparked */
	struct fuse_node *node; /* valid while waiting */
	unsigned record;
	size_t bytes;
	uint8_t request[];
};

static struct fuse_node *
by_name(const struct export *ex, const char *name)
{
	for (unsigned i = 0; i < ex->node_slots; i++) {
		struct fuse_node *node = ex->nodes[i];

		if (node != NULL && node->is_awaited && strcmp(node->name, name) == 0)
			return node;
	}
	return NULL;
}

struct fuse_node *
fusepark_awaited(const struct export *ex, const char *name)
{
	return ex->awaited > 0 ? by_name(ex, name) : NULL;
}

/* Whom the request has to wait for, or NULL.  What says that somebody lets go waits for nobody. */
static struct fuse_node *
waits_for(const struct export *ex, const uint8_t *request, size_t bytes)
{
	struct fuse_in_header in;
	struct fuse_node *node;

	if (bytes < sizeof in)
		return NULL;
	memcpy(&in, request, sizeof in);
	switch (in.opcode) {
	case FUSE_FORGET:
	case FUSE_BATCH_FORGET:
	case FUSE_INTERRUPT:
	case FUSE_FLUSH:
	case FUSE_RELEASE:
		return NULL;
	case FUSE_LOOKUP:
		if (in.nodeid != FUSE_ROOT_ID || request[bytes - 1] != '\0')
			return NULL;
		node = by_name(ex, (const char *)request + sizeof in);
		break;
	default:
		node = fuse_node_by_ino(ex, in.nodeid);
		break;
	}
	return node != NULL && node->is_awaited && !node->is_overdue ? node : NULL;
}

static bool
put(struct export *ex, struct fuse_node *node, const uint8_t *request, size_t bytes,
    unsigned record)
{
	struct parked *p;

	if (ex->parked_count >= LIMIT_FUSE_PARKED || !fusepool_park(ex->pool, bytes))
		return false;
	p = malloc(sizeof *p + bytes);
	if (p == NULL) {
		fusepool_unpark(ex->pool, bytes);
		return false;
	}
	p->node = node;
	p->record = record;
	p->bytes = bytes;
	memcpy(p->request, request, bytes);
	list_push_back(&ex->parked, &p->link);
	ex->parked_count++;
	return true;
}

enum fusepark
fusepark(struct export *ex, const uint8_t *request, size_t bytes, unsigned record)
{
	struct fuse_node *node = ex->awaited > 0 ? waits_for(ex, request, bytes) : NULL;

	if (node == NULL)
		return FUSEPARK_GO;
	return put(ex, node, request, bytes, record) ? FUSEPARK_WAITS : FUSEPARK_FULL;
}

static void
drop(struct export *ex, struct parked *p)
{
	list_remove(&p->link);
	fusepool_unpark(ex->pool, p->bytes);
	ex->parked_count--;
	free(p);
}

size_t
fusepark_take(struct export *ex, uint8_t *request, unsigned *ret_record)
{
	struct parked *p;
	size_t bytes;

	if (list_empty(&ex->unparked))
		return 0;
	p = LIST_ENTRY(ex->unparked.next, struct parked, link);
	bytes = p->bytes;
	memcpy(request, p->request, bytes);
	*ret_record = p->record;
	drop(ex, p);
	return bytes;
}

void
fusepark_go_on(struct export *ex)
{
	if (ex->parked_count > 0 && !list_empty(&ex->unparked))
		agenda_defer(loop_agenda(ex->loop), &ex->play);
}

/* What waits for it is dealt with now. */
static void
let_go(struct export *ex, const struct fuse_node *node)
{
	LIST_EACH(n, tmp, &ex->parked)
	{
		if (LIST_ENTRY(n, struct parked, link)->node != node)
			continue;
		list_remove(n);
		list_push_back(&ex->unparked, n);
	}
	/* It may be ex->rx that waits for this one, or for room. */
	agenda_defer(loop_agenda(ex->loop), &ex->play);
}

void
fusepark_resolved(struct export *ex, struct fuse_node *node)
{
	assert(node->is_awaited && ex->awaited > 0);
	node->is_awaited = node->is_overdue = false;
	ex->awaited--;
	let_go(ex, node);
}

void
fusepark_overdue(struct export *ex, struct fuse_node *node)
{
	assert(node->is_awaited);
	node->is_overdue = true;
	let_go(ex, node);
}

static void
refuse(const struct export *ex, const uint8_t *request, int err)
{
	struct fuse_in_header in;
	struct fuse_out_header out = { .len = sizeof out, .error = -err };

	memcpy(&in, request, sizeof in);
	out.unique = in.unique;
	(void)!write(ex->fd.fd, &out, sizeof out); /* where it fails nobody is left to be told */
}

static void
refuse_list(struct export *ex, struct list *head, int err)
{
	LIST_EACH(n, tmp, head)
	{
		struct parked *p = LIST_ENTRY(n, struct parked, link);

		refuse(ex, p->request, err);
		fusestate_done(ex->state, p->record);
		drop(ex, p);
	}
}

void
fusepark_abandon(struct export *ex, int err)
{
	struct fuse_op *op = ex->rx;

	agenda_cancel(&ex->play);
	refuse_list(ex, &ex->parked, err);
	refuse_list(ex, &ex->unparked, err);
	if (ex->rx_bytes == 0)
		return;
	refuse(ex, op->mem + FUSE_ROOM, err);
	fusestate_done(ex->state, op->record);
	ex->rx_bytes = 0;
	ex->rx = NULL;
	fusepool_put(op);
}
