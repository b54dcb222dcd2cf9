#include "core/spare.h"

#include <stdlib.h>

/* More are needed at once only where sockets are full. */
#define SPARE_ROOMS 4

struct spare {
	unsigned n;
	struct room *room[SPARE_ROOMS];
};

struct spare *
spare_new(void)
{
	return calloc(1, sizeof(struct spare));
}

void
spare_free(struct spare *s)
{
	for (unsigned i = 0; s != NULL && i < s->n; i++)
		free(s->room[i]);
	free(s);
}

struct room *
room_get(struct spare *s)
{
	struct room *r = s != NULL && s->n > 0 ? s->room[--s->n] : malloc(sizeof *r);

	if (r != NULL)
		r->arena_used = r->iov_first = r->iov_end = 0;
	return r;
}

void
room_put(struct spare *s, struct room *r)
{
	if (r == NULL)
		return;
	if (s != NULL && s->n < SPARE_ROOMS)
		s->room[s->n++] = r;
	else
		free(r);
}
