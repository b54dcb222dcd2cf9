/*
 * A mount may be taken away under the exporter's feet.  Somebody unmounts it
 * lazily while files of it are open: the connection lives, its users go on, and
 * the kernel mounts it in its place once more (AGAIN).  Or the connection
 * itself is gone, with the last user of a mount that was taken away or by force:
 * then the kernel has forgotten all it knew, and a new connection is made
 * (UNMOUNTING, MOUNTING), until that works.
 *
 * What the mounter does takes time, and stop() may come meanwhile; it takes
 * effect when the job is done.
 */
#include <sys/epoll.h>

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "export/fuseint.h"
#include "export/fusemnt.h"

/* Between tries to mount again: a path that is missing, or another mount, may be mended. */
#define AGAIN_US 1000000

static void job_done(struct mounter_job *job);

/* Does a job of this state's run? */
static bool
has_job(const struct export *ex)
{
	switch (ex->life) {
	case FUSE_MOUNTING:
	case FUSE_AGAIN:
	case FUSE_UNMOUNTING:
		return true;
	case FUSE_SHOWN:
	case FUSE_PAUSING:
	case FUSE_ENDED:
		break;
	}
	return false;
}

/* Requests are received in these states only, and only there is it watched. */
static void
check(const struct export *ex)
{
	bool flows = ex->life == FUSE_SHOWN || ex->life == FUSE_AGAIN;

	assert(!flows || ex->se != NULL);
	assert(flows || ex->life == FUSE_MOUNTING || ex->life == FUSE_UNMOUNTING || ex->se == NULL);
	assert(flows == ex->fd.watched || ex->is_stopping);
	assert(ex->again.armed == (ex->life == FUSE_PAUSING));
}

static void
go(struct export *ex, enum fuse_life life, enum mounter_what what)
{
	ex->life = life;
	if (has_job(ex)) {
		ex->job.what = what;
		ex->job.se = ex->se;
		ex->job.dir = ex->dir;
		ex->job.done = job_done;
		mounter_run(fusepool_mounter(ex->pool), ex->loop, &ex->job);
	}
	check(ex);
}

static void
tell_all(struct export *ex, const char *why, bool is_new)
{
	for (unsigned i = 0; i < ex->node_slots && !ex->is_stopping; i++) {
		struct blk_dev *dev = ex->nodes[i] != NULL ? ex->nodes[i]->disk.dev : NULL;

		if (dev == NULL)
			continue;
		if (why != NULL)
			ex->events->gone(ex->user, dev, why);
		else
			ex->events->back(ex->user, dev, is_new);
	}
}

/* ---- a new connection ---- */

static struct fuse_session *
new_session(struct export *ex)
{
	struct fuse_lowlevel_ops ops = { 0 };
	struct fuse_session *se;
	char max_read[32];
	char *argv[] = { FUSEMNT_NAME, "-o", FUSEMNT_OPTIONS, "-o", max_read, NULL };
	struct fuse_args args = FUSE_ARGS_INIT(5, argv);

	(void)snprintf(max_read, sizeof max_read, "max_read=%u", LIMIT_FUSE_IO_BYTES); /* fits */
	fusefs_fill(&ops);
	fuseio_fill(&ops);
	se = fuse_session_new(&args, &ops, sizeof ops, ex);
	ex->has_init = false;
	fuse_opt_free_args(&args);
	return se;
}

static void
try_later(struct export *ex)
{
	ex->life = FUSE_PAUSING;
	agenda_set(loop_agenda(ex->loop), &ex->again, loop_now_update(ex->loop) + AGAIN_US);
	check(ex);
}

static void
mount_anew(struct export *ex)
{
	ex->se = new_session(ex);
	if (ex->se == NULL)
		try_later(ex);
	else
		go(ex, FUSE_MOUNTING, MOUNTER_MOUNT);
}

static void
pause_over(struct agenda_timer *t)
{
	mount_anew(LIST_ENTRY(t, struct export, again));
}

int
fuselife_begin(struct export *ex)
{
	ex->again.expired = pause_over;
	ex->se = new_session(ex);
	if (ex->se == NULL)
		return -EAGAIN;
	go(ex, FUSE_MOUNTING, ex->taken_fd >= 0 ? MOUNTER_NAME : MOUNTER_MOUNT);
	return 0;
}

/* ---- the end ---- */

