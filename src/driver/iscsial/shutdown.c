#include "driver/iscsial/shutdown.h"

#include <errno.h>
#include <stdlib.h>

#include "base/fanout.h"
#include "driver/call.h"
#include "driver/iscsial/devfile.h"
#include "driver/iscsial/luns.h"
#include "driver/iscsial/usage.h"
#include "sys/log.h"

struct closing {
	struct driver *d;
	uint32_t instance;
	bool is_forced;
	bool is_held;   /* it is not closed, only taken from everybody */
	json_t *in_use; /* NULL: nothing */
	shutdown_done *done;
	void *user;
};

static struct closing *
closing_new(const struct wanted *w, bool is_forced, shutdown_done *done, void *user)
{
	struct closing *c = call_alloc(sizeof *c);

	c->d = w->d;
	c->instance = w->instance;
	c->is_forced = is_forced;
	c->done = done;
	c->user = user;
	return c;
}

static void
finish(struct closing *c)
{
	if (c->done != NULL)
		c->done(c->user, c->d, c->instance, c->in_use);
	json_decref(c->in_use);
	free(c);
}

static void
was_closed(void *user, struct driver *d, uint32_t instance)
{
	devfile_closed(d, instance, false);
	finish(user);
}

static void
unsealed(struct question *q)
{
	struct closing *c = q->user;

	disks_drop_openers(&q->mail);
	finish(c);
}

/* Its disks take openers again; then this closing ends. */
static void
unseal(struct closing *c, struct wanted *w)
{
	struct mail_openers *q = NULL;

	if (w->has_nexus)
		q = usage_question(c->d, c->instance, OPENERS_UNSEAL, unsealed, c);
	if (q != NULL)
		(void)wanted_ask(w, &q->base, &mail_openers); /* it has a nexus */
	else
		finish(c);
}

/* It stays open, for somebody uses a disk. */
static void
refuse(struct closing *c, struct wanted *w)
{
	w->is_dropped = false;
	unseal(c, w);
}

static void
detached(void *user, json_t *in_use)
{
	struct closing *c = user;
	struct wanted *w = wanted_find(c->d, c->instance);

	/* Another request may have closed and dropped it meanwhile. */
	if (w == NULL) {
		devfile_closed(c->d, c->instance, false);
		finish(c);
	} else if (in_use != NULL && !c->is_forced) {
		c->in_use = json_incref(in_use);
		devfile_closed(c->d, c->instance, true);
		refuse(c, w);
	} else if (c->is_held) {
		finish(c);
	} else {
		wanted_close(w, c->d->is_stopping, was_closed, c);
	}
}

/* The block device is an opener of the file itself. */
static void
note_openers(struct closing *c, const struct mail_openers *q)
{
	char text[USAGE_TEXT_BYTES];

	for (size_t i = 0; i < q->n; i++) {
		struct node *node = luns_find(c->d, c->instance, q->rows[i].lun);

		if (node == NULL ||
		    q->rows[i].openers <=
			(node->loop != TREE_NO_LOOP || node->attaching != NULL ? 1u : 0u))
			continue;
		if (c->in_use == NULL)
			c->in_use = json_array();
		usage_note(node, &q->rows[i]);
		usage_text(node, text);
		(void)json_array_append_new(c->in_use, json_string(text)); /* no memory: one less */
	}
}

static void
sealed(struct question *question)
{
	struct closing *c = question->user;
	struct wanted *w = wanted_find(c->d, c->instance);

	note_openers(c, LIST_ENTRY(question, struct mail_openers, base));
	disks_drop_openers(&question->mail);
	if (c->in_use != NULL && w != NULL)
		refuse(c, w);
	else
		devfile_detach_session(c->d, c->instance, c->is_forced, detached, c);
}

static void
begin(struct closing *c, struct wanted *w)
{
	struct mail_openers *q = NULL;

	if (!c->is_forced && w->has_nexus)
		q = usage_question(c->d, c->instance, OPENERS_SEAL, sealed, c);
	if (q != NULL)
		(void)wanted_ask(w, &q->base, &mail_openers); /* it has a nexus */
	else
		devfile_detach_session(c->d, c->instance, c->is_forced, detached, c);
}

void
shutdown_session(struct wanted *w, bool is_forced, shutdown_done *done, void *user)
{
	begin(closing_new(w, is_forced, done, user), w);
}

/* ---- all of them ---- */

struct holding {
	struct driver *d;
	struct fanout sessions;
	uint32_t *held; /* instances, n of them; owned */
	size_t n;
	json_t *in_use; /* NULL: nothing */
	void (*done)(void *user, json_t *in_use);
	void *user;
};

static void
release(struct driver *d, uint32_t instance)
{
	struct wanted *w = wanted_find(d, instance);

	devfile_closed(d, instance, w != NULL);
	if (w != NULL)
		unseal(closing_new(w, false, NULL, NULL), w);
}

static void
all_held(struct fanout *f, bool is_late)
{
	struct holding *h = LIST_ENTRY(f, struct holding, sessions);

	(void)is_late; /* each has its own patience */
	for (size_t i = 0; i < h->n && h->in_use != NULL; i++)
		release(h->d, h->held[i]);
	h->done(h->user, h->in_use);
}

static void
holding_ended(struct fanout *f)
{
	struct holding *h = LIST_ENTRY(f, struct holding, sessions);

	json_decref(h->in_use);
	free(h->held);
	free(h);
}

static void
held(void *user, struct driver *d, uint32_t instance, json_t *in_use)
{
	struct holding *h = user;

	(void)d;
	if (in_use == NULL) {
		h->held[h->n++] = instance;
	} else {
		if (h->in_use == NULL)
			h->in_use = json_array();
		(void)json_array_extend(h->in_use, in_use); /* no memory: shorter */
	}
	fanout_drop(&h->sessions);
}

static void
asked_all(void *arg)
{
	fanout_seal(arg);
}

void
shutdown_hold_all(struct driver *d, void (*done)(void *user, json_t *in_use), void *user)
{
	struct holding *h = call_alloc(sizeof *h);
	size_t n = 0;

	h->d = d;
	h->done = done;
	h->user = user;
	fanout_init(&h->sessions, loop_agenda(d->loop), UINT64_MAX, all_held, holding_ended);
	LIST_EACH(node, tmp, &d->sessions)
	n++;
	h->held = call_alloc((n + 1) * sizeof *h->held);
	LIST_EACH(node, tmp, &d->sessions)
	{
		struct wanted *w = LIST_ENTRY(node, struct wanted, link);
		struct closing *c;

		if (!w->has_nexus)
			continue;
		fanout_add(&h->sessions);
		c = closing_new(w, false, held, h);
		c->is_held = true;
		begin(c, w);
	}
	call_post(d->loop, asked_all, &h->sessions);
}

void
shutdown_forget_nodes(struct driver *d, uint32_t instance)
{
	size_t from, to = luns_range(d, instance, &from);
	int err;

	for (size_t i = from; i < to; i++) {
		struct node *n = d->tree->nodes[i];

		if (n->kind == TREE_LUN && n->is_installed &&
		    registry_device_remove(d->reg, n->name) == -EIO)
			log_warn("device %s is not forgotten: %s", n->name,
			    registry_error(d->reg)->message);
	}
	tree_remove(d->tree, from, to);
	err = registry_session_remove(d->reg, instance);
	if (err != 0 && err != -ENOENT)
		log_err("session instance %u is not given back: %s", instance,
		    registry_error(d->reg)->message);
}
