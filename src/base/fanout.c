#include "base/fanout.h"

#include <assert.h>

static void
tell(struct fanout *f, bool is_late)
{
	if (f->is_told)
		return;
	f->is_told = true;
	agenda_clear(f->agenda, &f->patience);
	f->told(f, is_late);
}

static void
impatient(struct agenda_timer *t)
{
	tell(LIST_ENTRY(t, struct fanout, patience), true);
}

void
fanout_init(struct fanout *f, struct agenda *agenda, uint64_t until_us,
    void (*told)(struct fanout *f, bool is_late), void (*ended)(struct fanout *f))
{
	*f = (struct fanout){ .agenda = agenda, .left = 1, .told = told, .ended = ended };
	f->patience.expired = impatient;
	if (until_us != UINT64_MAX)
		agenda_set(agenda, &f->patience, until_us);
}

void
fanout_add(struct fanout *f)
{
	assert(f->left > 0);
	f->left++;
}

void
fanout_drop(struct fanout *f)
{
	assert(f->left > 0);
	if (--f->left > 0)
		return;
	tell(f, false);
	f->ended(f);
}

void
fanout_seal(struct fanout *f)
{
	fanout_drop(f);
}
