/*
 * A FUSE mount whose server is killed, again and again, and taken over: those
 * who use it see no error and no byte that is not theirs.
 */
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <linux/fuse.h>
#include <linux/loop.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "export/fusestate.h"
#include "export/fusetaketest.h"
#include "export/fusetest.h"

/* ---- one user, a step at a time ---- */

static int
write_and_read(int fd, unsigned seed)
{
	static uint8_t data[8192] __attribute__((aligned(4096))),
	    got[8192] __attribute__((aligned(4096)));
	off_t at = (off_t)seed * 8192;

	memset(data, (int)seed + 1, sizeof data);
	if (pwrite(fd, data, sizeof data, at) != sizeof data)
		return __LINE__;
	if (fsync(fd) < 0)
		return __LINE__;
	if (pread(fd, got, sizeof got, at) != sizeof got)
		return __LINE__;
	return memcmp(data, got, sizeof data) == 0 ? 0 : __LINE__;
}

/* Everything that is counted, and some I/O; with one file open all the while. */
static int
use(struct fusetaketest *t, const char *path)
{
	struct stat st, now;
	int held = open(path, O_RDONLY), fd, err;

	if (held < 0 || fstat(held, &st) < 0)
		return __LINE__ % 256;
	for (unsigned i = 0; i < 2; i++) {
		fd = open(path, O_RDWR | O_DIRECT);
		if (fd < 0 || stat(path, &now) < 0)
			return __LINE__ % 256;
		if (now.st_ino != st.st_ino || now.st_dev != st.st_dev)
			return __LINE__ % 256;
		err = write_and_read(fd, i);
		if (err != 0)
			return err % 256;
		close(fd);
	}
	/* What was closed is known before this is answered. */
	if (stat(path, &now) < 0)
		return __LINE__ % 256;
	atomic_store(&t->s->rounds, 1);
	while (!atomic_load(&t->s->stop))
		sched_yield();
	close(held);
	return 0;
}

/* All that the kernel knows of d0 is forgotten, and as much as was counted. */
static void
check_counts(struct fusetaketest *t)
{
	struct {
		struct fuse_out_header head;
		struct fuse_notify_inval_entry_out entry;
		char name[3];
	} __attribute__((packed)) drop = {
		.head = { .len = sizeof drop, .error = FUSE_NOTIFY_INVAL_ENTRY },
		.entry = { .parent = FUSE_ROOT_ID, .namelen = 2 },
		.name = "d0",
	};
	unsigned long before = atomic_load(&t->s->forgotten);
	struct fusestate_node node;
	struct fusestate *st;

	/* Closing is told by the kernel in its own time; where nobody is told it is over. */
	if (fusetaketest_openers(t, 0) > 0)
		fusetaketest_await(t, &t->let_go, 1);
	assert_int_equal(fusetaketest_openers(t, 0), 0);
	assert_int_equal(fusestate_open(dup(t->held.state_fd), &st), 0);
	assert_true(fusestate_get(st, 0, &node));
	assert_int_equal(node.openers, 0);
	assert_int_equal(write(t->held.device_fd, &drop, sizeof drop), sizeof drop);
	fusetaketest_await_value(&t->s->forgotten, before + 1);
	assert_int_equal(atomic_load(&t->s->forgotten) - before, node.lookups);
	assert_int_equal(fusetaketest_openers(t, 0), 0); /* it has dealt with it */
	assert_true(fusestate_get(st, 0, &node));
	assert_int_equal(node.lookups, 0);
	fusestate_free(st);
}

struct killing {
	struct fusetaketest *t;
	_Atomic long *at;
	long n;
	bool was_killed;
};

static void
go_on(struct killing *k)
{
	k->was_killed = true;
	fusetaketest_await_death(k->t);
	/* Twice, the second time at its first chance; then never again. */
	atomic_store(k->at, atomic_load(k->at) == k->n && k->n % 2 == 0 ? 1 : 0);
	(void)fusetaketest_serve(k->t, 1);
}

/* Until the user is so far, each server that was killed has a successor. */
static void
await_user(struct killing *k, pid_t user, bool (*is_so_far)(const struct killing *k, pid_t user))
{
	while (!is_so_far(k, user)) {
		if (fusetaketest_user_has_ended(k->t->pid))
			go_on(k);
		sched_yield();
	}
	while (!fusetaketest_lives(k->t))
		go_on(k);
}

