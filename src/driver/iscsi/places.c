#include "driver/iscsi/places.h"

#include <stdlib.h>

#include "base/cut.h"
#include "driver/call.h"
#include "driver/iscsi/keeper.h"
#include "driver/iscsi/settings.h"
#include "sys/log.h"

bool
places_load(struct wanted *w, struct nexus_cfg *cfg, struct fault *ret_fault)
{
	struct registry_nexus *list;
	size_t n;

	if (registry_nexus_list(w->d->reg, w->target, w->instance, &list, &n) != 0) {
		settings_fault(w->d->reg, ret_fault);
		return false;
	}
	cfg->places = call_alloc((n + 1) * sizeof *cfg->places);
	cfg->n_places = n;
	w->has_left = false;
	for (size_t i = 0; i < n; i++) {
		struct fence_place *p = &cfg->places[i];

		cut_copy(p->name, sizeof p->name, list[i].name);
		p->tpgt = list[i].tpgt;
		p->retain_s = list[i].retain_s;
		w->has_left |= list[i].is_left;
	}
	free(list);
	return true;
}

static void
written(void *user, const struct fault *why)
{
	struct mail_places *m = user;

	if (why != NULL)
		log_err("where session %u is logged in is not written down: %s", m->instance,
		    why->message);
	mail_answer(&m->mail);
}

/*
 * What sessions left that are no more goes when one that began after them has waited for it, and
 * not before: others may begin yet.  As long as it waits it tells of a place without a tag.
 */
static bool
store(struct wanted *w, const struct registry_nexus *list, size_t n)
{
	bool has_waited = w->has_left;

	for (size_t i = 0; i < n; i++)
		has_waited &= list[i].tpgt >= 0;
	if (registry_nexus_set(w->d->reg, w->target, w->instance, list, n) != 0 ||
	    (has_waited && registry_nexus_clear(w->d->reg, w->target) != 0))
		return false;
	w->has_left &= !has_waited;
	return true;
}

void
wanted_take_places(void *owner, struct mail *mail)
{
	struct wanted *w = owner;
	struct mail_places *m = LIST_ENTRY(mail, struct mail_places, mail);
	struct registry_nexus list[SESSION_PLACES] = { 0 };
	struct fault why = { 0 };

	m->instance = w->instance;
	for (size_t i = 0; i < m->n; i++) {
		cut_copy(list[i].name, sizeof list[i].name, m->list[i].name);
		list[i].tpgt = m->list[i].tpgt;
		list[i].retain_s = m->list[i].retain_s;
	}
	if (!store(w, list, m->n)) {
		settings_fault(w->d->reg, &why);
		written(m, &why);
	} else if (!keeper_wait(w->d->keeper, written, m)) {
		written(m, NULL);
	}
}

void
places_forget(struct wanted *w)
{
	if (!store(w, NULL, 0))
		log_warn("where session %u was logged in is not forgotten: %s", w->instance,
		    registry_error(w->d->reg)->message);
}
