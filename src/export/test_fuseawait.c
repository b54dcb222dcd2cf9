/*
 * What becomes of a FUSE connection that is taken over: devices that are not
 * there yet, or never come, old kernels, what is damaged, and its end.
 */
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <linux/fuse.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/limits.h"
#include "export/fusestate.h"
#include "export/fusetaketest.h"
#include "export/fusetest.h"

#define MIB (1u << 20)
/* Requests with a megabyte each: more than may wait. */
#define MANY      70u
#define MANY_WAIT (LIMIT_FUSE_PARKED_BYTES / MIB - 1)

/* Users are processes; they end with 0, an errno, or this. */
#define WRONG 255

static uint8_t buf[4096] __attribute__((aligned(4096)));

static int
open_and_read(struct fusetaketest *t, const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECT);

	(void)t;
	if (fd < 0)
		return errno;
	if (pread(fd, buf, sizeof buf, 0) != sizeof buf)
		return errno;
	return buf[0] == 0x5a ? 0 : WRONG;
}

/* Opens, says so, writes when it is told to stop, closes. */
static int
open_and_write_later(struct fusetaketest *t, const char *path)
{
	int fd = open(path, O_RDWR | O_DIRECT);

	if (fd < 0)
		return errno;
	atomic_fetch_add(&t->s->rounds, 1);
	while (!atomic_load(&t->s->stop))
		syscall(SYS_sched_yield);
	memset(buf, 0x77, sizeof buf);
	if (pwrite(fd, buf, sizeof buf, 8192) != sizeof buf)
		return errno;
	close(fd);
	return 0;
}

/* The connection is cut first: the server may be faster to take the mount away then. */
static void
cut_mount(const struct fusetaketest *t)
{
	assert_true(umount2(t->dir, MNT_FORCE | MNT_DETACH) == 0 || errno == EINVAL);
}

static int
count_files(struct fusetaketest *t, const char *path)
{
	DIR *dir = opendir(t->dir);
	int n = 0;

	(void)path;
	if (dir == NULL)
		return WRONG;
	while (readdir(dir) != NULL)
		n++;
	closedir(dir);
	return n - 2; /* . and .. */
}

/* A user that has d0 open, and a server that was killed. */
static pid_t
leave_one_behind(struct fusetaketest *t)
{
	pid_t user;

	fusetaketest_begin(t);
	memset(t->s->disk, 0x5a, sizeof t->s->disk);
	assert_int_equal(fusetaketest_serve(t, 3), 0);
	assert_int_equal(t->holds, 1);
	user = fusetaketest_user(t, open_and_write_later, 0);
	fusetaketest_await_value(&t->s->rounds, 1);
	fusetaketest_kill(t);
	return user;
}

static void
a_request_waits_for_its_device_and_others_do_not(void **state)
{
	struct fusetaketest t;
	pid_t user = leave_one_behind(&t), looker;
	unsigned long lookups;

	(void)state;
	assert_int_equal(fusetaketest_serve(&t, 2), 0);
	assert_int_equal(t.holds, 0);
	atomic_store(&t.s->stop, true);
	fusetaketest_await_value(&t.s->received[FUSE_WRITE], 1);
	lookups = atomic_load(&t.s->received[FUSE_LOOKUP]);
	looker = fusetaketest_user(&t, open_and_read, 0);
	fusetaketest_await_value(&t.s->received[FUSE_LOOKUP], lookups + 1);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(fusetaketest_user_end(fusetaketest_user(&t, open_and_read, 1)), 0);
	assert_int_equal(fusetaketest_user_end(fusetaketest_user(&t, count_files, 1)), 2);
	assert_false(fusetaketest_user_has_ended(user));
	assert_false(fusetaketest_user_has_ended(looker));
	assert_int_equal(t.s->disk[0][8192], 0x5a);
	fusetaketest_add(&t, 0);
	assert_int_equal(fusetaketest_user_end(user), 0);
	assert_int_equal(fusetaketest_user_end(looker), 0);
	assert_int_equal(t.s->disk[0][8192], 0x77);
	fusetaketest_await(&t, &t.let_go, 1);
	fusetaketest_end(&t);
}

