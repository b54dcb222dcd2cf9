#include "export/fusetest.h"

#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "export/mounts.h"

const char *
fusetest_obstacle(void)
{
	int fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return "no access to /dev/fuse";
	close(fd);
	return geteuid() == 0 ? NULL : "not root";
}

int
fusetest_main(const char *name, const struct CMUnitTest *tests, size_t n)
{
	const char *obstacle = fusetest_obstacle();

	if (obstacle != NULL) {
		printf("skipped: %s\n", obstacle);
		return 77;
	}
	return _cmocka_run_group_tests(name, tests, n, NULL, NULL);
}

static bool
see_mount(const struct mounts_row *row, void *user)
{
	return strcmp(row->path, user) == 0;
}

bool
fusetest_is_mounted(const char *path)
{
	return mounts_each(see_mount, (void *)path);
}

void
fusetest_call(struct fusetest *t, void (*fn)(void *arg), void *arg)
{
	worker_call(t->worker, fn, arg);
}

/* ---- events ---- */

static void
note(struct fusetest_ex *x, bool *flag, unsigned *count)
{
	pthread_mutex_lock(&x->lock);
	if (flag != NULL)
		*flag = true;
	if (count != NULL)
		++*count;
	pthread_cond_broadcast(&x->changed);
	pthread_mutex_unlock(&x->lock);
	if (x->loop != NULL)
		loop_stop(x->loop);
}

static void
on_started(void *user, int err)
{
	struct fusetest_ex *x = user;

	x->err = err;
	note(x, &x->is_started, NULL);
}

static void
on_gone(void *user, struct blk_dev *dev, const char *why)
{
	struct fusetest_ex *x = user;

	(void)dev;
	assert_true(why[0] != '\0');
	note(x, NULL, &x->gone);
}

static void
on_back(void *user, struct blk_dev *dev, bool is_new)
{
	struct fusetest_ex *x = user;

	(void)dev;
	x->back_new += is_new; /* before back: whoever waits for that looks at it */
	note(x, NULL, &x->back);
}

static void
on_let_go(void *user, struct blk_dev *dev)
{
	struct fusetest_ex *x = user;

	(void)dev;
	note(x, NULL, &x->let_go);
}

static void
on_stopped(void *user)
{
	struct fusetest_ex *x = user;

	note(x, &x->is_stopped, NULL);
}

const struct export_events fusetest_events = {
	.started = on_started,
	.gone = on_gone,
	.back = on_back,
	.let_go = on_let_go,
	.stopped = on_stopped,
};

void
fusetest_ex_init(struct fusetest_ex *x)
{
	*x = (struct fusetest_ex){ .ex = NULL };
	pthread_mutex_init(&x->lock, NULL);
	pthread_cond_init(&x->changed, NULL);
}

void
fusetest_ex_fini(struct fusetest_ex *x)
{
	pthread_cond_destroy(&x->changed);
	pthread_mutex_destroy(&x->lock);
}

static void
await(struct fusetest_ex *x, const bool *flag)
{
	pthread_mutex_lock(&x->lock);
	while (!*flag)
		pthread_cond_wait(&x->changed, &x->lock); /* the guard ends what never comes */
	pthread_mutex_unlock(&x->lock);
}

int
fusetest_await_start(struct fusetest_ex *x)
{
	await(x, &x->is_started);
	return x->err;
}

void
fusetest_await_stop(struct fusetest_ex *x)
{
	await(x, &x->is_stopped);
}

void
fusetest_await_count(struct fusetest_ex *x, const unsigned *count, unsigned least)
{
	pthread_mutex_lock(&x->lock);
	while (*count < least)
		pthread_cond_wait(&x->changed, &x->lock); /* the guard ends what never comes */
	pthread_mutex_unlock(&x->lock);
}

int
fusetest_start_on(struct loop *loop, const char *dir, struct fusetest_ex *x)
{
	int err;

	fusetest_ex_init(x);
	err = export_find("fuse")->start(loop, dir, &fusetest_events, x, &x->ex);
	x->loop = loop;
	while (err == 0 && !x->is_started)
		err = loop_run(loop);
	return err != 0 ? err : x->err;
}

void
fusetest_stop_on(struct fusetest_ex *x)
{
	export_find("fuse")->stop(x->ex);
	while (!x->is_stopped)
		assert_int_equal(loop_run(x->loop), 0);
	fusetest_ex_fini(x);
}

/* ---- a mount ---- */

static void
start_there(void *arg)
{
	struct fusetest *t = arg;
	int err = export_find("fuse")->start(
	    worker_loop(t->worker), t->dir, &fusetest_events, &t->x, &t->ex);

	if (err < 0)
		on_started(&t->x, err);
}

bool
fusetest_try(struct fusetest *t)
{
	int err;

	t->x.is_started = t->x.is_stopped = false;
	fusetest_call(t, start_there, t);
	err = fusetest_await_start(&t->x);
	if (err < 0) {
		fprintf(stderr, "start: %s\n", strerror(-err));
		t->ex = NULL;
	}
	return err == 0;
}

