/* The fuse exporter when something goes wrong. */
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/limits.h"
#include "export/fusetest.h"
#include "export/mounts.h"

#define MIB (1u << 20)

/* A read or write in a thread of its own. */
struct caller {
	pthread_t thread;
	int fd;
	bool is_write;
	off_t off;
	ssize_t n;
	int err;
	uint8_t buf[8192];
};

static void *
caller_run(void *arg)
{
	struct caller *c = arg;

	c->n = c->is_write ? pwrite(c->fd, c->buf, sizeof c->buf, c->off)
			   : pread(c->fd, c->buf, sizeof c->buf, c->off);
	c->err = c->n < 0 ? errno : 0;
	return NULL;
}

static void
call_begin(struct caller *c, int fd, bool is_write, off_t off)
{
	c->fd = fd;
	c->is_write = is_write;
	c->off = off;
	memset(c->buf, 0x5a, sizeof c->buf);
	assert_int_equal(pthread_create(&c->thread, NULL, caller_run, c), 0);
}

static bool
see_mount(const struct mounts_row *row, void *user)
{
	return strcmp(row->path, user) == 0;
}

static void
errors_of_the_device_reach_the_caller(void **state)
{
	static const int errors[] = { EIO, ENOSPC, EROFS, ENXIO, ESHUTDOWN };
	struct fusetest t;
	struct memdev *m;
	char buf[4096] = { 0 };
	int fd;

	(void)state;
	fusetest_start(&t);
	m = fusetest_add(&t, "d", MIB, 512);
	fd = fusetest_open(&t, "d", O_RDWR);
	for (unsigned i = 0; i < sizeof errors / sizeof errors[0]; i++) {
		m->fail[BLK_READ] = m->fail[BLK_WRITE] = -errors[i];
		assert_int_equal(pread(fd, buf, 4096, 0), -1);
		assert_int_equal(errno, errors[i]);
		assert_int_equal(pwrite(fd, buf, 4096, 0), -1);
		assert_int_equal(errno, errors[i]);
		assert_int_equal(pwrite(fd, buf, 1, 0), -1);
		assert_int_equal(errno, errors[i]);
	}
	m->fail[BLK_READ] = m->fail[BLK_WRITE] = 0;
	/* One bad block: never a short read in silence. */
	m->bad_from = 2048;
	m->bad_to = 2049;
	assert_int_equal(pread(fd, buf, 4096, 0), -1);
	assert_int_equal(errno, EIO);
	assert_int_equal(pread(fd, buf, 2048, 0), 2048);
	close(fd);
	fusetest_end(&t);
}

static void
a_device_that_is_open_is_removed_only_by_force_and_then_gives_enxio(void **state)
{
	struct fusetest t;
	struct memdev *m, *again;
	struct caller held;
	struct stat st;
	char buf[512];
	int fd;

	(void)state;
	fusetest_start(&t);
	m = fusetest_add(&t, "d", MIB, 512);
	fd = fusetest_open(&t, "d", O_RDWR);
	assert_int_equal(fusetest_openers(&t, m), 1);
	assert_int_equal(fusetest_remove(&t, m, false), -EBUSY);
	fusetest_hold(&t, m);
	call_begin(&held, fd, true, 8192);
	fusetest_await(&t, m, BLK_WRITE, 1);

	assert_int_equal(fusetest_remove(&t, m, true), 0);
	assert_int_equal(pread(fd, buf, 512, 0), -1);
	assert_int_equal(errno, ENXIO);
	assert_int_equal(pwrite(fd, buf, 512, 0), -1);
	assert_int_equal(errno, ENXIO);
	assert_int_equal(stat(fusetest_path(&t, "d"), &st), -1);
	assert_int_equal(errno, ENOENT);
	/* What the device has is answered when it answers, and not before. */
	assert_int_equal(pthread_tryjoin_np(held.thread, NULL), EBUSY);
	fusetest_release(&t, m);
	pthread_join(held.thread, NULL);
	assert_int_equal(held.n, sizeof held.buf);
	assert_int_equal(fsync(fd), -1); /* the kernel lets it wait for writes under way */
	assert_int_equal(errno, ENXIO);

	/* A new device of that name is another file. */
	again = fusetest_add(&t, "d", 2 * MIB, 512);
	assert_int_equal(stat(fusetest_path(&t, "d"), &st), 0);
	assert_int_equal(st.st_size, 2 * MIB);
	assert_int_equal(pread(fd, buf, 512, 0), -1);
	assert_int_equal(errno, ENXIO);
	close(fd);
	assert_int_equal(fusetest_openers(&t, again), 0);
	assert_int_equal(fusetest_remove(&t, again, false), 0);
	fusetest_end(&t);
}