static void
openers_of_a_device_are_known_when_it_is_there(void **state)
{
	struct fusetaketest t;
	pid_t user = leave_one_behind(&t);

	(void)state;
	assert_int_equal(fusetaketest_serve(&t, 3), 0);
	assert_int_equal(fusetaketest_openers(&t, 0), 1);
	assert_int_equal(fusetaketest_openers(&t, 1), 0);
	atomic_store(&t.s->stop, true);
	assert_int_equal(fusetaketest_user_end(user), 0);
	fusetaketest_await(&t, &t.let_go, 1);
	assert_int_equal(fusetaketest_openers(&t, 0), 0);
	fusetaketest_end(&t);
}

static int
inode_is_not_2(struct fusetaketest *t, const char *path)
{
	struct stat st;

	(void)t;
	if (stat(path, &st) < 0)
		return errno;
	return st.st_ino != 2 ? 0 : WRONG; /* d0 was the first */
}

static void
a_device_that_does_not_come_is_a_removed_one(void **state)
{
	struct fusetaketest t;
	pid_t user = leave_one_behind(&t), looker;
	unsigned long lookups;

	(void)state;
	assert_int_equal(fusetaketest_serve(&t, 0), 0);
	atomic_store(&t.s->stop, true);
	fusetaketest_await_value(&t.s->received[FUSE_WRITE], 1);
	lookups = atomic_load(&t.s->received[FUSE_LOOKUP]);
	looker = fusetaketest_user(&t, open_and_read, 0);
	fusetaketest_await_value(&t.s->received[FUSE_LOOKUP], lookups + 1);
	fusetaketest_give_up(&t, "d0");
	assert_int_equal(fusetaketest_user_end(user), ENXIO);
	assert_int_equal(fusetaketest_user_end(looker), ENOENT);
	fusetaketest_add(&t, 1); /* this one was not given up */
	assert_int_equal(fusetaketest_user_end(fusetaketest_user(&t, open_and_read, 1)), 0);
	fusetaketest_end(&t);
}

static void
who_has_waited_long_enough_has_an_error_and_the_device_may_come_all_the_same(void **state)
{
	struct fusetaketest t;
	pid_t user = leave_one_behind(&t);

	(void)state;
	assert_int_equal(fusetaketest_serve(&t, 0), 0);
	atomic_store(&t.s->stop, true);
	fusetaketest_await_value(&t.s->received[FUSE_WRITE], 1);
	fusetaketest_overdue(&t);
	assert_int_equal(fusetaketest_user_end(user), EIO);
	/* Who comes now does not wait. */
	assert_int_equal(fusetaketest_user_end(fusetaketest_user(&t, open_and_read, 0)), EIO);
	fusetaketest_add(&t, 0);
	assert_int_equal(fusetaketest_user_end(fusetaketest_user(&t, open_and_read, 0)), 0);
	assert_int_equal(fusetaketest_user_end(fusetaketest_user(&t, inode_is_not_2, 0)), WRONG);
	fusetaketest_end(&t);
}

static void
an_inode_number_that_is_known_is_no_other_devices(void **state)
{
	struct fusetaketest t;
	pid_t user = leave_one_behind(&t);

	(void)state;
	assert_int_equal(fusetaketest_serve(&t, 2), 0);
	fusetaketest_give_up(&t, NULL);
	fusetaketest_add(&t, 0);
	assert_int_equal(fusetaketest_user_end(fusetaketest_user(&t, inode_is_not_2, 0)), 0);
	/* Also for the next one, which finds two of that name. */
	fusetaketest_kill(&t);
	assert_int_equal(fusetaketest_serve(&t, 3), 0);
	assert_int_equal(fusetaketest_openers(&t, 0), 0);
	assert_int_equal(fusetaketest_user_end(fusetaketest_user(&t, inode_is_not_2, 0)), 0);
	atomic_store(&t.s->stop, true);
	assert_int_equal(fusetaketest_user_end(user), ENXIO);
	fusetaketest_end(&t);
}

static void
who_waits_for_a_device_has_an_error_when_it_stops(void **state)
{
	struct fusetaketest t;
	pid_t user = leave_one_behind(&t);

	(void)state;
	assert_int_equal(fusetaketest_serve(&t, 0), 0);
	atomic_store(&t.s->stop, true);
	fusetaketest_await_value(&t.s->received[FUSE_WRITE], 1);
	fusetaketest_stop(&t);
	assert_int_equal(t.drops, 1);
	assert_int_equal(fusetaketest_user_end(user), ESHUTDOWN);
	fusetaketest_end(&t);
}

/* ---- too many ---- */

