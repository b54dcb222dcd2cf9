#include "driver/iscsial/shutdown.h"

#include <errno.h>
#include <stdlib.h>

#include "driver/call.h"
#include "driver/iscsial/devfile.h"
#include "driver/iscsial/luns.h"
#include "driver/iscsial/usage.h"
#include "sys/log.h"

struct closing {
	struct driver *d;
	uint32_t instance;
	bool is_forced;
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

/* It stays open, for somebody uses a disk. */
static void
refuse(struct closing *c, struct wanted *w)
{
	struct mail_openers *q =
	    w->is_hosted ? usage_question(c->d, c->instance, OPENERS_UNSEAL, unsealed, c) : NULL;

	w->is_dropped = false;
	if (q != NULL)
		(void)wanted_ask(w, &q->base, &mail_openers); /* it has a host */
	else
		finish(c);
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
	} else {
		wanted_close(w, c->d->is_stopping, was_closed, c);
	}
}

/* The block device is an opener of the file itself. */
static void
note_openers(struct closing *c, const struct mail_openers *q)
{
	for (size_t i = 0; i < q->n; i++) {
		const struct node *node = luns_find(c->d, c->instance, q->rows[i].lun);

		if (node == NULL ||
		    q->rows[i].openers <=
			(node->loop != TREE_NO_LOOP || node->attaching != NULL ? 1u : 0u))
			continue;
		if (c->in_use == NULL)
			c->in_use = json_array();
		(void)json_array_append_new(
		    c->in_use, json_string(node->name)); /* no memory: one less */
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

void
shutdown_session(struct wanted *w, bool is_forced, shutdown_done *done, void *user)
{
	struct closing *c = closing_new(w, is_forced, done, user);
	struct mail_openers *q = NULL;

	if (!is_forced && w->is_hosted)
		q = usage_question(w->d, w->instance, OPENERS_SEAL, sealed, c);
	if (q != NULL)
		(void)wanted_ask(w, &q->base, &mail_openers); /* it has a host */
	else
		devfile_detach_session(w->d, w->instance, is_forced, detached, c);
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