static void
stop_unmounts_and_ends_what_is_outstanding(void **state)
{
	struct fusetest t;
	struct memdev *m;
	struct caller r, w, partial;
	char dir[80], buf[512];
	int fd;

	(void)state;
	fusetest_start(&t);
	m = fusetest_add(&t, "d", MIB, 512);
	snprintf(dir, sizeof dir, "%s", t.dir);
	assert_true(mounts_each(see_mount, dir));
	fd = fusetest_open(&t, "d", O_RDWR);
	fusetest_hold(&t, m);
	call_begin(&r, fd, false, 0);
	/* It reads its edges; what comes then is a request that did not pass. */
	call_begin(&partial, fd, true, 100001);
	fusetest_await(&t, m, BLK_READ, 2);
	call_begin(&w, fd, true, 16384);
	fusetest_await(&t, m, BLK_WRITE, 1);
	fusetest_stop(&t);
	pthread_join(r.thread, NULL);
	pthread_join(w.thread, NULL);
	pthread_join(partial.thread, NULL);
	assert_true(r.n < 0 && w.n < 0 && partial.n < 0);
	assert_int_equal(pread(fd, buf, 512, 0), -1);
	close(fd);
	assert_false(mounts_each(see_mount, dir));
	assert_int_equal(access(dir, F_OK), -1); /* it was ours, and is gone */
	/* The device still has their memory; that it answers now does no harm. */
	assert_true(m->queued > 0);
	fusetest_release(&t, m);
	fusetest_end(&t);
}

/* The connection is cut first: the exporter may be faster to take the mount away then. */
static void
cut_mount(const char *dir)
{
	assert_true(umount2(dir, MNT_FORCE | MNT_DETACH) == 0 || errno == EINVAL);
}

/* Write and read through the file, opened anew. */
static void
use_file(const struct fusetest *t, int fill)
{
	char buf[512], got[512];
	int fd = fusetest_open(t, "d", O_RDWR);

	memset(buf, fill, sizeof buf);
	assert_int_equal(pwrite(fd, buf, sizeof buf, 0), sizeof buf);
	assert_int_equal(pread(fd, got, sizeof got, 0), sizeof got);
	assert_memory_equal(buf, got, sizeof buf);
	close(fd);
}

static void
a_mount_that_is_cut_with_requests_under_way_is_made_again(void **state)
{
	struct fusetest t;
	struct memdev *m;
	struct caller r;
	char byte;
	int fd;

	(void)state;
	fusetest_start(&t);
	m = fusetest_add(&t, "d", MIB, 512);
	fd = fusetest_open(&t, "d", O_RDWR);
	fusetest_hold(&t, m);
	call_begin(&r, fd, false, 0);
	fusetest_await(&t, m, BLK_READ, 1);
	cut_mount(t.dir);
	pthread_join(r.thread, NULL);
	assert_true(r.n < 0);
	fusetest_await_count(&t.x, &t.x.back, 1);
	assert_int_equal(t.x.back_new, 1);
	assert_int_equal(t.x.gone, 1);
	/* Who had it open has nothing; who opens it again has the disk. */
	assert_int_equal(pread(fd, &byte, 1, 0), -1);
	close(fd);
	fusetest_release(&t, m);
	assert_int_equal(fusetest_openers(&t, m), 0);
	use_file(&t, 0x71);
	fusetest_stop(&t);
	assert_false(mounts_each(see_mount, t.dir));
	fusetest_end(&t);
}