/* MANY megabytes at once; the number of those that succeeded, or a line above it. */
static int
write_megabytes(struct fusetaketest *t, const char *path)
{
	static uint8_t mem[MIB] __attribute__((aligned(4096)));
	static struct iocb cbs[MANY];
	struct iocb *ptrs[MANY];
	struct io_event done[MANY];
	aio_context_t ctx = 0;
	int fd = open(path, O_RDWR | O_DIRECT), good = 0;

	memset(mem, 0x33, sizeof mem);
	if (fd < 0 || syscall(SYS_io_setup, MANY, &ctx) < 0)
		return WRONG;
	for (unsigned i = 0; i < MANY; i++) {
		cbs[i] = (struct iocb){ .aio_fildes = (uint32_t)fd,
			.aio_lio_opcode = IOCB_CMD_PWRITE,
			.aio_buf = (uintptr_t)mem,
			.aio_nbytes = MIB,
			.aio_offset = i % 4 * (int64_t)MIB };
		ptrs[i] = &cbs[i];
	}
	atomic_fetch_add(&t->s->rounds, 1);
	while (!atomic_load(&t->s->stop))
		syscall(SYS_sched_yield);
	if (syscall(SYS_io_submit, ctx, MANY, ptrs) != MANY ||
	    syscall(SYS_io_getevents, ctx, MANY, MANY, done, NULL) != MANY)
		return WRONG;
	for (unsigned i = 0; i < MANY; i++)
		good += done[i].res == MIB;
	return good;
}

/* d0 has more requests than may wait; d1 has one that comes behind them. */
static void
fill_up(struct fusetaketest *t, pid_t *ret_many, pid_t *ret_other)
{
	unsigned long opens;

	fusetaketest_begin(t);
	memset(t->s->disk, 0x5a, sizeof t->s->disk);
	assert_int_equal(fusetaketest_serve(t, 3), 0);
	*ret_many = fusetaketest_user(t, write_megabytes, 0);
	fusetaketest_await_value(&t->s->rounds, 1);
	opens = atomic_load(&t->s->received[FUSE_OPEN]);
	fusetaketest_kill(t);
	assert_int_equal(fusetaketest_serve(t, 2), 0);
	atomic_store(&t->s->stop, true);
	fusetaketest_await_value(&t->s->received[FUSE_WRITE], MANY_WAIT + 1);
	*ret_other = fusetaketest_user(t, open_and_read, 1);
	(void)fusetaketest_openers(t, 1);
	assert_int_equal(atomic_load(&t->s->received[FUSE_WRITE]), MANY_WAIT + 1);
	assert_int_equal(atomic_load(&t->s->received[FUSE_OPEN]), opens);
}

static void
what_finds_no_room_to_wait_waits_in_the_kernel(void **state)
{
	struct fusetaketest t;
	pid_t many, other;

	(void)state;
	fill_up(&t, &many, &other);
	fusetaketest_add(&t, 0);
	assert_int_equal(fusetaketest_user_end(many), MANY);
	assert_int_equal(fusetaketest_user_end(other), 0);
	assert_int_equal(t.s->disk[0][FUSETAKETEST_BYTES - 1], 0x33);
	fusetaketest_end(&t);

	/* The next one finds the same. */
	fill_up(&t, &many, &other);
	fusetaketest_kill(&t);
	assert_int_equal(fusetaketest_serve(&t, 2), 0);
	fusetaketest_add(&t, 0);
	assert_int_equal(fusetaketest_user_end(many), MANY);
	assert_int_equal(fusetaketest_user_end(other), 0);
	fusetaketest_end(&t);

	fill_up(&t, &many, &other);
	fusetaketest_give_up(&t, NULL);
	assert_int_equal(fusetaketest_user_end(many), 0);
	assert_int_equal(fusetaketest_user_end(other), 0);
	fusetaketest_end(&t);

	fill_up(&t, &many, &other);
	fusetaketest_stop(&t);
	assert_int_equal(fusetaketest_user_end(many), 0);
	assert_int_not_equal(fusetaketest_user_end(other), 0);
	fusetaketest_end(&t);

	fill_up(&t, &many, &other);
	cut_mount(&t);
	fusetaketest_await(&t, &t.holds, 1); /* a new connection */
	assert_int_equal(fusetaketest_user_end(many), 0);
	/* It may have been too late for the old one. */
	assert_int_not_equal(fusetaketest_user_end(other), WRONG);
	fusetaketest_end(&t);
}

/* ---- kernels, and what is given ---- */

