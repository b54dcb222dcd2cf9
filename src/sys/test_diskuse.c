#include <sys/stat.h>
#include <sys/wait.h>

#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "sys/diskuse.h"

static char root[] = "/tmp/openisw-diskuse-XXXXXX";
static struct paths paths;
static char disk[PATH_MAX];

/* A process that opens `file` and lives until *ret_end is closed. */
static pid_t
opener(const char *file, int *ret_end)
{
	int ready[2], end[2];
	pid_t pid;
	char c;

	assert_int_equal(pipe(ready), 0);
	assert_int_equal(pipe(end), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		close(end[1]);
		if (open(file, O_RDONLY) < 0 || write(ready[1], "y", 1) != 1)
			_exit(1);
		_exit(read(end[0], &c, 1) == 0 ? 0 : 1);
	}
	close(ready[1]);
	close(end[0]);
	assert_int_equal(read(ready[0], &c, 1), 1);
	close(ready[0]);
	*ret_end = end[1];
	return pid;
}

static void
leave(pid_t pid, int end)
{
	int status;

	close(end);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void
who_has_a_disks_file_open_is_its_user(void **state)
{
	struct diskuse u;
	int end;
	pid_t pid = opener(disk, &end);

	(void)state;
	assert_int_equal(diskuse_find(&u, &paths, 0), 0);
	assert_int_equal(u.n_users, 1);
	assert_int_equal(u.users[0].pid, pid);
	assert_string_equal(u.users[0].disk, "c0t0d1");
	assert_string_equal(u.users[0].name, "test_diskuse");
	assert_true(diskuse_is_user(&u, pid));
	leave(pid, end);
	assert_false(diskuse_is_user(&u, pid));
	diskuse_fini(&u);
	assert_int_equal(diskuse_find(&u, &paths, 0), 0);
	assert_int_equal(u.n_users, 0);
	diskuse_fini(&u);
}

static void
the_driver_and_what_it_starts_are_nobodys_users(void **state)
{
	struct diskuse u;
	int end;
	pid_t pid = opener(disk, &end);

	(void)state;
	assert_int_equal(diskuse_find(&u, &paths, pid), 0);
	assert_int_equal(u.n_users, 0);
	diskuse_fini(&u);
	assert_int_equal(diskuse_find(&u, &paths, getpid()), 0);
	assert_int_equal(u.n_users, 0);
	diskuse_fini(&u);
	leave(pid, end);
}

static void
a_file_beside_the_disks_is_no_disk(void **state)
{
	char file[PATH_MAX];
	struct diskuse u;
	int end, fd;
	pid_t pid;

	(void)state;
	(void)snprintf(file, sizeof file, "%s-not", paths.disks);
	fd = open(file, O_CREAT | O_WRONLY, 0600);
	assert_true(fd >= 0);
	close(fd);
	pid = opener(file, &end);
	assert_int_equal(diskuse_find(&u, &paths, 0), 0);
	assert_int_equal(u.n_users, 0);
	assert_int_equal(u.n_devices, 0);
	assert_int_equal(u.n_mounts, 0);
	diskuse_fini(&u);
	leave(pid, end);
	assert_int_equal(unlink(file), 0);
}

static void
an_initiator_that_never_ran_has_none(void **state)
{
	struct paths none;
	struct diskuse u;

	(void)state;
	assert_int_equal(paths_init(&none, "/tmp/openisw-diskuse-there-is-none"), 0);
	assert_int_equal(diskuse_find(&u, &none, 0), 0);
	assert_int_equal(u.n_devices + u.n_mounts + u.n_users, 0);
	diskuse_fini(&u);
	paths_fini(&none);
}

static int
make_root(void **state)
{
	char dir[PATH_MAX], why[BENEATH_WHY_BYTES];
	int fd;

	(void)state;
	if (mkdtemp(root) == NULL || paths_init(&paths, root) != 0 || paths_mkdirs(&paths, why) < 0)
		return -1;
	(void)snprintf(dir, sizeof dir, "%s/0", paths.disks);
	(void)snprintf(disk, sizeof disk, "%s/0/c0t0d1", paths.disks);
	if (mkdir(dir, 0700) != 0)
		return -1;
	fd = open(disk, O_CREAT | O_WRONLY, 0600);
	return fd < 0 ? -1 : close(fd);
}

static int
remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static int
remove_root(void **state)
{
	(void)state;
	paths_fini(&paths);
	return nftw(root, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_has_a_disks_file_open_is_its_user),
		cmocka_unit_test(the_driver_and_what_it_starts_are_nobodys_users),
		cmocka_unit_test(a_file_beside_the_disks_is_no_disk),
		cmocka_unit_test(an_initiator_that_never_ran_has_none),
	};

	return cmocka_run_group_tests(tests, make_root, remove_root);
}
