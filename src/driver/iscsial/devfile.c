#include "driver/iscsial/devfile.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cut.h"
#include "driver/call.h"
#include "driver/iscsi/settings.h"
#include "driver/iscsial/tree.h"
#include "export/loopdev.h"
#include "sys/log.h"

/* How long a closing session waits for its block devices to be written out. */
#define DEVFILE_DETACH_US 8000000

/* What the device files of a driver need to know together. */
struct devices {
	char no_loop[512];     /* why there are no loop devices; "": there are */
	struct list attaching; /* block devices that are being made */
};

struct work {
	struct list link; /* attaching */
	struct loopdev_job job;
	struct driver *d;
	struct hwpath path; /* the node's: looked up again when the job is done */
	bool is_install;    /* ours to remember, not only to restore */
	devfile_done *done;
	void *user;
	struct devfile_result result;
	void (*ready)(struct driver *d);
	struct detaching *all;
};

/* Some detach jobs whose end somebody waits for. */
struct detaching {
	struct driver *d;
	struct agenda_timer patience;
	unsigned left;
	void (*done)(void *user); /* NULL: told already */
	void *user;
};

/* ---- paths and links ---- */

void
devfile_file(const struct driver *d, const struct node *n, char *ret_path)
{
	(void)snprintf(ret_path, PATH_MAX, "%s/%u/%s", d->paths.disks, n->path.part[2],
	    n->name); /* paths_init() sees to it that this fits */
}

void
devfile_dsk(const struct driver *d, const struct node *n, char *ret_path)
{
	(void)snprintf(ret_path, PATH_MAX, "%s/%s", d->paths.dsk, n->name);
}

void
devfile_rdsk(const struct driver *d, const struct node *n, char *ret_path)
{
	(void)snprintf(ret_path, PATH_MAX, "%s/%s", d->paths.rdsk, n->name);
}

/* The link changes in one step: whoever opens it finds the old or the new one. */
static bool
make_link(const char *path, const char *to, struct fault *ret_fault)
{
	char temporary[PATH_MAX];
	int n = snprintf(temporary, sizeof temporary, "%s.new", path);

	if (n < 0 || (size_t)n >= sizeof temporary)
		errno = ENAMETOOLONG;
	else if ((unlink(temporary) == 0 || errno == ENOENT) && symlink(to, temporary) == 0 &&
		 rename(temporary, path) == 0)
		return true;
	fault_set(ret_fault, FAULT_INTERNAL, "check the directory and its permissions",
	    "cannot make %s: %s", path, strerror(errno));
	return false;
}

static void
drop_link(const char *path)
{
	if (unlink(path) != 0 && errno != ENOENT)
		log_warn("cannot remove %s: %s", path, strerror(errno));
}

static void
drop_links(const struct driver *d, const struct node *n)
{
	char path[PATH_MAX];

	devfile_dsk(d, n, path);
	drop_link(path);
	devfile_rdsk(d, n, path);
	drop_link(path);
}

static bool
has_links(const struct driver *d, const struct node *n)
{
	char path[PATH_MAX], to[8];

	devfile_dsk(d, n, path);
	if (readlink(path, to, sizeof to) < 0)
		return false;
	devfile_rdsk(d, n, path);
	return readlink(path, to, sizeof to) >= 0;
}

/* ---- jobs ---- */

static struct work *
work_new(struct driver *d, const struct node *n, devfile_done *done, void *user)
{
	struct work *w = call_alloc(sizeof *w);

	w->d = d;
	w->done = done;
	w->user = user;
	w->job.user = w;
	w->job.number = TREE_NO_LOOP;
	list_init(&w->link);
	if (n != NULL) {
		w->path = n->path;
		w->job.number = n->loop;
		devfile_file(d, n, w->job.file);
	}
	return w;
}

static void
finish(void *arg)
{
	struct work *w = arg;

	w->result.node = tree_find(w->d->tree, &w->path);
	if (w->result.fault.is_set && w->done == NULL)
		log_err("%s", w->result.fault.message);
	if (w->done != NULL)
		w->done(w->user, &w->result);
	free(w);
}

static void
run(struct work *w, enum loopdev_what what, void (*done)(struct loopdev_job *job))
{
	w->job.what = what;
	w->job.done = done;
	w->d->loop_jobs++;
	loopdev_run(w->d->loopdev, &w->job);
}

/* ---- install and restore ---- */

static void one_detached(struct detaching *a);

static void
detached_stray(struct loopdev_job *job)
{
	struct work *w = job->user;

	w->d->loop_jobs--;
	if (w->all != NULL)
		one_detached(w->all);
	free(w);
}

