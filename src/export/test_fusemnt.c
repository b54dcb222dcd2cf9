/* Mounts of the fuse exporter: what is there already, and who may make one. */
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
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

#include "export/fusetest.h"
#include "export/mounts.h"

#define MIB (1u << 20)

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
	assert_true(fusetest_is_mounted(dir));
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
	assert_false(fusetest_is_mounted(dir));
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
	return fusetest_is_mounted(dir) ? 4 : 0;
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
		cmocka_unit_test(a_stale_mount_is_cleaned_up_and_a_live_one_is_left_alone),
		cmocka_unit_test(a_mount_of_another_kind_is_not_taken_away),
		cmocka_unit_test(where_there_is_no_fuse_the_error_says_so),
		cmocka_unit_test(an_ordinary_user_has_disks_through_fusermount),
	};

	return fusetest_main("fusemnt", tests, sizeof tests / sizeof tests[0]);
}