static int
read_or_eio(struct fusetaketest *t, const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECT), err;

	if (fd < 0)
		return errno;
	atomic_fetch_add(&t->s->rounds, 1);
	err = pread(fd, buf, sizeof buf, 0) < 0 ? errno : 0;
	if (pread(fd, buf, sizeof buf, 0) != sizeof buf || buf[0] != 0x5a)
		return WRONG;
	return err;
}

static void
a_kernel_that_sends_nothing_again_has_eio_and_goes_on(void **state)
{
	struct fusetaketest t;
	pid_t user;

	(void)state;
	fusetaketest_begin(&t);
	memset(t.s->disk, 0x5a, sizeof t.s->disk);
	atomic_store(&t.s->delay_us, 100000000);
	atomic_store(&t.s->no_resend, true);
	assert_int_equal(fusetaketest_serve(&t, 1), 0);
	user = fusetaketest_user(&t, read_or_eio, 0);
	fusetaketest_await_value(&t.s->received[FUSE_READ], 1);
	fusetaketest_openers(&t, 0); /* it has dealt with it */
	fusetaketest_kill(&t);
	atomic_store(&t.s->delay_us, 0);
	assert_int_equal(fusetaketest_serve(&t, 1), 0);
	assert_int_equal(fusetaketest_user_end(user), EIO);
	assert_int_equal(atomic_load(&t.s->resent), 0);
	fusetaketest_end(&t);
}

/* Killed between receiving READ, the n-th request, and recording it. */
static void
a_request_that_was_never_recorded_has_eio_too(void **state)
{
	struct fusetaketest t;
	pid_t user;
	bool was_killed = false;

	(void)state;
	for (long n = 2; !was_killed; n++) {
		fusetaketest_begin(&t);
		memset(t.s->disk, 0x5a, sizeof t.s->disk);
		atomic_store(&t.s->no_resend, true);
		/* INIT, and what comes before READ: found by trying. */
		atomic_store(&t.s->kill_after_read, n);
		assert_int_equal(fusetaketest_serve(&t, 1), 0);
		user = fusetaketest_user(&t, read_or_eio, 0);
		fusetaketest_await_death(&t);
		was_killed = atomic_load(&t.s->received[FUSE_READ]) == 1;
		atomic_store(&t.s->kill_after_read, 0);
		assert_int_equal(fusetaketest_serve(&t, 1), 0);
		assert_int_equal(fusetaketest_user_end(user), EIO);
		fusetaketest_end(&t);
	}
}

static int
nothing(struct fusetaketest *t, const char *path)
{
	struct stat st;

	(void)t;
	return stat(path, &st) == 0 ? 0 : errno;
}

/* Take over what is there after spoil(), which is refused; and then start anew. */
static void
refused(int (*spoil)(struct fusetaketest *t), int err)
{
	struct fusetaketest t;

	fusetaketest_begin(&t);
	assert_int_equal(fusetaketest_serve(&t, 1), 0);
	fusetaketest_await_value(&t.s->received[FUSE_INIT], 1);
	assert_int_equal(fusetaketest_openers(&t, 0), 0); /* it has dealt with it */
	fusetaketest_kill(&t);
	assert_int_equal(spoil(&t), 0);
	assert_int_equal(fusetaketest_serve(&t, 1), err);
	fusetaketest_let_go(&t);
	assert_int_equal(fusetaketest_serve(&t, 1), 0);
	assert_int_equal(fusetaketest_user_end(fusetaketest_user(&t, nothing, 0)), 0);
	fusetaketest_end(&t);
}

static int
spoil_name(struct fusetaketest *t)
{
	struct stat st;
	uint8_t *map, *name;

	assert_int_equal(fstat(t->held.state_fd, &st), 0);
	map =
	    mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, t->held.state_fd, 0);
	name = memmem(map, (size_t)st.st_size, "d0", 3);
	name[1] = '/';
	return munmap(map, (size_t)st.st_size);
}

/* The first request of the connection becomes that of a protocol nobody speaks. */
static int
spoil_init(struct fusetaketest *t)
{
	static const uint32_t opcode = FUSE_INIT, major = FUSE_KERNEL_VERSION + 1;
	struct stat st;
	uint8_t *map, *init;

	assert_int_equal(fstat(t->held.state_fd, &st), 0);
	map =
	    mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, t->held.state_fd, 0);
	init = memmem(map + 48, 64, &opcode, sizeof opcode);
	init += sizeof(struct fuse_in_header) - offsetof(struct fuse_in_header, opcode);
	memcpy(init, &major, sizeof major);
	return munmap(map, (size_t)st.st_size);
}

