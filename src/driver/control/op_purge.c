/*
 * discovery.remove with "targets": the discovery address goes, and every address
 * of a target that is known through it alone.  So many sessions are logged out
 * at once; what has no session is forgotten a few milliseconds a turn.
 */
#include "driver/control/op_purge.h"

#include <errno.h>
#include <stdlib.h>

#include "driver/control/control.h"
#include "driver/control/later.h"
#include "driver/iscsi/portal.h"
#include "driver/iscsi/settings.h"
#include "driver/iscsi/wanted.h"
#include "driver/iscsial/shutdown.h"
#include "sys/log.h"

#define CLOSING_MAX 64
#define TURN_US     5000

struct purge {
	struct later later; /* first: freed as one */
	struct registry_address by;
	struct registry_found *list; /* n of them, owned; `at` is next */
	size_t at, n;
	unsigned closing;   /* sessions that are being logged out */
	struct list closed; /* those that are, and not yet forgotten */
	bool is_forced;
	json_t *in_use; /* disks of sessions that stay */
	json_int_t removed;
	struct agenda_work go_on;
};

/* A session that is being logged out, by its place in the list. */
struct closing {
	struct list link; /* purge.closed */
	struct purge *p;
	size_t at;
	uint32_t instance;
};

static void
forget(struct purge *p, const struct registry_found *f)
{
	int err = registry_target_remove(p->later.d->reg, f->target, &f->a);

	if (err == 0)
		p->removed++;
	else if (err != -ENOENT)
		log_warn(
		    "%s is not forgotten: %s", f->target, registry_error(p->later.d->reg)->message);
}

static void
end(struct purge *p)
{
	struct driver *d = p->later.d;
	struct fault f;
	int err;

	if (json_array_size(p->in_use) > 0) {
		control_busy(p->later.call, p->in_use, "removal");
	} else if ((err = registry_discovery_remove(d->reg, &p->by)) != 0 && err != -ENOENT) {
		settings_fault(d->reg, &f);
		control_fail(p->later.call, &f, NULL);
		json_decref(p->in_use);
	} else {
		portal_forget(d, &p->by);
		json_decref(p->in_use);
		ipc_call_reply(p->later.call,
		    json_pack("{s:s, s:i, s:i, s:I}", "address", p->by.address, "port", p->by.port,
			"tpgt", p->by.tpgt, "addresses_removed", p->removed));
	}
	free(p->list);
	later_free(&p->later);
}

static void
closed(void *user, struct driver *d, uint32_t instance, json_t *in_use)
{
	struct closing *c = user;
	struct purge *p = c->p;

	p->closing--;
	c->instance = instance;
	if (in_use == NULL) {
		list_push_back(&p->closed, &c->link);
	} else {
		(void)json_array_extend(p->in_use, in_use); /* no memory: shorter */
		free(c);
	}
	agenda_defer(loop_agenda(d->loop), &p->go_on);
}

static void
forget_closed(struct purge *p)
{
	struct closing *c = LIST_ENTRY(list_pop(&p->closed), struct closing, link);

	shutdown_forget_nodes(p->later.d, c->instance);
	forget(p, &p->list[c->at]);
	free(c);
}

/* The next one of the list. */
static void
close_next(struct purge *p)
{
	const struct registry_found *f = &p->list[p->at];
	struct wanted *w = wanted_find_address(p->later.d, f->target, &f->a);
	struct closing *c;

	if (w != NULL) {
		c = call_alloc(sizeof *c);
		c->p = p;
		c->at = p->at;
		p->closing++;
		w->is_dropped = true;
		shutdown_session(w, p->is_forced, closed, c);
	} else {
		forget(p, f);
	}
	p->at++;
}

/* False: nothing can be done now. */
static bool
step(struct purge *p)
{
	if (!list_empty(&p->closed))
		forget_closed(p);
	else if (p->at < p->n && p->closing < CLOSING_MAX)
		close_next(p);
	else
		return false;
	return true;
}

static void
go_on(struct agenda_work *w)
{
	struct purge *p = LIST_ENTRY(w, struct purge, go_on);
	struct driver *d = p->later.d;
	uint64_t until = loop_now_update(d->loop) + TURN_US;
	bool in_one = registry_begin(d->reg) == 0;

	while (step(p) && loop_now_update(d->loop) < until)
		;
	if (in_one && registry_commit(d->reg) != 0)
		log_err("targets are not forgotten: %s", registry_error(d->reg)->message);
	if (p->at == p->n && p->closing == 0 && list_empty(&p->closed))
		end(p);
	else if (!list_empty(&p->closed) || (p->at < p->n && p->closing < CLOSING_MAX))
		agenda_defer(loop_agenda(d->loop), &p->go_on);
}

void
op_discovery_purge(struct driver *d, struct ipc_call *call, const struct registry_address *by)
{
	struct purge *p = call_alloc(sizeof *p);
	struct fault f;

	p->later = (struct later){ d, call };
	p->by = *by;
	p->is_forced = ipc_call_arg_bool(call, "force", false);
	agenda_work_init(&p->go_on, go_on);
	list_init(&p->closed);
	if (registry_found_list(d->reg, by, &p->list, &p->n) != 0) {
		settings_fault(d->reg, &f);
		control_fail(call, &f, NULL);
		later_free(&p->later);
		return;
	}
	p->in_use = json_array();
	agenda_defer(loop_agenda(d->loop), &p->go_on);
}
