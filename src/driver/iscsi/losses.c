#include "driver/iscsi/losses.h"

#include <stdlib.h>
#include <string.h>

#include "driver/call.h"

struct losses {
	size_t n;
	struct row {
		char *target;
		struct heard heard;
	} * row[LIMIT_LOSSES];
	struct heard others; /* of targets that there is no row for */
};

struct losses *
losses_new(void)
{
	return call_alloc(sizeof(struct losses));
}

void
losses_free(struct losses *l)
{
	for (size_t i = 0; l != NULL && i < l->n; i++) {
		free(l->row[i]->target);
		free(l->row[i]);
	}
	free(l);
}

static struct row *
find(const struct losses *l, const char *target)
{
	for (size_t i = 0; i < l->n; i++)
		if (strcmp(l->row[i]->target, target) == 0)
			return l->row[i];
	return NULL;
}

static struct row *
add(struct losses *l, const char *target)
{
	struct row *r = call_alloc(sizeof *r);

	r->target = call_strdup(target);
	l->row[l->n++] = r;
	return r;
}

void
losses_keep(struct losses *l, const char *target, const struct heard *h)
{
	struct row *r = find(l, target);

	if (r == NULL && l->n < LIMIT_LOSSES)
		r = add(l, target);
	heard_merge(r != NULL ? &r->heard : &l->others, h);
}

const struct heard *
losses_find(const struct losses *l, const char *target)
{
	const struct row *r = find(l, target);

	if (r != NULL)
		return &r->heard;
	return l->others.n > 0 ? &l->others : NULL;
}
