/*
 * What of a session's disks outlives the driver: their mount, or the sockets at which
 * their clients connect, which are held elsewhere (export/holding.h) and which the next
 * driver goes on with.  A disk waits until its unit was found again.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "driver/iscsial/disks_impl.h"
#include "export/holding.h"
#include "export/ublk.h"
#include "sys/log.h"

static uint32_t
key(const struct disks *d)
{
	return nexus_cfg(d->x)->instance;
}

static struct agenda *
agenda_of(const struct disks *d)
{
	return loop_agenda(nexus_iothread(d->x)->thread.loop);
}

static void
failed(struct disks *d, int err)
{
	const char *why = err == -ENOTCONN     ? "their mount has ended"
			  : err == -ENOTSUP    ? "a driver of another release left them"
			  : err == -EOPNOTSUPP ? "this exporter cannot"
					       : strerror(-err);

	d->is_taken = false;
	disks_held_end(d);
	if (d->cfg->holding != NULL)
		holding_drop(d->cfg->holding, key(d));
	log_err("session %u: the disks that a driver before this one showed cannot be gone on "
		"with: %s; "
		"who has them open must close them",
	    key(d), why);
}

static bool
is_of_another(uint32_t session, const char *name, void *user)
{
	(void)name;
	return session != *(uint32_t *)user;
}

/* Whoever waits at a socket that no disk has taken by now. */
static void
end_sockets(const struct disks *d)
{
	uint32_t session = key(d);

	if (d->cfg->holding != NULL)
		holding_keep_sockets(d->cfg->holding, is_of_another, &session);
}

/* As long as I/O waits for a session that is lost. */
static void
waited_long_enough(struct agenda_timer *t)
{
	struct disks *d = LIST_ENTRY(t, struct disks, overdue);

	end_sockets(d);
	if (d->export != NULL && !d->is_stopping)
		d->ops->overdue(d->export);
}

static void
take_over(struct disks *d, const struct export_held *held, const struct export_events *events)
{
	struct loop *loop = nexus_iothread(d->x)->thread.loop;
	int err;

	d->is_taken = true;
	/* They are what they were, whatever is configured by now. */
	disks_use(d, export_find(held != NULL ? "fuse" : "ublk"));
	err = d->ops->take_over(loop, d->dir, held, events, d, &d->export);
	if (err == 0)
		return;
	d->export = NULL;
	failed(d, err);
}

static bool
has_ublk_devices(const struct disks *d)
{
	char dir[PATH_MAX];

	(void)snprintf(dir, sizeof dir, "%s/%u", d->cfg->ublks, key(d)); /* paths_init() */
	return ublk_has_left(dir);
}

void
disks_held_begin(struct disks *d, const struct export_events *events)
{
	struct loop *loop = nexus_iothread(d->x)->thread.loop;
	uint64_t patience = session_path(nexus_session(d->x))->replacement_us;
	struct export_held held;
	bool has_mount, has_ublks, has_sockets;

	d->overdue.expired = waited_long_enough;
	has_mount = d->cfg->holding != NULL && holding_take(d->cfg->holding, key(d), &held);
	has_ublks = !has_mount && has_ublk_devices(d);
	/* Disks that are no sockets any more take none. */
	if (has_mount || has_ublks || d->ops != export_find("nbd"))
		end_sockets(d);
	has_sockets = d->cfg->holding != NULL && holding_has_socket(d->cfg->holding, key(d), NULL);
	if (patience != UINT64_MAX && (has_mount || has_ublks || has_sockets))
		agenda_set(agenda_of(d), &d->overdue, loop_now_update(loop) + patience);
	if (has_mount || has_ublks)
		take_over(d, has_mount ? &held : NULL, events);
}

void
disks_held_started(struct disks *d, int err)
{
	if (d->is_taken && err < 0)
		failed(d, err);
	else if (d->is_taken)
		log_note("session %u: goes on with the disks that a driver before this one showed",
		    key(d));
	d->is_taken = false;
}

bool
disks_held_admit(struct disks *d, const struct mail_show_row *row)
{
	bool is_awaited = d->ops->awaited(d->export, row->name) >= 0;

	if (row->is_remembered || !is_awaited)
		return is_awaited;
	log_warn(
	    "disk %s: it is not known whether the unit there is the one that it was; who has it "
	    "open must close it",
	    row->name);
	d->ops->give_up(d->export, row->name);
	return false;
}

unsigned
disks_held_openers(const struct disks *d, const char *name)
{
	long n = d->export != NULL ? d->ops->awaited(d->export, name) : -1;

	return n > 0 ? (unsigned)n : 0;
}

void
disks_held_end(struct disks *d)
{
	agenda_clear(agenda_of(d), &d->overdue);
	end_sockets(d);
}

void
disks_hold(void *user, const struct export_held *held)
{
	const struct disks *d = user;

	if (d->cfg->holding != NULL)
		holding_put(d->cfg->holding, key(d), held);
}

void
disks_drop(void *user)
{
	const struct disks *d = user;

	if (d->cfg->holding != NULL)
		holding_drop(d->cfg->holding, key(d));
}

void
disks_hold_socket(void *user, const char *name, const struct export_socket *socket)
{
	const struct disks *d = user;

	if (d->cfg->holding != NULL)
		holding_put_socket(d->cfg->holding, key(d), name, socket);
}

void
disks_drop_socket(void *user, const char *name)
{
	const struct disks *d = user;

	if (d->cfg->holding != NULL)
		holding_drop_socket(d->cfg->holding, key(d), name);
}

bool
disks_take_socket(void *user, const char *name, struct export_socket *ret)
{
	const struct disks *d = user;

	return d->cfg->holding != NULL && holding_take_socket(d->cfg->holding, key(d), name, ret);
}