static bool
is_ready(const struct killing *k, pid_t user)
{
	return atomic_load(&k->t->s->rounds) > 0 || fusetaketest_user_has_ended(user);
}

static bool
is_over(const struct killing *k, pid_t user)
{
	(void)k;
	return fusetaketest_user_has_ended(user);
}

/* False: the n-th never came. */
static bool
kill_once(_Atomic long *at, long n, struct fusetaketest *t)
{
	struct killing k = { .t = t, .at = at, .n = n };
	pid_t user;

	atomic_store(at, n);
	assert_int_equal(fusetaketest_serve(t, 1), 0);
	user = fusetaketest_user(t, use, 0);
	await_user(&k, user, is_ready);
	assert_int_equal(fusetaketest_openers(t, 0), 1);
	atomic_store(&t->s->stop, true);
	await_user(&k, user, is_over);
	assert_int_equal(fusetaketest_user_end(user), 0);
	atomic_store(at, 0);
	while (!fusetaketest_lives(t))
		go_on(&k);
	check_counts(t);
	return k.was_killed;
}

static void
kill_at_each(size_t which)
{
	for (long n = 1;; n++) {
		struct fusetaketest t;
		bool was_killed;

		fusetaketest_begin(&t);
		was_killed = kill_once((_Atomic long *)(void *)((char *)t.s + which), n, &t);
		fusetaketest_end(&t);
		assert_true(n > 10 || was_killed);
		if (!was_killed) {
			printf("killed at each of %ld\n", n - 1);
			return;
		}
	}
}

static void
killed_before_any_answer_it_counts_and_loses_nothing(void **state)
{
	(void)state;
	kill_at_each(offsetof(struct fusetaketest_shared, kill_before_answer));
}

static void
killed_behind_any_answer_it_counts_and_loses_nothing(void **state)
{
	(void)state;
	kill_at_each(offsetof(struct fusetaketest_shared, kill_after_answer));
}

static void
killed_behind_any_request_it_counts_and_loses_nothing(void **state)
{
	(void)state;
	kill_at_each(offsetof(struct fusetaketest_shared, kill_after_read));
}

/* ---- many users ---- */

#define WRITERS  3
#define KILLS    120
#define DEPTH    96
#define OWN      (1u << 20)
#define BLOCK    4096u
#define FAIL(t)  (atomic_store(&(t)->s->trouble, __LINE__), NULL)
#define MANY     64u
#define MUST_SEE 10u

struct writer {
	struct fusetaketest *t;
	pthread_t thread;
	unsigned id;
	int fd;
	struct stat st;
};

static bool
is_same_file(const struct writer *w)
{
	struct stat now;

	return fstat(w->fd, &now) == 0 && now.st_ino == w->st.st_ino && now.st_dev == w->st.st_dev;
}

/* Ranges of its own megabyte, written, read, compared with the file and the disk. */
static void *
write_range(void *arg)
{
	struct writer *w = arg;
	uint8_t *data = aligned_alloc(BLOCK, OWN), *got = aligned_alloc(BLOCK, OWN);
	uint64_t x = 88172645463325252ull + w->id;

	while (!atomic_load(&w->t->s->stop)) {
		size_t from, bytes;

		x ^= x << 13, x ^= x >> 7, x ^= x << 17;
		from = x % (OWN / BLOCK) * BLOCK;
		bytes = (1 + (x >> 20) % 32) * BLOCK;
		bytes = bytes < OWN - from ? bytes : OWN - from;
		memset(data, (int)(x >> 40), bytes);
		from += w->id * (size_t)OWN;
		if (pwrite(w->fd, data, bytes, (off_t)from) != (ssize_t)bytes)
			return FAIL(w->t);
		if (pread(w->fd, got, bytes, (off_t)from) != (ssize_t)bytes)
			return FAIL(w->t);
		if (memcmp(data, got, bytes) != 0 ||
		    memcmp(data, w->t->s->disk[0] + from, bytes) != 0 || !is_same_file(w))
			return FAIL(w->t);
		if (x % 16 == 0 && fsync(w->fd) < 0)
			return FAIL(w->t);
		atomic_fetch_add(&w->t->s->rounds, 1);
	}
	free(data);
	free(got);
	return w;
}