static void
a_mount_that_is_taken_away_while_a_file_is_open_comes_back_and_the_file_goes_on(void **state)
{
	struct fusetest t;
	struct memdev *m;
	char buf[512] = { 0x17 };
	int fd;

	(void)state;
	fusetest_start(&t);
	m = fusetest_add(&t, "d", MIB, 512);
	fd = fusetest_open(&t, "d", O_RDWR);
	for (unsigned i = 1; i <= 3; i++) {
		assert_int_equal(umount2(t.dir, MNT_DETACH), 0);
		fusetest_await_count(&t.x, &t.x.back, i);
		assert_int_equal(t.x.gone, i);
		assert_true(mounts_each(see_mount, t.dir));
		assert_int_equal(pwrite(fd, buf, sizeof buf, 512), sizeof buf);
		use_file(&t, (int)i);
	}
	assert_int_equal(t.x.back_new, 0);
	assert_int_equal(fusetest_openers(&t, m), 1);
	close(fd);
	fusetest_end(&t);
}

static void
a_mount_that_is_taken_away_unused_comes_back(void **state)
{
	struct fusetest t;

	(void)state;
	fusetest_start(&t);
	fusetest_add(&t, "d", MIB, 512);
	for (unsigned i = 1; i <= 3; i++) {
		assert_int_equal(umount2(t.dir, MNT_DETACH), 0);
		/* New or not: another name space may have it still. */
		fusetest_await_count(&t.x, &t.x.back, i);
		use_file(&t, (int)i);
	}
	fusetest_end(&t);
}

static void
stop_is_heard_whatever_the_mount_is_doing(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 20; i++) {
		struct fusetest t;
		int fd = -1;

		fusetest_start(&t);
		fusetest_add(&t, "d", MIB, 512);
		if (i % 2 == 0)
			fd = fusetest_open(&t, "d", O_RDONLY);
		if (i % 4 < 2)
			assert_int_equal(umount2(t.dir, MNT_DETACH), 0);
		else
			cut_mount(t.dir);
		if (i % 3 == 0)
			fusetest_await_count(&t.x, &t.x.gone, 1);
		fusetest_stop(&t);
		assert_false(mounts_each(see_mount, t.dir));
		if (fd >= 0)
			close(fd);
		fusetest_end(&t);
	}
}

static void
a_killed_writer_waits_until_the_device_has_answered(void **state)
{
	struct fusetest t;
	struct memdev *m;
	pid_t pid;
	int fd, status;

	(void)state;
	fusetest_start(&t);
	m = fusetest_add(&t, "d", MIB, 512);
	fd = fusetest_open(&t, "d", O_RDWR);
	fusetest_hold(&t, m);
	pid = fork();
	if (pid == 0) {
		static char buf[4096] = { 0x3c };

		_exit(pwrite(fd, buf, sizeof buf, 0) == sizeof buf ? 0 : 1);
	}
	fusetest_await(&t, m, BLK_WRITE, 1);
	kill(pid, SIGKILL);
	/* The kernel has sent an INTERRUPT, and reads go on beside it. */
	assert_int_equal(waitpid(pid, &status, WNOHANG), 0);
	fusetest_release(&t, m);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(m->mem[0], 0x3c);
	assert_int_equal(m->answered[BLK_WRITE], 1);
	close(fd);
	fusetest_end(&t);
}

/* Serve `dir` in a child; returns when it is mounted. */
static pid_t
serve_in_child(const char *dir)
{
	int pipefd[2];
	char byte;
	pid_t pid;

	assert_int_equal(pipe(pipefd), 0);
	pid = fork();
	if (pid == 0) {
		struct loop *l = loop_new();
		struct memdev *m = memdev_new(l, "d", MIB, 512);
		struct fusetest_ex x;

		if (fusetest_start_on(l, dir, &x) < 0 ||
		    export_find("fuse")->add(x.ex, &m->dev) < 0 || write(pipefd[1], "", 1) != 1)
			_exit(1);
		for (;;)
			loop_run(l);
	}
	close(pipefd[1]);
	assert_int_equal(read(pipefd[0], &byte, 1), 1);
	close(pipefd[0]);
	return pid;
}

