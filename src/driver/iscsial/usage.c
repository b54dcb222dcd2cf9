#include "driver/iscsial/usage.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "driver/call.h"
#include "driver/iscsial/luns.h"
#include "export/loopdev.h"

#define USAGE_PATIENCE_US 3000000

struct usage {
	struct driver *d;
	uint32_t instance;
	void (*done)(void *user); /* NULL: told already */
	void *user;
	unsigned left; /* answers that are due; the last one frees this */
	struct agenda_timer patience;
};

/* One loop device that is asked. */
struct asking {
	struct loopdev_job job;
	struct usage *u;
	struct hwpath path;
};

/* One session that is asked. */
struct counting {
	struct usage *u;
	uint32_t instance;
};

static void
tell(struct usage *u)
{
	void (*done)(void *user) = u->done;

	agenda_clear(loop_agenda(u->d->loop), &u->patience);
	u->done = NULL;
	if (done != NULL)
		done(u->user);
}

static void
one_less(struct usage *u)
{
	if (--u->left > 0)
		return;
	tell(u);
	free(u);
}

static void
impatient(struct agenda_timer *t)
{
	struct usage *u = LIST_ENTRY(t, struct usage, patience);

	for (size_t i = 0; i < u->d->tree->n; i++)
		if (u->d->tree->nodes[i]->is_asked)
			u->d->tree->nodes[i]->is_in_use = true;
	tell(u);
}

static void
answer(struct node *n, bool is_in_use)
{
	n->is_in_use = is_in_use;
	n->is_asked = false;
}

static void
loop_asked(struct loopdev_job *job)
{
	struct asking *a = LIST_ENTRY(job, struct asking, job);
	struct node *n = tree_find(a->u->d->tree, &a->path);

	a->u->d->loop_jobs--;
	if (n != NULL)
		answer(n, n->loop == job->number && job->result == -EBUSY);
	one_less(a->u);
	free(a);
}

static void
ask_loop(struct usage *u, struct node *n)
{
	struct asking *a = call_alloc(sizeof *a);

	a->u = u;
	a->path = n->path;
	a->job.what = LOOPDEV_IN_USE;
	a->job.number = n->loop;
	a->job.done = loop_asked;
	u->left++;
	u->d->loop_jobs++;
	loopdev_run(u->d->loopdev, &a->job);
}

/* The block device is an opener of the file itself; who uses it is asked for separately. */
static void
counted(struct question *question)
{
	struct mail_openers *q = LIST_ENTRY(question, struct mail_openers, base);
	struct counting *c = question->user;

	for (size_t i = 0; i < q->n; i++) {
		struct node *node = luns_find(c->u->d, c->instance, q->rows[i].lun);
		unsigned openers = q->rows[i].openers;

		if (node == NULL)
			continue;
		if (node->loop != TREE_NO_LOOP && openers <= 1)
			ask_loop(c->u, node);
		else
			answer(node, openers > (node->is_attaching ? 1u : 0u));
	}
	disks_drop_openers(&question->mail);
	one_less(c->u);
	free(c);
}

static void
ask_session(struct usage *u, struct wanted *w)
{
	struct counting *c;
	struct mail_openers *q;
	size_t from, to = luns_range(u->d, w->instance, &from);

	if (!w->is_hosted || from == to)
		return;
	c = call_alloc(sizeof *c);
	q = question_new(sizeof *q, counted, c);
	q->rows = call_alloc((to - from) * sizeof *q->rows);
	for (size_t i = from; i < to; i++) {
		struct node *node = u->d->tree->nodes[i];

		if (node->kind != TREE_LUN || !node->is_shown)
			continue;
		node->is_asked = true;
		q->rows[q->n++].lun = node->lun;
	}
	c->u = u;
	c->instance = w->instance;
	u->left++;
	(void)wanted_ask(w, &q->base, &mail_openers); /* it has a host */
}

static void
asked_all(void *arg)
{
	one_less(arg);
}

void
usage_collect(struct driver *d, uint32_t instance, void (*done)(void *user), void *user)
{
	struct usage *u = call_alloc(sizeof *u);

	u->d = d;
	u->done = done;
	u->user = user;
	u->left = 1;
	u->patience.expired = impatient;
	agenda_set(
	    loop_agenda(d->loop), &u->patience, loop_now_update(d->loop) + USAGE_PATIENCE_US);
	LIST_EACH(node, tmp, &d->sessions)
	{
		struct wanted *w = LIST_ENTRY(node, struct wanted, link);

		if (instance == USAGE_ALL || w->instance == instance)
			ask_session(u, w);
	}
	call_post(d->loop, asked_all, u);
}

json_t *
usage_list(const struct driver *d, const struct hwpath *top)
{
	json_t *list = NULL;
	char text[64];

	for (size_t i = tree_lower(d->tree, top); i < d->tree->n; i++) {
		const struct node *n = d->tree->nodes[i];

		if (!hwpath_is_below(&n->path, top))
			break;
		if (n->kind != TREE_LUN || !n->is_in_use)
			continue;
		if (n->loop != TREE_NO_LOOP)
			(void)snprintf(text, sizeof text, "%s (/dev/loop%d)", n->name, n->loop);
		else
			(void)snprintf(text, sizeof text, "%s", n->name);
		if (list == NULL)
			list = json_array();
		(void)json_array_append_new(list, json_string(text)); /* no memory: shorter */
	}
	return list;
}