/* DEPTH requests at once, a block each. */
static bool
all_at_once(const struct writer *w, aio_context_t ctx, int opcode, uint8_t *data)
{
	static struct iocb cbs[DEPTH];
	struct io_event done[DEPTH];
	struct iocb *ptrs[DEPTH];

	for (unsigned i = 0; i < DEPTH; i++) {
		cbs[i] = (struct iocb){ .aio_fildes = (uint32_t)w->fd,
			.aio_lio_opcode = (uint16_t)opcode,
			.aio_buf = (uintptr_t)(data + i * (size_t)BLOCK),
			.aio_nbytes = BLOCK,
			.aio_offset = w->id * (int64_t)OWN + i * (int64_t)BLOCK };
		ptrs[i] = &cbs[i];
	}
	if (syscall(SYS_io_submit, ctx, DEPTH, ptrs) != DEPTH ||
	    syscall(SYS_io_getevents, ctx, DEPTH, DEPTH, done, NULL) != DEPTH)
		return false;
	for (unsigned i = 0; i < DEPTH; i++)
		if (done[i].res != BLOCK)
			return false;
	return true;
}

static void *
write_many(void *arg)
{
	struct writer *w = arg;
	uint8_t *data = aligned_alloc(BLOCK, DEPTH * BLOCK);
	uint8_t *got = aligned_alloc(BLOCK, DEPTH * BLOCK);
	aio_context_t ctx = 0;

	if (syscall(SYS_io_setup, DEPTH, &ctx) < 0)
		return FAIL(w->t);
	for (unsigned round = 1; !atomic_load(&w->t->s->stop); round++) {
		for (unsigned i = 0; i < DEPTH; i++)
			memset(data + i * (size_t)BLOCK, (int)(round + i * 7), BLOCK);
		if (!all_at_once(w, ctx, IOCB_CMD_PWRITE, data) ||
		    !all_at_once(w, ctx, IOCB_CMD_PREAD, got))
			return FAIL(w->t);
		if (memcmp(data, got, DEPTH * BLOCK) != 0)
			return FAIL(w->t);
	}
	syscall(SYS_io_destroy, ctx);
	free(data);
	free(got);
	return w;
}

/* Open and close, as fast as it goes. */
static void *
open_often(void *arg)
{
	struct writer *w = arg;
	char path[96];

	snprintf(path, sizeof path, "%s/d0", w->t->dir);
	while (!atomic_load(&w->t->s->stop)) {
		int fd = open(path, O_RDWR);

		if (fd < 0 || close(fd) < 0)
			return FAIL(w->t);
	}
	return w;
}

static int
load(struct fusetaketest *t, const char *path)
{
	static void *(*const what[])(
	    void *) = { write_range, write_range, write_range, write_many, open_often };
	struct writer w[WRITERS + 2];
	int fd = open(path, O_RDWR | O_DIRECT), bad = 0;
	void *end;

	if (fd < 0)
		return 1;
	for (unsigned i = 0; i < WRITERS + 2; i++) {
		w[i] = (struct writer){ .t = t, .id = i, .fd = fd };
		if (fstat(fd, &w[i].st) < 0 ||
		    pthread_create(&w[i].thread, NULL, what[i], &w[i]) != 0)
			return 2;
	}
	for (unsigned i = 0; i < WRITERS + 2; i++) {
		pthread_join(w[i].thread, &end);
		bad += end == NULL;
	}
	close(fd);
	return bad > 0 ? 3 : 0;
}

/* One life of a server: ended by itself around an answer, or from outside anywhere. */
static void
live_and_die(struct fusetaketest *t, unsigned kind, unsigned long answers)
{
	unsigned long from = atomic_load(&t->s->answers);

	if (kind < 2) {
		fusetaketest_await_death(t);
		return;
	}
	fusetaketest_await_value(&t->s->answers, from + answers);
	fusetaketest_kill(t);
}

static void
prepare_life(struct fusetaketest *t, unsigned i, unsigned long answers)
{
	atomic_store(&t->s->kill_before_answer, i % 3 == 0 ? (long)answers : 0);
	atomic_store(&t->s->kill_after_answer, i % 3 == 1 ? (long)answers : 0);
	atomic_store(&t->s->delay_us, i % 2 == 0 ? 2000 : 0);
	atomic_store(&t->s->seed, i % 2 == 0 ? 0 : i + 1);
}