static void
a_stale_mount_is_cleaned_up_and_a_live_one_is_left_alone(void **state)
{
	char base[] = "/tmp/openisw-fuse-XXXXXX", dir[80], file[96];
	struct loop *l = loop_new();
	struct fusetest_ex x;
	struct stat st;
	struct guard guard;
	pid_t pid;
	int fd;

	(void)state;
	assert_non_null(mkdtemp(base));
	guard_begin(&guard, base, 60);
	snprintf(dir, sizeof dir, "%s/disk", base);
	snprintf(file, sizeof file, "%s/d", dir);
	pid = serve_in_child(dir);
	fd = open(file, O_RDONLY);
	assert_true(fd >= 0);
	assert_int_equal(fusetest_start_on(l, dir, &x), -EBUSY);
	assert_true(mounts_each(see_mount, dir));
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_int_equal(stat(dir, &st), -1);
	assert_int_equal(errno, ENOTCONN);

	/* Also while somebody has a file of it open; and twice, one mount on another. */
	pid = serve_in_child(dir);
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_int_equal(fusetest_start_on(l, dir, &x), 0);
	fusetest_stop_on(&x);
	assert_false(mounts_each(see_mount, dir));
	close(fd);
	loop_free(l);
	rmdir(dir); /* the child had made it */
	assert_int_equal(rmdir(base), 0);
	guard_end(&guard);
}

static void
a_mount_of_another_kind_is_not_taken_away(void **state)
{
	char base[] = "/tmp/openisw-fuse-XXXXXX";
	struct loop *l = loop_new();
	struct fusetest_ex x;

	(void)state;
	assert_non_null(mkdtemp(base));
	assert_int_equal(mount("none", base, "tmpfs", 0, "size=64k"), 0);
	assert_int_equal(fusetest_start_on(l, base, &x), -EBUSY);
	assert_int_equal(umount(base), 0);
	assert_int_equal(fusetest_start_on(l, "/nonexistent/here/disk", &x), -ENOENT);
	rmdir(base);
	loop_free(l);
}

/* More megabytes than the exporter takes at once, and fewer requests than the kernel lets wait. */
#define MANY 200

/* Queue MANY reads of 1 MiB, all into the same memory. */
static void
submit_many(aio_context_t ctx, int fd, uint8_t *mem)
{
	static struct iocb cbs[MANY];
	struct iocb *ptrs[MANY];

	for (unsigned i = 0; i < MANY; i++) {
		memset(&cbs[i], 0, sizeof cbs[i]);
		cbs[i].aio_fildes = (uint32_t)fd;
		cbs[i].aio_lio_opcode = IOCB_CMD_PREAD;
		cbs[i].aio_buf = (uintptr_t)mem;
		cbs[i].aio_nbytes = MIB;
		ptrs[i] = &cbs[i];
	}
	assert_int_equal(syscall(SYS_io_submit, ctx, MANY, ptrs), MANY);
}

struct neighbour {
	struct fusetest *t;
	struct fusetest_ex x;
	struct memdev *m;
	char dir[80];
	int err;
};

static void
neighbour_start(void *arg)
{
	struct neighbour *n = arg;

	n->m = memdev_new(worker_loop(n->t->worker), "d", MIB, 512);
	n->err = export_find("fuse")->start(
	    worker_loop(n->t->worker), n->dir, &fusetest_events, &n->x, &n->x.ex);
	if (n->err == 0)
		n->err = export_find("fuse")->add(n->x.ex, &n->m->dev);
}

static void
neighbour_stop(void *arg)
{
	struct neighbour *n = arg;

	export_find("fuse")->stop(n->x.ex);
	memdev_free(n->m);
}