/* The links, and the registry's row where it is ours to write. */
static void
write_down(struct work *w, struct node *n, const char *block)
{
	struct driver *d = w->d;
	char dsk[PATH_MAX], rdsk[PATH_MAX], file[PATH_MAX];
	struct fault *f = &w->result.fault;

	devfile_file(d, n, file);
	devfile_dsk(d, n, dsk);
	devfile_rdsk(d, n, rdsk);
	if (w->is_install && registry_device_add(d->reg, n->hw_path, n->name) != 0) {
		settings_fault(d->reg, f);
		return;
	}
	n->is_installed = true;
	if (!make_link(rdsk, file, f) || !make_link(dsk, block != NULL ? block : file, f))
		return;
	w->result.is_made = true;
}

/* The disk went away while its block device was made. */
static void
undo_attach(struct work *w)
{
	struct work *stray;

	if (w->done != NULL)
		fault_set(&w->result.fault, FAULT_OFFLINE, "scan, then try again",
		    "the disk went away while its block device was made");
	if (w->job.result != 0) {
		if (w->all != NULL)
			one_detached(w->all);
		return;
	}
	stray = work_new(w->d, NULL, NULL, NULL);
	stray->all = w->all;
	stray->job.number = w->job.number;
	stray->job.is_forced = true;
	cut_copy(stray->job.file, sizeof stray->job.file, w->job.file);
	run(stray, LOOPDEV_DETACH, detached_stray);
}

static void
attached(struct loopdev_job *job)
{
	struct work *w = job->user;
	struct node *n = tree_find(w->d->tree, &w->path);

	w->d->loop_jobs--;
	list_remove(&w->link);
	if (n != NULL)
		n->is_attaching = false;
	if (n == NULL || !n->is_shown || (!w->is_install && !n->is_installed)) {
		undo_attach(w);
	} else if (job->result == 0) {
		n->loop = job->number;
		write_down(w, n, job->path);
	} else {
		/* The disk itself works: it is used as a file. */
		cut_copy(w->result.note, sizeof w->result.note, job->why);
		log_warn("disk %s has no block device: %s", n->name, job->why);
		write_down(w, n, NULL);
	}
	finish(w);
}

static void
make(struct work *w, struct node *n)
{
	if (w->d->devices->no_loop[0] != '\0') {
		cut_copy(w->result.note, sizeof w->result.note, w->d->devices->no_loop);
		write_down(w, n, NULL);
		call_post(w->d->loop, finish, w);
		return;
	}
	w->job.block_bytes = n->info->capacity.block_bytes;
	w->job.is_read_only = n->info->has_mode && n->info->mode.is_write_protected;
	n->is_attaching = true;
	list_push_back(&w->d->devices->attaching, &w->link);
	run(w, LOOPDEV_ATTACH, attached);
}

void
devfile_install(struct driver *d, struct node *n, bool anew, devfile_done *done, void *user)
{
	struct work *w = work_new(d, n, done, user);
	char block[32];

	w->is_install = true;
	if (!n->is_shown) {
		fault_set(&w->result.fault, FAULT_OFFLINE, "scan, then try again",
		    "%s is not there now, so it can have no device files", n->hw_path);
		call_post(d->loop, finish, w);
	} else if (n->is_installed && has_links(d, n) && !anew) {
		call_post(d->loop, finish, w);
	} else if (n->loop != TREE_NO_LOOP) {
		/* The block device stays what it is; only its links are made anew. */
		(void)snprintf(block, sizeof block, "/dev/loop%d", n->loop);
		write_down(w, n, block);
		call_post(d->loop, finish, w);
	} else {
		make(w, n);
	}
}

void
devfile_restore(struct driver *d, struct node *n)
{
	if (n->loop == TREE_NO_LOOP || !has_links(d, n))
		make(work_new(d, n, NULL, NULL), n);
}

/* ---- remove and detach ---- */

static void
forget(struct work *w, struct node *n)
{
	int err;

	n->loop = TREE_NO_LOOP;
	n->is_in_use = false;
	drop_links(w->d, n);
	err = registry_device_remove(w->d->reg, n->name);
	if (err != 0 && err != -ENOENT) {
		settings_fault(w->d->reg, &w->result.fault);
		return;
	}
	n->is_installed = false;
	/* What stands at this path next may be another unit. */
	if (n->is_replaced && registry_identity_remove(w->d->reg, n->hw_path) != 0)
		settings_fault(w->d->reg, &w->result.fault);
	w->result.is_made = true;
}

static void
removed(struct loopdev_job *job)
{
	struct work *w = job->user;
	struct node *n = tree_find(w->d->tree, &w->path);

	w->d->loop_jobs--;
	if (job->result == -EBUSY)
		fault_set(&w->result.fault, FAULT_BUSY,
		    "unmount it or end what uses it, or force the removal", "%s", job->why);
	else if (job->result != 0 && job->result != -ENXIO)
		fault_set(
		    &w->result.fault, FAULT_INTERNAL, "look at the system's log", "%s", job->why);
	else if (n != NULL)
		forget(w, n);
	finish(w);
}

