#include "driver/iscsial/usage.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cut.h"
#include "base/fanout.h"
#include "driver/call.h"
#include "driver/iscsi/wanted.h"
#include "driver/iscsial/devfile.h"
#include "driver/iscsial/luns.h"
#include "export/loopdev.h"
#include "sys/log.h"

/* A process that hangs in its end may keep the walk waiting; clients wait 5 s for io.tree. */
#define USAGE_PATIENCE_US 4000000
/* What was found is shown again for so long. */
#define USAGE_KEPT_US 1000000

struct asker {
	struct list link;
	void (*done)(void *user);
	void *user;
};

struct usage {
	struct driver *d;
	struct walk *walk; /* the one under way, or NULL */
	/* Who waits for it, and who asked after it began: for the next one. */
	struct list now, next;
	bool is_known;
	uint64_t found_us;         /* when the last walk had found what there is */
	struct loopdev_job *users; /* outstanding; at most one, though its walk was given up */
};

struct walk {
	struct usage *u;
	struct fanout answers;
};

/* One session that is asked. */
struct counting {
	struct walk *walk;
	uint32_t instance;
};

static void begin(struct usage *u);

struct usage *
usage_new(struct driver *d)
{
	struct usage *u = call_alloc(sizeof *u);

	u->d = d;
	list_init(&u->now);
	list_init(&u->next);
	return u;
}

void
usage_free(struct usage *u)
{
	assert(u == NULL || (u->walk == NULL && u->users == NULL));
	free(u);
}

/* ---- a walk ---- */

/* The block device is an opener of the file itself, and so is one that is being made. */
static bool
is_used(const struct node *n)
{
	unsigned ours = n->loop != TREE_NO_LOOP || n->attaching != NULL;

	return n->openers > ours || (n->is_shown && n->loop != TREE_NO_LOOP && n->is_loop_used);
}

static void
tell(struct list *askers)
{
	struct list all, *node;

	list_init(&all);
	list_splice_front(&all, askers);
	while ((node = list_pop(&all)) != NULL) {
		struct asker *a = LIST_ENTRY(node, struct asker, link);

		a->done(a->user);
		free(a);
	}
}

static void
told(struct fanout *f, bool is_late)
{
	struct usage *u = LIST_ENTRY(f, struct walk, answers)->u;

	if (is_late)
		log_warn("who uses the disks was not found out in time");
	for (size_t i = 0; i < u->d->tree->n; i++) {
		struct node *n = u->d->tree->nodes[i];

		if (n->kind == TREE_LUN)
			n->is_in_use = is_used(n);
	}
	u->is_known = true;
	u->found_us = loop_now_update(u->d->loop);
	u->walk = NULL;
	tell(&u->now);
	if (!list_empty(&u->next) && u->walk == NULL)
		begin(u);
}

static void
ended(struct fanout *f)
{
	free(LIST_ENTRY(f, struct walk, answers));
}

static void
counted(struct question *question)
{
	struct mail_openers *q = LIST_ENTRY(question, struct mail_openers, base);
	struct counting *c = question->user;

	for (size_t i = 0; i < q->n; i++) {
		struct node *node = luns_find(c->walk->u->d, c->instance, q->rows[i].lun);

		if (node != NULL)
			usage_note(node, &q->rows[i]);
	}
	disks_drop_openers(&question->mail);
	fanout_drop(&c->walk->answers);
	free(c);
}

struct mail_openers *
usage_question(const struct driver *d, uint32_t instance, enum mail_openers_seal seal,
    void (*done)(struct question *q), void *user)
{
	size_t from, to = luns_range(d, instance, &from);
	struct mail_openers *q = question_new(sizeof *q, done, user);

	q->seal = seal;
	q->rows = call_alloc((to - from + 1) * sizeof *q->rows);
	for (size_t i = from; i < to; i++) {
		const struct node *node = d->tree->nodes[i];

		if (node->kind != TREE_LUN || (!node->is_shown && !devfile_goes_on(d, node)))
			continue;
		q->rows[q->n].lun = node->lun;
		cut_copy(q->rows[q->n++].name, sizeof q->rows->name, node->name);
	}
	if (q->n > 0)
		return q;
	disks_drop_openers(&q->base.mail);
	return NULL;
}

static void
ask_session(struct walk *walk, struct wanted *w)
{
	struct counting *c;
	struct mail_openers *q;

	if (!w->has_nexus)
		return;
	c = call_alloc(sizeof *c);
	c->walk = walk;
	c->instance = w->instance;
	q = usage_question(walk->u->d, w->instance, OPENERS_COUNT, counted, c);
	if (q == NULL) {
		free(c);
		return;
	}
	fanout_add(&walk->answers);
	(void)wanted_ask(w, &q->base, &mail_openers); /* it has a nexus */
}

static int
by_number(const void *a, const void *b)
{
	int x = ((const struct loopuse *)a)->number, y = ((const struct loopuse *)b)->number;

	return x < y ? -1 : x > y;
}