static void
a_queue_beyond_the_limit_waits_and_a_neighbour_goes_on(void **state)
{
	static uint8_t mem[MIB] __attribute__((aligned(4096)));
	struct io_event events[MANY];
	aio_context_t ctx = 0;
	struct fusetest t;
	struct neighbour n = { .t = &t };
	struct memdev *m;
	char path[96];
	int fd, fd2;

	(void)state;
	fusetest_start(&t);
	m = fusetest_add(&t, "d", MIB, 512);
	for (unsigned i = 0; i < MIB; i++)
		m->mem[i] = (uint8_t)(i >> 8);
	snprintf(n.dir, sizeof n.dir, "%s/two", t.base);
	fusetest_ex_init(&n.x);
	fusetest_call(&t, neighbour_start, &n);
	assert_int_equal(n.err, 0);
	assert_int_equal(fusetest_await_start(&n.x), 0);
	fd = fusetest_open(&t, "d", O_RDONLY | O_DIRECT);
	fusetest_hold(&t, m);
	assert_int_equal(syscall(SYS_io_setup, MANY, &ctx), 0);
	submit_many(ctx, fd, mem);
	fusetest_await(&t, m, BLK_READ, LIMIT_FUSE_BUSY_BYTES / MIB);

	snprintf(path, sizeof path, "%s/d", n.dir);
	fd2 = open(path, O_RDWR);
	assert_true(fd2 >= 0);
	assert_int_equal(pwrite(fd2, mem, 4096, 0), 4096);
	assert_int_equal(fsync(fd2), 0);
	close(fd2);
	assert_true(m->queued <= LIMIT_FUSE_BUSY_BYTES / MIB);

	fusetest_release(&t, m);
	assert_int_equal(syscall(SYS_io_getevents, ctx, MANY, MANY, events, NULL), MANY);
	for (unsigned i = 0; i < MANY; i++) {
		assert_int_equal(events[i].res, MIB);
	}
	assert_memory_equal(mem, m->mem, MIB);
	syscall(SYS_io_destroy, ctx);
	close(fd);
	fusetest_call(&t, neighbour_stop, &n);
	fusetest_await_stop(&n.x);
	fusetest_ex_fini(&n.x);
	fusetest_end(&t);
}

/*
 * Mounts of one's own.  The copies of others' are let go at once: a file system
 * that another test unmounts would live on in them.
 */
static bool
let_go(const struct mounts_row *row, void *user)
{
	(void)user;
	if (strncmp(row->source, "/dev/loop", 9) == 0 || strncmp(row->type, "fuse", 4) == 0)
		umount2(row->path, MNT_DETACH);
	return false;
}

static bool
own_mounts(void)
{
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return false;
	mounts_each(let_go, NULL);
	return true;
}

/* In a name space where everybody may open /dev/fuse, as user nobody. */
static int
be_nobody(const char *dev)
{
	int fd;

	if (!own_mounts() || mknod(dev, S_IFCHR | 0666, (dev_t)(10 << 8 | 229)) < 0 ||
	    chmod(dev, 0666) < 0 || mount(dev, "/dev/fuse", NULL, MS_BIND, NULL) < 0)
		return 77;
	if (setgid(65534) < 0 || setuid(65534) < 0)
		return 77;
	fd = open("/dev/fuse", O_RDWR);
	if (fd < 0 || access("/usr/bin/fusermount3", X_OK) < 0)
		return 77;
	close(fd);
	return 0;
}

static int
round_trip_as_nobody(const char *dir)
{
	struct fusetest t = { .ex = NULL };
	char buf[5000], got[5000];
	int fd;

	snprintf(t.dir, sizeof t.dir, "%s", dir);
	pthread_mutex_init(&t.lock, NULL);
	pthread_cond_init(&t.submitted, NULL);
	t.worker = worker_new("export", -1);
	if (!fusetest_try(&t))
		return 2;
	fusetest_add(&t, "d", MIB, 512);
	memset(buf, 0x42, sizeof buf);
	fd = open(fusetest_path(&t, "d"), O_RDWR);
	if (fd < 0 || pwrite(fd, buf, sizeof buf, 77) != sizeof buf ||
	    pread(fd, got, sizeof got, 77) != sizeof got || memcmp(buf, got, sizeof buf) != 0)
		return 3;
	fusetest_stop(&t);
	return mounts_each(see_mount, (void *)dir) ? 4 : 0;
}