void
fusetest_start(struct fusetest *t)
{
	memset(t, 0, sizeof *t);
	fusetest_ex_init(&t->x);
	pthread_mutex_init(&t->lock, NULL);
	pthread_cond_init(&t->submitted, NULL);
	snprintf(t->base, sizeof t->base, "/tmp/openisw-fuse-XXXXXX");
	assert_non_null(mkdtemp(t->base));
	guard_begin(&t->guard, t->base, 60);
	snprintf(t->dir, sizeof t->dir, "%s/0", t->base);
	t->worker = worker_new("export", -1);
	assert_non_null(t->worker);
	assert_true(fusetest_try(t));
}

struct adding {
	struct fusetest *t;
	const char *name;
	uint64_t size_bytes;
	uint32_t block_bytes;
	struct memdev *m;
};

static void
note_submit(struct memdev *m, const struct blk_req *r)
{
	struct fusetest_dev *d = m->user;

	pthread_mutex_lock(&d->t->lock);
	d->submitted[r->op]++;
	pthread_cond_broadcast(&d->t->submitted);
	pthread_mutex_unlock(&d->t->lock);
}

static void
add_there(void *arg)
{
	struct adding *a = arg;
	struct fusetest_dev *d = &a->t->devs[a->t->dev_count];

	a->m = memdev_new(worker_loop(a->t->worker), a->name, a->size_bytes, a->block_bytes);
	if (a->m == NULL || export_find("fuse")->add(a->t->ex, &a->m->dev) < 0)
		return;
	d->m = a->m;
	d->t = a->t;
	d->m->on_submit = note_submit;
	d->m->user = d;
	a->t->dev_count++;
}

struct memdev *
fusetest_add(struct fusetest *t, const char *name, uint64_t size_bytes, uint32_t block_bytes)
{
	struct adding a = { t, name, size_bytes, block_bytes, NULL };

	assert_true(t->dev_count < FUSETEST_DEVS);
	fusetest_call(t, add_there, &a);
	assert_true(a.m != NULL && a.m->user != NULL);
	return a.m;
}

static void
stop_there(void *arg)
{
	struct fusetest *t = arg;

	export_find("fuse")->stop(t->ex);
	t->ex = NULL;
}

void
fusetest_stop(struct fusetest *t)
{
	fusetest_call(t, stop_there, t);
	fusetest_await_stop(&t->x);
}

static void
end_there(void *arg)
{
	struct fusetest *t = arg;

	for (unsigned i = 0; i < t->dev_count; i++) {
		while (t->devs[i].m->queued > 0)
			memdev_fail_all(t->devs[i].m, -ENXIO);
		memdev_free(t->devs[i].m);
	}
}

void
fusetest_end(struct fusetest *t)
{
	if (t->ex != NULL)
		fusetest_stop(t);
	fusetest_call(t, end_there, t);
	worker_free(t->worker);
	fusetest_ex_fini(&t->x);
	pthread_cond_destroy(&t->submitted);
	pthread_mutex_destroy(&t->lock);
	assert_int_equal(rmdir(t->base), 0);
	guard_end(&t->guard);
}

struct removing {
	struct fusetest *t;
	struct memdev *m;
	bool force;
	int result;
};

static void
remove_there(void *arg)
{
	struct removing *r = arg;

	r->result = export_find("fuse")->remove(r->t->ex, &r->m->dev, r->force);
}

int
fusetest_remove(struct fusetest *t, struct memdev *m, bool force)
{
	struct removing r = { t, m, force, 0 };

	fusetest_call(t, remove_there, &r);
	return r.result;
}

static void
openers_there(void *arg)
{
	struct removing *r = arg;

	r->result = (int)export_find("fuse")->openers(r->t->ex, &r->m->dev);
}

unsigned
fusetest_openers(struct fusetest *t, struct memdev *m)
{
	struct removing r = { t, m, false, 0 };
	struct stat st;

	/* A release that the kernel sent already comes before the answer to this. */
	assert_int_equal(stat(t->dir, &st), 0);
	fusetest_call(t, openers_there, &r);
	return (unsigned)r.result;
}

static void
hold_there(void *arg)
{
	struct memdev *m = arg;

	m->hold = true;
}

void
fusetest_hold(struct fusetest *t, struct memdev *m)
{
	fusetest_call(t, hold_there, m);
}

static void
release_there(void *arg)
{
	memdev_release(arg);
}

void
fusetest_release(struct fusetest *t, struct memdev *m)
{
	fusetest_call(t, release_there, m);
}

void
fusetest_await(struct fusetest *t, struct memdev *m, enum blk_op op, unsigned long count)
{
	const struct fusetest_dev *d = m->user;

	pthread_mutex_lock(&t->lock);
	while (d->submitted[op] < count)
		pthread_cond_wait(&t->submitted, &t->lock); /* the guard ends what never comes */
	pthread_mutex_unlock(&t->lock);
}

const char *
fusetest_path(const struct fusetest *t, const char *name)
{
	static _Thread_local char path[128];

	snprintf(path, sizeof path, "%s/%s", t->dir, name);
	return path;
}

int
fusetest_open(const struct fusetest *t, const char *name, int flags)
{
	int fd = open(fusetest_path(t, name), flags | O_CLOEXEC, 0600);

	if (fd < 0)
		fprintf(stderr, "open %s: %s\n", fusetest_path(t, name), strerror(errno));
	assert_true(fd >= 0);
	return fd;
}