static void
users_found(struct loopdev_job *job)
{
	struct walk *w = job->user;
	struct driver *d = w->u->d;

	d->loop_jobs--;
	w->u->users = NULL;
	for (size_t i = 0; i < d->tree->n && job->n_numbers > 0; i++) {
		struct node *n = d->tree->nodes[i];
		struct loopuse key = { .number = n->loop }, *found;

		if (n->kind != TREE_LUN || n->loop == TREE_NO_LOOP)
			continue;
		found = bsearch(&key, job->users, job->n_numbers, sizeof key, by_number);
		n->is_loop_used = found != NULL && found->is_used;
	}
	free(job->users);
	free(job);
	fanout_drop(&w->answers);
}

static void
ask_users(struct walk *w)
{
	struct driver *d = w->u->d;
	struct loopdev_job *job;

	if (w->u->users != NULL)
		return; /* it hangs: what it was asked, others cannot answer either */
	job = call_alloc(sizeof *job);
	job->what = LOOPDEV_USERS;
	job->done = users_found;
	job->user = w;
	job->users = call_alloc((d->tree->n + 1) * sizeof *job->users);
	for (size_t i = 0; i < d->tree->n; i++) {
		const struct node *n = d->tree->nodes[i];

		if (n->kind == TREE_LUN && n->loop != TREE_NO_LOOP)
			job->users[job->n_numbers++].number = n->loop;
	}
	if (job->n_numbers == 0) {
		free(job->users);
		free(job);
		return;
	}
	w->u->users = job;
	fanout_add(&w->answers);
	d->loop_jobs++;
	loopdev_run(d->loopdev, job);
}

static void
asked_all(void *arg)
{
	fanout_seal(arg);
}

static void
begin(struct usage *u)
{
	struct walk *w = call_alloc(sizeof *w);
	struct driver *d = u->d;

	w->u = u;
	u->walk = w;
	list_splice_front(&u->now, &u->next);
	fanout_init(&w->answers, loop_agenda(d->loop), loop_now_update(d->loop) + USAGE_PATIENCE_US,
	    told, ended);
	for (size_t i = 0; i < d->tree->n; i++) {
		d->tree->nodes[i]->openers = d->tree->nodes[i]->n_users = 0;
		d->tree->nodes[i]->is_loop_used = false;
	}
	LIST_EACH(node, tmp, &d->sessions)
	ask_session(w, LIST_ENTRY(node, struct wanted, link));
	ask_users(w);
	call_post(d->loop, asked_all, &w->answers);
}

/* ---- asking for one ---- */

static struct asker *
asker_new(void (*done)(void *user), void *user)
{
	struct asker *a = call_alloc(sizeof *a);

	a->done = done;
	a->user = user;
	return a;
}

void
usage_collect(struct driver *d, void (*done)(void *user), void *user)
{
	struct usage *u = d->usage;

	list_push_back(&u->next, &asker_new(done, user)->link);
	if (u->walk == NULL)
		begin(u);
}

static void
know(void *arg)
{
	struct asker *a = arg;

	a->done(a->user);
	free(a);
}

void
usage_glance(struct driver *d, void (*done)(void *user), void *user)
{
	struct usage *u = d->usage;

	if (u->walk != NULL)
		list_push_back(&u->now, &asker_new(done, user)->link);
	else if (u->is_known && loop_now_update(d->loop) - u->found_us < USAGE_KEPT_US)
		call_post(d->loop, know, asker_new(done, user));
	else
		usage_collect(d, done, user);
}

void
usage_note(struct node *n, const struct mail_openers_row *row)
{
	n->openers = row->openers;
	n->n_users = row->n_users;
	memcpy(n->users, row->users, sizeof n->users);
}

void
usage_text(const struct node *n, char ret_text[USAGE_TEXT_BYTES])
{
	int at = snprintf(ret_text, USAGE_TEXT_BYTES, "%s", n->name);
	char block[32];

	/* All of it fits. */
	if (n->loop != TREE_NO_LOOP) {
		loopuse_path(n->loop, block);
		(void)snprintf(ret_text + at, (size_t)(USAGE_TEXT_BYTES - at), " (%s)", block);
		return;
	}
	for (unsigned i = 0; i < n->n_users; i++) {
		const char *before = i == 0 ? " (" : ", ";

		if (n->users[i] == 0) /* of another PID namespace */
			at += snprintf(ret_text + at, (size_t)(USAGE_TEXT_BYTES - at),
			    "%sa process that has no number here", before);
		else
			at += snprintf(ret_text + at, (size_t)(USAGE_TEXT_BYTES - at),
			    "%sprocess %d", before, (int)n->users[i]);
	}
	if (n->n_users > 0)
		(void)snprintf(ret_text + at, (size_t)(USAGE_TEXT_BYTES - at), ")");
}

json_t *
usage_list(const struct driver *d, const struct hwpath *top)
{
	json_t *list = NULL;
	char text[USAGE_TEXT_BYTES];

	for (size_t i = tree_lower(d->tree, top); i < d->tree->n; i++) {
		const struct node *n = d->tree->nodes[i];

		if (!hwpath_is_below(&n->path, top))
			break;
		if (n->kind != TREE_LUN || !n->is_in_use)
			continue;
		usage_text(n, text);
		if (list == NULL)
			list = json_array();
		(void)json_array_append_new(list, json_string(text)); /* no memory: shorter */
	}
	return list;
}
