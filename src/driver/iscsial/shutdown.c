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
	shutdown_done *done;
	void *user;
};

static void
finish(struct closing *c)
{
	if (c->done != NULL)
		c->done(c->user, c->d, c->instance);
	free(c);
}

static void
was_closed(void *user, struct driver *d, uint32_t instance)
{
	(void)d;
	(void)instance;
	finish(user);
}

static void
detached(void *user)
{
	struct closing *c = user;
	struct wanted *w = wanted_find(c->d, c->instance);

	/* Another request may have closed and dropped it meanwhile. */
	if (w != NULL)
		wanted_close(w, c->d->is_stopping, was_closed, c);
	else
		finish(c);
}

void
shutdown_session(struct wanted *w, shutdown_done *done, void *user)
{
	struct closing *c = call_alloc(sizeof *c);

	c->d = w->d;
	c->instance = w->instance;
	c->done = done;
	c->user = user;
	devfile_detach_session(w->d, w->instance, detached, c);
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