static void
free_all(struct export *ex)
{
	assert(ex->se == NULL && list_empty(&ex->busy) && !ex->is_watched);
	assert(ex->parked_count == 0 && ex->rx_bytes == 0);
	agenda_cancel(&ex->play);
	fuse_nodes_free(ex);
	fusestate_free(ex->state);
	fusepool_leave(ex->pool);
	free(ex->job.path);
	free(ex->dir);
	free(ex);
}

static void
free_if_idle(struct export *ex)
{
	if (ex->life == FUSE_ENDED && list_empty(&ex->busy) && !ex->is_watched)
		free_all(ex);
}

void
fuselife_op_back(struct export *ex)
{
	free_if_idle(ex);
}

static void
ended(struct export *ex, int err)
{
	const struct export_events *events = ex->events;
	void *user = ex->user;
	bool is_stopping = ex->is_stopping;

	agenda_clear(loop_agenda(ex->loop), &ex->again);
	ex->life = FUSE_ENDED;
	check(ex);
	free_if_idle(ex);
	if (is_stopping)
		events->stopped(user);
	else
		events->started(user, err);
}

static void
cancel_watch(struct export *ex)
{
	if (ex->is_watched)
		mounter_cancel(fusepool_mounter(ex->pool), &ex->watch);
}

/*
 * Close /dev/fuse, but not its number, which is libfuse's to close: from now on
 * nobody waits for this thread.  A pipe that nobody reads polls as a connection
 * that is cut, which libfuse does not try to unmount.
 */
static void
close_behind(int fd)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0)
		return;                     /* then the mounter closes it, a little later */
	(void)dup3(ends[1], fd, O_CLOEXEC); /* likewise */
	close(ends[0]);
	close(ends[1]);
}

/* Nobody takes this connection over any more. */
static void
let_drop(struct export *ex)
{
	fusestate_free(ex->state);
	ex->state = NULL;
	ex->init_answer_bytes = 0;
	if (ex->is_held && ex->events->drop != NULL)
		ex->events->drop(ex->user);
	ex->is_held = false;
}

/* End the connection; the mounter does what may take time. */
static void
cut(struct export *ex, int err)
{
	fuse_stop_receiving(ex);
	cancel_watch(ex);
	fuse_session_exit(ex->se); /* answers that cannot be sent are no error now */
	fuseio_abandon(ex, err);
	fusepark_abandon(ex, err);
	close_behind(ex->fd.fd);
	let_drop(ex);
	go(ex, FUSE_UNMOUNTING, MOUNTER_UNMOUNT);
}

void
fuselife_end(struct export *ex)
{
	assert(ex->life != FUSE_ENDED);
	switch (ex->life) {
	case FUSE_SHOWN:
		cut(ex, ESHUTDOWN);
		break;
	case FUSE_AGAIN: /* it is cut when the job is done */
		fuse_stop_receiving(ex);
		break;
	case FUSE_PAUSING:
		ended(ex, 0);
		break;
	case FUSE_MOUNTING:
	case FUSE_UNMOUNTING:
	case FUSE_ENDED:
		break;
	}
}

/* ---- what happens to the mount ---- */

/* The kernel has forgotten all it knew, without saying so for each file. */
static void
forget(struct export *ex)
{
	for (unsigned i = 0; i < ex->node_slots; i++) {
		struct fuse_node *node = ex->nodes[i];

		if (node == NULL)
			continue;
		node->openers = 0;
		node->lookups = 0;
		node->is_awaited = node->is_overdue = false;
		fuse_node_release(ex, node);
	}
	ex->awaited = 0;
}

void
fuselife_lost(struct export *ex)
{
	static const char why[] = "its mount was taken away, or its connection was cut";

	forget(ex);
	if (ex->life == FUSE_AGAIN) { /* the job uses the connection, and fails */
		fuse_stop_receiving(ex);
		return;
	}
	cut(ex, ENODEV);
	tell_all(ex, why, false);
}

/* Is the connection cut, though nobody has read that yet? */
static bool
is_cut(const struct export *ex)
{
	struct pollfd p = { .fd = ex->fd.fd };

	return poll(&p, 1, 0) == 1 && (p.revents & POLLERR) != 0;
}

static void
watch_done(struct mounter_job *job)
{
	struct export *ex = LIST_ENTRY(job, struct export, watch);

	ex->is_watched = false;
	if (job->result == 0 && ex->life == FUSE_SHOWN && !ex->is_stopping) {
		if (is_cut(ex)) {
			fuselife_lost(ex);
			return;
		}
		tell_all(ex, "its mount was taken away by somebody", false);
		go(ex, FUSE_AGAIN, MOUNTER_AGAIN);
		return;
	}
	free_if_idle(ex);
}

