#include "driver/question.h"

#include <stdlib.h>

#include "driver/call.h"

void *
question_new(size_t bytes, void (*done)(struct question *a), void *user)
{
	struct question *a = call_alloc(bytes);

	a->done = done;
	a->user = user;
	return a;
}

void
question_done(void *owner, struct mail *m)
{
	struct question *a = LIST_ENTRY(m, struct question, mail);

	(void)owner; /* the driver */
	a->done(a);
}

/* It holds nothing but itself, and its mail is its beginning. */
void
question_drop_plain(struct mail *m)
{
	free(m);
}

/* A note needs no answer but that it is back. */
void
question_refuse_note(struct mail *m)
{
	(void)m;
}
