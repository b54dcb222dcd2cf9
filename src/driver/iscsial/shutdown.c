#include "driver/iscsial/shutdown.h"

#include <errno.h>
#include <stdlib.h>

#include "driver/call.h"
#include "driver/iscsial/devfile.h"
#include "driver/iscsial/luns.h"
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
closing_new(struct session *s, bool is_forced, shutdown_done *done, void *user)
{
	struct closing *c = call_alloc(sizeof *c);

	c->d = s->d;
	c->instance = s->instance;
	c->is_forced = is_forced;
	c->done = done;
	c->user = user;
	return c;
}

static void
finish(struct closing *c)
{
	c->done(c->user, c->d, c->instance, c->in_use);
	json_decref(c->in_use);
	free(c);
}

static void
was_closed(void *user, struct session *s)
{
	struct closing *c = user;

	(void)s;
	devfile_closed(c->d, c->instance, false);
	finish(c);
}

/* The session's disks, for a question to its worker.  NULL: it has none that is shown. */
static struct seat_openers *
list_disks(const struct driver *d, uint32_t instance, size_t *ret_n)
{
	size_t from, to = luns_range(d, instance, &from), n = 0;
	struct seat_openers *list = from < to ? call_alloc((to - from) * sizeof *list) : NULL;

	for (size_t i = from; i < to; i++) {
		const struct node *node = d->tree.nodes[i];

		if (node->kind == TREE_LUN && node->is_shown)
			list[n++].lun = node->lun;
	}
	if (n == 0) {
		free(list);
		return NULL;
	}
	*ret_n = n;
	return list;
}

static void
unsealed(void *user, struct seat_openers *list, size_t n)
{
	(void)n;
	free(list);
	finish(user);
}

/* It stays open, for somebody uses a disk. */
static void
refuse(struct closing *c, struct session *s)
{
	size_t n;
	struct seat_openers *list = list_disks(c->d, c->instance, &n);

	s->is_dropped = false;
	if (list != NULL && s->seat != NULL) {
		seat_count_openers(s->seat, list, n, SEAT_UNSEAL, unsealed, c);
		return;
	}
	free(list);
	finish(c);
}

static void
detached(void *user, json_t *in_use)
{
	struct closing *c = user;
	struct session *s = session_find(c->d, c->instance);

	/* Another request may have closed and dropped it meanwhile. */
	if (s == NULL) {
		devfile_closed(c->d, c->instance, false);
		finish(c);
	} else if (in_use != NULL && !c->is_forced) {
		c->in_use = json_incref(in_use);
		devfile_closed(c->d, c->instance, true);
		refuse(c, s);
	} else {
		session_close(s, was_closed, c);
	}
}

/* The block device is an opener of the file itself. */
static void
note_openers(struct closing *c, const struct seat_openers *list, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct node *node = luns_find(c->d, c->instance, list[i].lun);

		if (node == NULL ||
		    list[i].openers <=
			(node->loop != TREE_NO_LOOP || node->attaching != NULL ? 1u : 0u))
			continue;
		if (c->in_use == NULL)
			c->in_use = json_array();
		(void)json_array_append_new(
		    c->in_use, json_string(node->name)); /* no memory: one less */
	}
}

static void
sealed(void *user, struct seat_openers *list, size_t n)
{
	struct closing *c = user;
	struct session *s = session_find(c->d, c->instance);

	note_openers(c, list, n);
	free(list);
	if (c->in_use != NULL && s != NULL)
		refuse(c, s);
	else
		devfile_detach_session(c->d, c->instance, c->is_forced, detached, c);
}

void
shutdown_session(struct session *s, bool is_forced, shutdown_done *done, void *user)
{
	struct closing *c = closing_new(s, is_forced, done, user);
	size_t n;
	struct seat_openers *list = NULL;

	if (!is_forced && s->seat != NULL)
		list = list_disks(s->d, s->instance, &n);
	if (list != NULL)
		seat_count_openers(s->seat, list, n, SEAT_SEAL, sealed, c);
	else
		devfile_detach_session(s->d, s->instance, is_forced, detached, c);
}

void
shutdown_forget_nodes(struct driver *d, uint32_t instance)
{
	size_t from, to = luns_range(d, instance, &from);
	int err;

	for (size_t i = from; i < to; i++) {
		struct node *n = d->tree.nodes[i];

		if (n->kind == TREE_LUN && n->is_installed &&
		    registry_device_remove(d->reg, n->name) == -EIO)
			log_warn("device %s is not forgotten: %s", n->name,
			    registry_error(d->reg)->message);
	}
	tree_remove(&d->tree, from, to);
	err = registry_session_remove(d->reg, instance);
	if (err != 0 && err != -ENOENT)
		log_err("session instance %u is not given back: %s", instance,
		    registry_error(d->reg)->message);
}