static void
an_ordinary_user_has_disks_through_fusermount(void **state)
{
	char base[] = "/tmp/openisw-fuse-XXXXXX", dir[80], dev[80];
	struct guard guard;
	int status;
	pid_t pid;

	(void)state;
	assert_non_null(mkdtemp(base));
	guard_begin(&guard, base, 60);
	assert_int_equal(chown(base, 65534, 65534), 0);
	snprintf(dir, sizeof dir, "%s/disk", base);
	snprintf(dev, sizeof dev, "%s/fuse", base);
	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		status = be_nobody(dev);
		_exit(status != 0 ? status : round_trip_as_nobody(dir));
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	unlink(dev);
	rmdir(base);
	guard_end(&guard);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 77) {
		printf("skipped: no fusermount3 or mount name spaces here\n");
		skip();
	}
	assert_int_equal(WEXITSTATUS(status), 0);
}

/* With a /dev/fuse of this mode in a /dev of its own, as user nobody; none for a mode of 0. */
static int
start_with_device(const char *base, mode_t mode)
{
	struct loop *l = loop_new();
	struct fusetest_ex x;
	char dir[80];

	if (!own_mounts() || mount("none", "/dev", "tmpfs", 0, "size=64k") < 0 ||
	    (mode != 0 && mknod("/dev/fuse", S_IFCHR | mode, (dev_t)(10 << 8 | 229)) < 0) ||
	    setgid(65534) < 0 || setuid(65534) < 0)
		return 77;
	snprintf(dir, sizeof dir, "%s/disk", base);
	return -fusetest_start_on(l, dir, &x);
}

static int
start_in_child(const char *base, mode_t mode)
{
	int status;
	pid_t pid = fork();

	if (pid == 0)
		_exit(start_with_device(base, mode));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void
where_there_is_no_fuse_the_error_says_so(void **state)
{
	char base[] = "/tmp/openisw-fuse-XXXXXX";
	int missing, forbidden;

	(void)state;
	assert_non_null(mkdtemp(base));
	assert_int_equal(chown(base, 65534, 65534), 0);
	missing = start_in_child(base, 0);
	forbidden = start_in_child(base, 0600);
	assert_int_equal(rmdir(base), 0);
	if (missing == 77 || forbidden == 77) {
		printf("skipped: no mount name spaces here\n");
		skip();
	}
	assert_int_equal(missing, ENODEV);
	assert_int_equal(forbidden, EACCES);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(errors_of_the_device_reach_the_caller),
		cmocka_unit_test(
		    a_device_that_is_open_is_removed_only_by_force_and_then_gives_enxio),
		cmocka_unit_test(stop_unmounts_and_ends_what_is_outstanding),
		cmocka_unit_test(a_mount_that_is_cut_with_requests_under_way_is_made_again),
		cmocka_unit_test(
		    a_mount_that_is_taken_away_while_a_file_is_open_comes_back_and_the_file_goes_on),
		cmocka_unit_test(a_mount_that_is_taken_away_unused_comes_back),
		cmocka_unit_test(stop_is_heard_whatever_the_mount_is_doing),
		cmocka_unit_test(a_killed_writer_waits_until_the_device_has_answered),
		cmocka_unit_test(a_stale_mount_is_cleaned_up_and_a_live_one_is_left_alone),
		cmocka_unit_test(a_mount_of_another_kind_is_not_taken_away),
		cmocka_unit_test(a_queue_beyond_the_limit_waits_and_a_neighbour_goes_on),
		cmocka_unit_test(where_there_is_no_fuse_the_error_says_so),
		cmocka_unit_test(an_ordinary_user_has_disks_through_fusermount),
	};
	const char *obstacle = fusetest_obstacle();

	if (obstacle != NULL) {
		printf("skipped: %s\n", obstacle);
		return 77;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
