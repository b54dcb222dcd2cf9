#include "driver/iscsi/iothread.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/cut.h"
#include "core/spare.h"
#include "driver/call.h"
#include "driver/iscsi/nexus.h"
#include "ini/settings.h"

/* A discovery that is under way, with the world it lives in. */
struct work {
	struct list link;
	struct iothread *iothread;
	struct mail_discover *question;
	struct iscsi_world world;
	struct discovery *discovery;
	struct agenda_work over;
};

/* ---- sessions ---- */

void
iothread_take_begin(void *owner, struct mail *m)
{
	struct mail_begin *b = LIST_ENTRY(m, struct mail_begin, mail);

	nexus_begin(owner, &b->cfg);
	free(b);
}

void
iothread_drop_begin(struct mail *m)
{
	struct mail_begin *b = LIST_ENTRY(m, struct mail_begin, mail);

	settings_free(b->cfg.settings);
	free(b->cfg.places);
	free(b->cfg.heard);
	free(b);
}

/* ---- discoveries ---- */

static void
answer(struct mail_discover *q, const struct discovery_result *r)
{
	q->result = call_alloc(sizeof *q->result);
	*q->result = *r;
	mail_answer(&q->base.mail);
}

static void
forget(struct agenda_work *w)
{
	free(LIST_ENTRY(w, struct work, over));
}

static void
work_end(struct work *w, struct discovery_result *r)
{
	w->question->work = NULL;
	answer(w->question, r);
	r->found = NULL; /* the answer has it */
	list_remove(&w->link);
	/* The discovery is still there, and uses its world, until this returns. */
	agenda_defer(w->world.world.agenda, &w->over);
}

static void
discovered(void *user, struct discovery_result *r)
{
	work_end(user, r);
}

void
iothread_refuse_discover(struct mail *m)
{
	struct mail_discover *q = LIST_ENTRY(m, struct mail_discover, base.mail);

	q->result = call_alloc(sizeof *q->result);
	fault_set(&q->result->fault, FAULT_OFFLINE, "", "the driver is being stopped");
}

void
iothread_take_discover(void *owner, struct mail *m)
{
	struct iothread *o = owner;
	struct mail_discover *q = LIST_ENTRY(m, struct mail_discover, base.mail);
	struct account account = {
		.about = { -1, NULL, q->about, o->diag }, .session = q->stats, .driver = o->stats
	};
	struct work *w = call_alloc(sizeof *w);
	struct discovery_result none = { 0 };

	w->iothread = o;
	w->question = q;
	agenda_work_init(&w->over, forget);
	world_init(&w->world, &o->thread, &account);
	list_push_back(&o->works, &w->link);
	q->work = w;
	(void)loop_now_update(o->thread.loop);
	w->discovery =
	    discovery_start(&w->world.world, &q->at, q->isid, q->settings, discovered, w);
	q->settings = NULL; /* the discovery's */
	if (w->discovery != NULL)
		return;
	fault_set(&none.fault, FAULT_INTERNAL, "free some memory", "out of memory for a discovery");
	work_end(w, &none);
}

void
iothread_drop_discover(struct mail *m)
{
	struct mail_discover *q = LIST_ENTRY(m, struct mail_discover, base.mail);

	if (q->result != NULL)
		free(q->result->found);
	free(q->result);
	settings_free(q->settings);
	free(q);
}

/* The driver is being stopped: what is under way is answered with that. */
void
iothread_take_quiesce(void *owner, struct mail *m)
{
	struct iothread *o = owner;
	struct discovery_result none = { 0 };

	fault_set(&none.fault, FAULT_OFFLINE, "", "the driver is being stopped");
	LIST_EACH(node, tmp, &o->works)
	{
		struct work *w = LIST_ENTRY(node, struct work, link);

		discovery_cancel(w->discovery);
		work_end(w, &none);
	}
	free(m);
}

/* ---- captures ---- */

void
iothread_take_capture(void *owner, struct mail *m)
{
	struct iothread *o = owner;

	tapping_begin(&o->tapping, LIST_ENTRY(m, struct mail_capture, base.mail));
}

void
iothread_take_uncapture(void *owner, struct mail *m)
{
	struct iothread *o = owner;

	tapping_end(&o->tapping, LIST_ENTRY(m, struct mail_uncapture, mail)->id);
	free(m);
}

/* ---- start and end ---- */

struct iothread *
iothread_new(const struct iothread_cfg *cfg)
{
	struct iothread *o = calloc(1, sizeof *o);

	if (o == NULL)
		return NULL;
	o->worker = cfg->worker;
	o->thread = (struct world_thread){ worker_loop(cfg->worker),
		mailbox_new(worker_loop(cfg->worker)), cfg->isw };
	o->stats = cfg->stats;
	o->diag = cfg->diag;
	o->ops = cfg->ops;
	o->ops_cfg = cfg->ops_cfg;
	list_init(&o->nexuses);
	list_init(&o->works);
	tapping_init(&o->tapping, o->thread.loop);
	o->thread.tapping = &o->tapping;
	o->thread.said = o->said;
	o->thread.spare = spare_new();
	if (o->thread.box == NULL || o->thread.spare == NULL) {
		mailbox_free(o->thread.box);
		spare_free(o->thread.spare);
		free(o);
		return NULL;
	}
	mailbox_open(o->thread.box, &o->slot, MAIL_ID_IOTHREAD, 1, o);
	return o;
}

static void
end(void *arg)
{
	struct iothread *o = arg;
	struct mail *m = call_alloc(sizeof *m);

	iothread_take_quiesce(o, m);
	tapping_fini(&o->tapping);
	mailbox_close(&o->slot);
}

bool
iothread_stop(struct iothread *o)
{
	worker_call(o->worker, end, o);
	/* What it may still have to say is said in this turn. */
	if (!list_empty(&o->nexuses))
		return false;
	worker_stop(o->worker);
	return true;
}

void
iothread_free(struct iothread *o)
{
	worker_free(o->worker);
	mailbox_free(o->thread.box);
	spare_free(o->thread.spare);
	free(o);
}
