#include "driver/process/known.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/cut.h"
#include "driver/call.h"
#include "driver/iscsi/wanted_find.h"
#include "driver/iscsial/tree.h"
#include "export/holding.h"
#include "export/ublk.h"
#include "sys/log.h"

#define PAUSE_FIRST_US 250000u
#define PAUSE_LAST_US  60000000u

struct known {
	struct driver *d;
	struct agenda_timer again;
	uint64_t pause_us;
	bool is_whole;                  /* which sessions there are is known */
	char told[FAULT_MESSAGE_BYTES]; /* why not, as it was told last */
};

/* ---- what was left of those that are no more ---- */

static bool
is_socket_known(uint32_t session, const char *name, void *user)
{
	const struct driver *d = user;
	const struct node *n = tree_find_name(d->tree, name);

	return wanted_find(d, session) != NULL && n != NULL &&
	       n->path.part[HWPATH_AT_SESSION - 1] == session;
}

static void
forgotten(void *user)
{
	struct driver *d = user;

	d->loop_jobs--;
}

/* ublk devices of sessions that are no more. */
static void
drop_ublks(struct driver *d)
{
	char dir[PATH_MAX];
	size_t n;
	uint32_t *left = ublk_left_sessions(d->paths.ublks, &n);

	for (size_t i = 0; i < n; i++) {
		if (wanted_find(d, left[i]) != NULL)
			continue;
		log_warn("session %u is not there any more: its ublk devices end", left[i]);
		(void)snprintf(
		    dir, sizeof dir, "%s/%u", d->paths.ublks, left[i]); /* paths_init() */
		d->loop_jobs += ublk_forget(d->loop, dir, forgotten, d);
	}
	free(left);
}

static void
drop_unknown(struct driver *d)
{
	struct holding *h = d->disks_cfg.holding;
	const uint32_t *left;
	size_t n;

	drop_ublks(d);
	if (h == NULL)
		return;
	left = holding_left(h, &n);
	for (size_t i = 0; i < n; i++)
		if (wanted_find(d, left[i]) == NULL) {
			log_warn("session %u is not there any more: its disks end", left[i]);
			holding_drop(h, left[i]);
		}
	holding_keep_sockets(h, is_socket_known, d);
}

/* ---- those that are ---- */

/* The same reason again is no news. */
static void
tell(struct known *k, const char *target, const char *why)
{
	char text[FAULT_MESSAGE_BYTES];

	cut_copy(text, sizeof text, why);
	if (strcmp(text, k->told) == 0)
		return;
	cut_copy(k->told, sizeof k->told, text);
	log_err("%s: %s; it is tried again", target, why);
}

/* False: not yet. */
static bool
open_one(struct known *k, const char *target, const struct registry_address *a)
{
	struct fault why = { 0 };
	struct wanted *w = wanted_find_address(k->d, target, a);
	bool is_new = w == NULL;

	if (is_new)
		w = wanted_get(k->d, target, a, &why);
	if (w == NULL) {
		tell(k, target, why.message);
		k->is_whole = false;
		return false;
	}
	if (!is_new && !w->is_owed)
		return true;
	wanted_open(w, false, NULL, NULL); /* it logs how that goes */
	w->is_owed = !w->has_nexus && w->closing == 0;
	return !w->is_owed;
}

static bool
open_all(struct known *k)
{
	struct registry_target *list = NULL;
	bool is_done = true, was_whole = k->is_whole;
	size_t n = 0;

	if (registry_target_list(k->d->reg, NULL, &list, &n) != 0) {
		tell(k, "known targets", registry_error(k->d->reg)->message);
		return false;
	}
	k->is_whole = true;
	for (size_t i = 0; i < n; i++)
		for (size_t j = 0; j < list[i].n_addresses; j++)
			is_done &= open_one(k, list[i].name, &list[i].addresses[j].a);
	registry_targets_free(list, n);
	if (k->is_whole && !was_whole)
		drop_unknown(k->d);
	return is_done;
}

static void
try_now(struct agenda_timer *t)
{
	struct known *k = LIST_ENTRY(t, struct known, again);
	struct loop *loop = k->d->loop;

	if (k->d->is_stopping || open_all(k))
		return;
	agenda_set(loop_agenda(loop), &k->again, loop_now_update(loop) + k->pause_us);
	k->pause_us = 2 * k->pause_us < PAUSE_LAST_US ? 2 * k->pause_us : PAUSE_LAST_US;
}

struct known *
known_open(struct driver *d)
{
	struct known *k = call_alloc(sizeof *k);

	k->d = d;
	k->again.expired = try_now;
	k->pause_us = PAUSE_FIRST_US;
	try_now(&k->again);
	return k;
}

void
known_free(struct known *k)
{
	if (k == NULL)
		return;
	agenda_clear(loop_agenda(k->d->loop), &k->again);
	free(k);
}