static void
killed_a_hundred_times_under_load_it_loses_nothing(void **state)
{
	struct fusetaketest t;
	unsigned long most = 0, before;
	unsigned many = 0;
	pid_t user = 0;

	(void)state;
	fusetaketest_begin(&t);
	srandom(4711);
	for (unsigned i = 0; i < KILLS; i++) {
		unsigned long answers = 1 + (unsigned long)random() % 400, again;

		before = atomic_load(&t.s->resent);
		prepare_life(&t, i, answers);
		if (fusetaketest_serve(&t, 1) == 0 && user == 0)
			user = fusetaketest_user(&t, load, 0);
		live_and_die(&t, i % 3, answers);
		again = atomic_load(&t.s->resent) - before;
		most = again > most ? again : most;
		many += again >= MANY;
		assert_int_equal(atomic_load(&t.s->trouble), 0);
	}
	prepare_life(&t, 2, 0);
	assert_int_equal(fusetaketest_serve(&t, 1), 0);
	before = atomic_load(&t.s->rounds);
	fusetaketest_await_value(&t.s->rounds, before + 10);
	atomic_store(&t.s->stop, true);
	assert_int_equal(fusetaketest_user_end(user), 0);
	printf("%u kills, %lu rounds, %lu sent again, at most %lu of them at once, %u times %u or "
	       "more\n",
	    KILLS, atomic_load(&t.s->rounds), atomic_load(&t.s->resent), most, many, MANY);
	assert_true(many >= MUST_SEE);
	assert_int_equal(atomic_load(&t.s->absent), 0);
	check_counts(&t);
	fusetaketest_end(&t);
}

/* ---- a block device on it ---- */

static int
use_loop_device(struct fusetaketest *t, const char *path)
{
	static uint8_t buf[4096] __attribute__((aligned(4096)));
	struct loop_config config = { .block_size = 512 };
	int ctl = open("/dev/loop-control", O_RDWR), n, fd, file = open(path, O_RDWR | O_DIRECT);
	char name[32];

	if (ctl < 0 || (n = ioctl(ctl, LOOP_CTL_GET_FREE)) < 0)
		return 77;
	snprintf(name, sizeof name, "/dev/loop%d", n);
	fd = open(name, O_RDWR | O_DIRECT);
	config.fd = (uint32_t)file;
	config.info.lo_flags = LO_FLAGS_AUTOCLEAR | LO_FLAGS_DIRECT_IO;
	if (fd < 0 || ioctl(fd, LOOP_CONFIGURE, &config) < 0)
		return 77;
	close(file);
	for (unsigned i = 0; !atomic_load(&t->s->stop); i++) {
		memset(buf, (int)i, sizeof buf);
		if (pwrite(fd, buf, sizeof buf, i % 8 * 4096) != sizeof buf || fsync(fd) < 0)
			return errno;
		if (memcmp(t->s->disk[0] + i % 8 * 4096, buf, sizeof buf) != 0)
			return 255;
		atomic_fetch_add(&t->s->rounds, 1);
	}
	return 0;
}

static void
a_loop_device_goes_on(void **state)
{
	struct fusetaketest t;
	pid_t user;
	int end;

	(void)state;
	fusetaketest_begin(&t);
	assert_int_equal(fusetaketest_serve(&t, 1), 0);
	user = fusetaketest_user(&t, use_loop_device, 0);
	for (unsigned i = 0; i < 10 && !fusetaketest_user_has_ended(user); i++) {
		unsigned long rounds = atomic_load(&t.s->rounds);

		while (atomic_load(&t.s->rounds) < rounds + 5 && !fusetaketest_user_has_ended(user))
			syscall(SYS_sched_yield);
		fusetaketest_kill(&t);
		assert_int_equal(fusetaketest_serve(&t, 1), 0);
		if (!fusetaketest_user_has_ended(user))
			assert_int_equal(fusetaketest_openers(&t, 0), 1);
	}
	atomic_store(&t.s->stop, true);
	end = fusetaketest_user_end(user);
	if (fusetaketest_openers(&t, 0) > 0)
		fusetaketest_await(&t, &t.let_go, 1);
	fusetaketest_end(&t);
	if (end == 77) {
		printf("skipped: no loop devices here\n");
		skip();
	}
	assert_int_equal(end, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(killed_before_any_answer_it_counts_and_loses_nothing),
		cmocka_unit_test(killed_behind_any_answer_it_counts_and_loses_nothing),
		cmocka_unit_test(killed_behind_any_request_it_counts_and_loses_nothing),
		cmocka_unit_test(killed_a_hundred_times_under_load_it_loses_nothing),
		cmocka_unit_test(a_loop_device_goes_on),
	};
	const char *obstacle = fusetest_obstacle();

	if (obstacle != NULL) {
		printf("skipped: %s\n", obstacle);
		return 77;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
