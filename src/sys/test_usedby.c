#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <fcntl.h>
#include <ftw.h>
#include <linux/loop.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "sys/usedby.h"

static char root[] = "/tmp/openisw-usedby-XXXXXX";
static struct paths paths;
static char said[4096];

static void
told(void *user, const char *by)
{
	size_t at = strlen(said);

	assert_ptr_equal(user, &paths);
	assert_true(snprintf(said + at, sizeof said - at, "%s\n", by) < (int)(sizeof said - at));
}

static const char *
find(const char *disk)
{
	said[0] = '\0';
	usedby_find(&paths, disk, told, &paths);
	return said;
}

/* A process of this name that has the disk's file open. */
static pid_t
opener(const char *file, const char *name, int *ret_end)
{
	int ready[2], end[2];
	pid_t pid;
	char c;

	assert_int_equal(pipe(ready), 0);
	assert_int_equal(pipe(end), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		FILE *comm = fopen("/proc/self/comm", "w");
		int fd = open(file, O_RDONLY);

		close(end[1]);
		if (comm == NULL || fputs(name, comm) < 0 || fclose(comm) != 0 || fd < 0 ||
		    dup(fd) < 0 || write(ready[1], "y", 1) != 1)
			_exit(1);
		_exit(read(end[0], &c, 1) == 0 ? 0 : 1);
	}
	assert_int_equal(read(ready[0], &c, 1), 1);
	close(ready[0]);
	close(ready[1]);
	close(end[0]);
	*ret_end = end[1];
	return pid;
}

static void
a_client_that_the_driver_names_is_told_by_its_name(void **state)
{
	char disk[64], expected[64], comm[32] = "";
	FILE *f = fopen("/proc/self/comm", "r");

	(void)state;
	assert_non_null(f);
	assert_non_null(fgets(comm, sizeof comm, f));
	(void)fclose(f); /* only read */
	(void)snprintf(disk, sizeof disk, "c0t0d9 (process %d, process %d)", (int)getpid(),
	    (int)getpid()); /* fits */
	(void)snprintf(expected, sizeof expected, "process %d (%.*s)\n", (int)getpid(),
	    (int)strcspn(comm, "\n"), comm); /* fits */
	assert_string_equal(find(disk), expected);
	assert_string_equal(
	    find("c0t0d9 (process 999999999)"), "process 999999999, which has ended\n");
	assert_string_equal(find("c0t0d9 (a process that has no number here)"), "");
	assert_string_equal(find("c0t0d9 (process 123456789012345678901234567890)"), "");
}

static void
a_process_that_has_its_file_open_is_told_once_and_harmless(void **state)
{
	char file[256], link[512], expected[128], *text;
	int end, st;
	pid_t pid;

	(void)state;
	(void)snprintf(file, sizeof file, "%s/disk", root);
	(void)snprintf(link, sizeof link, "%s/c1t0d1", paths.rdsk);
	close(open(file, O_CREAT | O_WRONLY, 0600));
	assert_int_equal(symlink(file, link), 0);
	assert_string_equal(find("c1t0d1"), "");
	pid = opener(file, "e\033vil", &end);
	(void)snprintf(expected, sizeof expected, "process %d (e\\x1bvil)\n", (int)pid);
	assert_string_equal(find("c1t0d1"), expected);
	assert_string_equal(find("c1t0d1 (/dev/none)"), expected);
	assert_string_equal(find("c1t0d2"), "");
	text = usedby_text(&paths, "c1t0d1");
	expected[strlen(expected) - 1] = '\0';
	assert_string_equal(text, expected);
	free(text);
	close(end);
	assert_int_equal(waitpid(pid, &st, 0), pid);
	assert_int_equal(st, 0);
	assert_string_equal(find("c1t0d1"), "");
	unlink(link);
	unlink(file);
}

/* Its number, tied to the file; -1: there are no loop devices here. */
static int
tie_loop(const char *file, int *ret_fd)
{
	int control = open("/dev/loop-control", O_RDWR), fd = open(file, O_RDWR), n = -1;
	char path[32];

	/* Somebody else may take the free one first. */
	for (int tries = 0; control >= 0 && tries < 10; tries++) {
		n = ioctl(control, LOOP_CTL_GET_FREE);
		(void)snprintf(path, sizeof path, "/dev/loop%d", n);
		*ret_fd = n >= 0 ? open(path, O_RDWR) : -1;
		if (*ret_fd >= 0 && ioctl(*ret_fd, LOOP_SET_FD, fd) == 0)
			break;
		if (*ret_fd >= 0)
			close(*ret_fd);
		n = -1;
	}
	if (control >= 0)
		close(control);
	close(fd);
	return n;
}

static void
a_loop_device_on_it_is_told(void **state)
{
	char file[256], link[512], expected[64];
	int fd = -1, n;

	(void)state;
	(void)snprintf(file, sizeof file, "%s/disk", root);
	(void)snprintf(link, sizeof link, "%s/c1t0d1", paths.rdsk);
	close(open(file, O_CREAT | O_WRONLY, 0600));
	assert_int_equal(truncate(file, 1 << 20), 0);
	assert_int_equal(symlink(file, link), 0);
	n = tie_loop(file, &fd);
	if (n >= 0) {
		find("c1t0d1");
		assert_int_equal(ioctl(fd, LOOP_CLR_FD), 0);
		close(fd);
	}
	unlink(link);
	unlink(file);
	if (n < 0)
		skip();
	(void)snprintf(expected, sizeof expected, "loop device /dev/loop%d\n", n);
	assert_string_equal(said, expected);
}

static void
what_is_no_disk_has_no_user(void **state)
{
	static const char *const words[] = { "", "../../etc", " (", "c1t0d1 (/etc/passwd)",
		"(/dev/)" };

	(void)state;
	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
		assert_string_equal(find(words[i]), "");
}

static int
remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_client_that_the_driver_names_is_told_by_its_name),
		cmocka_unit_test(a_process_that_has_its_file_open_is_told_once_and_harmless),
		cmocka_unit_test(a_loop_device_on_it_is_told),
		cmocka_unit_test(what_is_no_disk_has_no_user),
	};
	char why[BENEATH_WHY_BYTES];
	int failed;

	if (mkdtemp(root) == NULL || paths_init(&paths, root) < 0 || paths_mkdirs(&paths, why) < 0)
		return 1;
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	paths_fini(&paths);
	return nftw(root, remove_one, 8, FTW_DEPTH | FTW_PHYS) == 0 ? failed : 1;
}
