/*
 * Addresses of targets that discovery had found and that are not to be known any more: their
 * sessions are logged out, so many at once, unless a disk is in use, and they are forgotten, a few
 * milliseconds a turn.  On the main loop.
 */
#ifndef ISCSIAL_PURGE_H
#define ISCSIAL_PURGE_H

#include <jansson.h>

#include "driver/driver.h"

struct purge;

struct purge_result {
	size_t removed;
	json_t *in_use; /* an array: what is in use, as usage_list(); borrowed */
};
/* Called once, never from inside purge_start(); the purge is gone afterwards. */
typedef void purge_done(void *user, struct driver *d, const struct purge_result *r);

struct purge_ops {
	purge_done *done;
	/* This one is forgotten; this one stays, for it is in use.  Both may be NULL. */
	void (*gone)(void *user, struct driver *d, const struct registry_found *f);
	void (*kept)(void *user, struct driver *d, const struct registry_found *f);
};

/* The list (n rows, for free()) is the purge's from now on. */
struct purge *purge_start(struct driver *d, struct registry_found *list, size_t n, bool is_forced,
    const struct purge_ops *ops, void *user);
/* The driver ends: done() is not called.  NULL is fine. */
void purge_cancel(struct purge *p);

#endif