void
devfile_remove(struct driver *d, struct node *n, bool is_forced, devfile_done *done, void *user)
{
	struct work *w = work_new(d, n, done, user);

	if (n->loop != TREE_NO_LOOP) {
		w->job.is_forced = is_forced;
		run(w, LOOPDEV_DETACH, removed);
		return;
	}
	forget(w, n);
	call_post(d->loop, finish, w);
}

static void
one_detached(struct detaching *a)
{
	void (*done)(void *user) = a->done;

	a->left--;
	if (a->left == 0 && done != NULL) {
		a->done = NULL;
		agenda_clear(loop_agenda(a->d->loop), &a->patience);
		done(a->user);
	}
	if (a->left == 0)
		free(a);
}

static void
detached(struct loopdev_job *job)
{
	struct work *w = job->user;

	w->d->loop_jobs--;
	if (job->result != 0 && job->result != -ENXIO)
		log_warn("%s", job->why);
	if (w->all != NULL)
		one_detached(w->all);
	free(w);
}

static void
detach(struct driver *d, struct node *n, struct detaching *all)
{
	struct work *w;

	if (n->is_installed)
		drop_links(d, n);
	if (n->loop == TREE_NO_LOOP)
		return;
	w = work_new(d, n, NULL, NULL);
	w->job.is_forced = true;
	w->all = all;
	if (all != NULL)
		all->left++;
	n->loop = TREE_NO_LOOP;
	run(w, LOOPDEV_DETACH, detached);
}

void
devfile_detach(struct driver *d, struct node *n)
{
	detach(d, n, NULL);
}

static void
impatient(struct agenda_timer *t)
{
	struct detaching *a = LIST_ENTRY(t, struct detaching, patience);
	void (*done)(void *user) = a->done;

	log_warn("a block device takes long to be written out: its disk is closed all the same");
	a->done = NULL;
	done(a->user);
}

static void
none_to_detach(void *arg)
{
	one_detached(arg);
}

void
devfile_detach_session(struct driver *d, uint32_t instance, void (*done)(void *user), void *user)
{
	struct detaching *a = call_alloc(sizeof *a);

	a->d = d;
	a->done = done;
	a->user = user;
	a->left = 1;
	a->patience.expired = impatient;
	for (size_t i = 0; i < d->tree->n; i++) {
		struct node *n = d->tree->nodes[i];

		if (n->kind != TREE_LUN || n->path.part[2] != instance)
			continue;
		n->is_shown = false;
		detach(d, n, a);
	}
	/* One that is being made is given back as soon as it is there. */
	LIST_EACH(node, tmp, &d->devices->attaching)
	{
		struct work *w = LIST_ENTRY(node, struct work, link);

		if (w->path.part[2] == instance && w->all == NULL) {
			w->all = a;
			a->left++;
		}
	}
	agenda_set(
	    loop_agenda(d->loop), &a->patience, loop_now_update(d->loop) + DEVFILE_DETACH_US);
	call_post(d->loop, none_to_detach, a);
}

/* ---- resize ---- */

static void
grown(struct loopdev_job *job)
{
	struct work *w = job->user;

	w->d->loop_jobs--;
	if (job->result != 0)
		log_warn("%s", job->why);
	free(w);
}

void
devfile_resize(struct driver *d, struct node *n)
{
	if (n->loop != TREE_NO_LOOP)
		run(work_new(d, n, NULL, NULL), LOOPDEV_GROW, grown);
}

/* ---- start ---- */

static void
swept(struct loopdev_job *job)
{
	struct work *w = job->user;

	w->d->loop_jobs--;
	if (job->result != 0)
		log_warn("%s", job->why);
	else if (job->count > 0)
		log_note("%u loop devices of an earlier run were given back", job->count);
	w->ready(w->d);
	free(w);
}

static void
ready_later(void *arg)
{
	struct work *w = arg;

	w->ready(w->d);
	free(w);
}

void
devfile_start(struct driver *d, void (*ready)(struct driver *d))
{
	struct work *w = work_new(d, NULL, NULL, NULL);

	w->ready = ready;
	d->devices = call_alloc(sizeof *d->devices);
	list_init(&d->devices->attaching);
	if (loopdev_check(d->devices->no_loop, sizeof d->devices->no_loop) != 0) {
		log_info("disks have no block devices: %s", d->devices->no_loop);
		call_post(d->loop, ready_later, w);
		return;
	}
	d->devices->no_loop[0] = '\0';
	(void)snprintf(w->job.file, sizeof w->job.file, "%s/", d->paths.disks);
	run(w, LOOPDEV_SWEEP, swept);
}

void
devfile_end(struct driver *d)
{
	free(d->devices);
	d->devices = NULL;
}
