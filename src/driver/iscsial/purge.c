#include "driver/iscsial/purge.h"

#include <errno.h>
#include <stdlib.h>

#include "driver/call.h"
#include "driver/iscsi/wanted.h"
#include "driver/iscsial/shutdown.h"
#include "sys/log.h"

#define CLOSING_MAX 64
#define TURN_US     5000

struct purge {
	struct driver *d;
	const struct purge_ops *ops;
	void *user;
	struct registry_found *list; /* n of them, owned; `at` is next */
	size_t at, n;
	unsigned closing;   /* sessions that are being logged out */
	struct list closed; /* those that are, and not yet forgotten */
	bool is_forced;
	struct purge_result result;
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
	int err = registry_target_remove(p->d->reg, f->target, &f->a);

	if (err != 0 && err != -ENOENT) {
		log_warn("%s is not forgotten: %s", f->target, registry_error(p->d->reg)->message);
		return;
	}
	p->result.removed += err == 0;
	if (err == 0 && p->ops->gone != NULL)
		p->ops->gone(p->user, p->d, f);
}

static void
purge_free(struct purge *p)
{
	struct list *node;

	while ((node = list_pop(&p->closed)) != NULL)
		free(LIST_ENTRY(node, struct closing, link));
	agenda_cancel(&p->go_on);
	json_decref(p->result.in_use);
	free(p->list);
	free(p);
}

static void
end(struct purge *p)
{
	p->ops->done(p->user, p->d, &p->result);
	purge_free(p);
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
		(void)json_array_extend(p->result.in_use, in_use); /* no memory: shorter */
		if (p->ops->kept != NULL)
			p->ops->kept(p->user, d, &p->list[c->at]);
		free(c);
	}
	agenda_defer(loop_agenda(d->loop), &p->go_on);
}

static void
forget_closed(struct purge *p)
{
	struct closing *c = LIST_ENTRY(list_pop(&p->closed), struct closing, link);

	shutdown_forget_nodes(p->d, c->instance);
	forget(p, &p->list[c->at]);
	free(c);
}

/* The next one of the list. */
static void
close_next(struct purge *p)
{
	const struct registry_found *f = &p->list[p->at];
	struct wanted *w = wanted_find_address(p->d, f->target, &f->a);
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
	struct driver *d = p->d;
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

struct purge *
purge_start(struct driver *d, struct registry_found *list, size_t n, bool is_forced,
    const struct purge_ops *ops, void *user)
{
	struct purge *p = call_alloc(sizeof *p);

	p->d = d;
	p->ops = ops;
	p->user = user;
	p->list = list;
	p->n = n;
	p->is_forced = is_forced;
	p->result.in_use = json_array();
	agenda_work_init(&p->go_on, go_on);
	list_init(&p->closed);
	agenda_defer(loop_agenda(d->loop), &p->go_on);
	return p;
}

void
purge_cancel(struct purge *p)
{
	if (p != NULL)
		purge_free(p);
}