static int
spoil_state(struct fusetaketest *t)
{
	int fd = memfd_create("none", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	dup2(fd, t->held.state_fd);
	return close(fd);
}

static int
spoil_device(struct fusetaketest *t)
{
	int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	dup2(fd, t->held.device_fd);
	return close(fd);
}

static int
end_connection(struct fusetaketest *t)
{
	return umount2(t->dir, MNT_FORCE | MNT_DETACH);
}

static void
what_is_damaged_or_dead_is_refused_and_made_anew(void **state)
{
	(void)state;
	refused(spoil_name, -EINVAL);
	refused(spoil_init, -EINVAL);
	refused(spoil_state, -EINVAL);
	refused(spoil_device, -EINVAL);
	refused(end_connection, -ENOTCONN);
}

/* ---- the mount ---- */

static void
a_mount_that_was_taken_away_meanwhile_is_made_again(void **state)
{
	struct fusetaketest t;
	pid_t user = leave_one_behind(&t);

	(void)state;
	assert_int_equal(umount2(t.dir, MNT_DETACH), 0);
	assert_int_equal(fusetaketest_serve(&t, 3), 0);
	fusetaketest_await(&t, &t.back, 2);
	assert_int_equal(t.back_new, 0);
	assert_true(fusetest_is_mounted(t.dir));
	atomic_store(&t.s->stop, true);
	assert_int_equal(fusetaketest_user_end(user), 0);
	assert_int_equal(fusetaketest_user_end(fusetaketest_user(&t, open_and_read, 1)), 0);
	fusetaketest_end(&t);
}

static void
a_connection_that_is_made_later_is_held_and_taken_over_as_well(void **state)
{
	struct fusetaketest t;
	pid_t user = leave_one_behind(&t);

	(void)state;
	assert_int_equal(fusetaketest_serve(&t, 3), 0);
	cut_mount(&t);
	fusetaketest_await(&t, &t.back_new, 2);
	assert_int_equal(t.drops, 1);
	assert_int_equal(t.holds, 1);
	fusetaketest_kill(&t);
	assert_int_equal(fusetaketest_serve(&t, 3), 0);
	assert_int_equal(fusetaketest_user_end(fusetaketest_user(&t, open_and_read, 0)), 0);
	atomic_store(&t.s->stop, true);
	assert_int_not_equal(fusetaketest_user_end(user), 0);
	fusetaketest_end(&t);
}

static void
an_orderly_end_leaves_nothing(void **state)
{
	struct fusetaketest t;
	pid_t user = leave_one_behind(&t);

	(void)state;
	atomic_store(&t.s->stop, true);
	assert_int_equal(fusetaketest_serve(&t, 3), 0);
	assert_int_equal(fusetaketest_user_end(user), 0);
	fusetaketest_stop(&t);
	assert_int_equal(t.drops, 1);
	assert_false(fusetest_is_mounted(t.dir));
	assert_int_equal(access(t.dir, F_OK), -1); /* the first one had made it */
	fusetaketest_end(&t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_request_waits_for_its_device_and_others_do_not),
		cmocka_unit_test(openers_of_a_device_are_known_when_it_is_there),
		cmocka_unit_test(a_device_that_does_not_come_is_a_removed_one),
		cmocka_unit_test(
		    who_has_waited_long_enough_has_an_error_and_the_device_may_come_all_the_same),
		cmocka_unit_test(an_inode_number_that_is_known_is_no_other_devices),
		cmocka_unit_test(who_waits_for_a_device_has_an_error_when_it_stops),
		cmocka_unit_test(what_finds_no_room_to_wait_waits_in_the_kernel),
		cmocka_unit_test(a_kernel_that_sends_nothing_again_has_eio_and_goes_on),
		cmocka_unit_test(a_request_that_was_never_recorded_has_eio_too),
		cmocka_unit_test(what_is_damaged_or_dead_is_refused_and_made_anew),
		cmocka_unit_test(a_mount_that_was_taken_away_meanwhile_is_made_again),
		cmocka_unit_test(a_connection_that_is_made_later_is_held_and_taken_over_as_well),
		cmocka_unit_test(an_orderly_end_leaves_nothing),
	};
	const char *obstacle = fusetest_obstacle();

	if (obstacle != NULL) {
		printf("skipped: %s\n", obstacle);
		return 77;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
