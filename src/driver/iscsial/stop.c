#include "driver/iscsial/stop.h"

#include <stdlib.h>

#include "driver/call.h"
#include "driver/iscsial/scan.h"
#include "driver/iscsial/shutdown.h"
#include "sys/log.h"

/* How long an orderly stop may take before the driver ends all the same. */
#define STOP_US 20000000

struct stopping {
	struct driver *d;
	struct agenda_timer patience;
	unsigned left;
};

static void
impatient(struct agenda_timer *t)
{
	log_warn("some sessions could not be closed in order");
	loop_stop(LIST_ENTRY(t, struct stopping, patience)->d->loop);
}

static void
one_closed(void *user, struct driver *d, uint32_t instance, json_t *in_use)
{
	struct stopping *s = user;

	(void)instance;
	(void)in_use; /* it is forced */
	if (--s->left == 0)
		loop_stop(d->loop);
}

static void
none_open(void *user)
{
	struct stopping *s = user;

	one_closed(s, s->d, 0, NULL);
}

void
stop_begin(struct driver *d)
{
	struct stopping *s;

	if (d->is_stopping)
		return;
	d->is_stopping = true;
	log_note("logging out of everything");
	scan_stop(d);
	d->stopping = s = call_alloc(sizeof *s);
	s->d = d;
	s->left = 1;
	s->patience.expired = impatient;
	agenda_set(loop_agenda(d->loop), &s->patience, loop_now_update(d->loop) + STOP_US);
	LIST_EACH(node, tmp, &d->sessions)
	{
		struct wanted *w = LIST_ENTRY(node, struct wanted, link);

		if (!w->has_nexus)
			continue;
		s->left++;
		shutdown_session(w, true, one_closed, s);
	}
	call_post(d->loop, none_open, s);
}

bool
stop_end(struct driver *d)
{
	if (d->stopping != NULL)
		agenda_clear(loop_agenda(d->loop), &d->stopping->patience);
	free(d->stopping);
	d->stopping = NULL;
	LIST_EACH(node, tmp, &d->sessions)
	{
		struct wanted *w = LIST_ENTRY(node, struct wanted, link);

		if (!w->has_nexus && w->closing == 0)
			wanted_free(w);
	}
	return list_empty(&d->sessions);
}