static void
watch(struct export *ex)
{
	assert(!ex->is_watched);
	ex->is_watched = true;
	ex->watch =
	    (struct mounter_job){ .what = MOUNTER_WATCH, .path = ex->job.path, .done = watch_done };
	mounter_run(fusepool_mounter(ex->pool), ex->loop, &ex->watch);
}

/* ---- what the mounter did ---- */

/* Have the connection held from before the first answer.  Without memory for it, it is not. */
static void
have_held(struct export *ex)
{
	struct export_held held;

	if (ex->events->hold == NULL || fusestate_new(ex->job.made_dir, &ex->since, &ex->state) < 0)
		return;
	for (unsigned i = 0; i < ex->node_slots; i++) {
		const struct fuse_node *node = ex->nodes[i];

		if (node == NULL)
			continue;
		fusestate_show(ex->state, i, node->name);
		fusestate_set_loss(ex->state, i, node->is_loss_due);
		if (node->disk.dev == NULL)
			fusestate_gone(ex->state, i);
	}
	ex->spill = fusepool_spill(ex->pool);
	held.device_fd = ex->fd.fd;
	held.state_fd = fusestate_fd(ex->state);
	ex->is_held = true;
	ex->events->hold(ex->user, &held);
}

/* There is a connection, or there is none: err. */
static void
connected(struct export *ex, int err)
{
	if (err == 0) {
		ex->fd.fd = fuse_session_fd(ex->se);
		ex->fd.ready = fuse_ready;
		err = loop_watch(ex->loop, &ex->fd, EPOLLIN);
		if (err < 0) { /* no memory for one descriptor: rare, and the only wait here */
			fuse_session_unmount(ex->se);
			ex->fd.fd = -1;
		}
	}
	if (err == 0 && ex->is_stopping) {
		cut(ex, ESHUTDOWN);
		return;
	}
	if (err < 0) {
		fuse_session_destroy(ex->se);
		ex->se = NULL;
		if (ex->is_stopping || !ex->was_shown)
			ended(ex, err);
		else
			try_later(ex);
		return;
	}
	go(ex, FUSE_SHOWN, MOUNTER_WATCH);
	watch(ex);
	if (ex->state == NULL)
		have_held(ex);
	if (ex->was_shown)
		tell_all(ex, NULL, true);
	else
		ex->events->started(ex->user, 0);
	ex->was_shown = true;
}

/* Where the connection that is taken over is mounted, or was: the watch will tell. */
static void
named(struct export *ex, int err)
{
	if (err == 0)
		err = fusetake_connect(ex);
	if (err == 0)
		err = fusetake_resend(ex);
	if (ex->taken_fd >= 0)
		close(ex->taken_fd);
	ex->taken_fd = -1;
	ex->is_held = err == 0;
	connected(ex, err);
}

static void
mounted_again(struct export *ex, int err)
{
	if (err == 0 && !ex->is_stopping && ex->fd.watched && !is_cut(ex)) {
		go(ex, FUSE_SHOWN, MOUNTER_WATCH);
		watch(ex);
		tell_all(ex, NULL, false);
		return;
	}
	/* There was nobody left who had it open, or it cannot be done twice (by ordinary users). */
	forget(ex);
	cut(ex, ex->is_stopping ? ESHUTDOWN : ENODEV);
}

static void
unmounted(struct export *ex)
{
	fuse_session_destroy(ex->se);
	ex->se = NULL;
	if (ex->is_stopping)
		ended(ex, 0);
	else if (ex->has_init)
		mount_anew(ex);
	else
		try_later(ex); /* what kept the last one from its first answer may not be over */
}

static void
job_done(struct mounter_job *job)
{
	struct export *ex = LIST_ENTRY(job, struct export, job);

	switch (job->what) {
	case MOUNTER_MOUNT:
		connected(ex, job->result);
		break;
	case MOUNTER_NAME:
		named(ex, job->result);
		break;
	case MOUNTER_AGAIN:
		mounted_again(ex, job->result);
		break;
	case MOUNTER_UNMOUNT:
		unmounted(ex);
		break;
	case MOUNTER_WATCH:
		break; /* watch_done() */
	}
}
