/* As it is mounted at /sys, and where nothing is. */
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "sys/sysfs.h"

/* Everywhere, and nothing else in its place. */
#define LINE  "class/net/lo/address"
#define ADDR  "00:00:00:00:00:00"
#define SKIPS 77
/* A number that nothing else in the test has. */
#define NUMBER 40

/* What a child that sees no /sys finds; 0, SKIPS, or the line where it went wrong. */
static int
in_a_bare_place(int (*fn)(void))
{
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (pid == 0) {
		if (unshare(CLONE_NEWNS) < 0 ||
		    mount("", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
		    mount("none", "/sys", "tmpfs", 0, NULL) < 0)
			_exit(SKIPS);
		_exit(fn());
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

#define WRONG (__LINE__ % 256)

static int
read_without(void)
{
	char line[64], cut[6];
	struct stat st;
	DIR *dir;

	if (!sysfs_line(line, sizeof line, "class/%s/lo/address", "net"))
		return WRONG;
	if (strcmp(line, ADDR) != 0)
		return WRONG;
	if (!sysfs_line(cut, sizeof cut, LINE) || strcmp(cut, "00:00") != 0)
		return WRONG;
	if (sysfs_line(line, sizeof line, "class/net/none/address") || line[0] != '\0')
		return WRONG;
	dir = sysfs_dir("class/net/%s", "lo");
	if (dir == NULL || closedir(dir) < 0)
		return WRONG;
	if (sysfs_dir("class/net/none") != NULL || errno != ENOENT)
		return WRONG;
	/* Nobody sees it. */
	return stat("/sys/class", &st) < 0 ? 0 : WRONG;
}

static int
keep_without(void)
{
	char line[64];

	if (sysfs_keep(NUMBER) != 0 || fcntl(NUMBER, F_GETFD) != FD_CLOEXEC)
		return WRONG;
	if (!sysfs_line(line, sizeof line, LINE))
		return WRONG;
	/* The one that is kept is what is used: no other is opened in its place. */
	close(NUMBER);
	if (sysfs_line(line, sizeof line, LINE) || sysfs_dir("class") != NULL)
		return WRONG;
	return errno == EBADF ? 0 : WRONG;
}

/* An ordinary user may not mount: that is no "there is none". */
static int
be_refused(void)
{
	char line[64];

	if (setgid(65534) < 0 || setuid(65534) < 0)
		return SKIPS;
	if (sysfs_line(line, sizeof line, LINE))
		return WRONG;
	if (sysfs_dir("class/net/none") != NULL || errno == ENOENT)
		return WRONG;
	return sysfs_keep(NUMBER) < 0 && fcntl(NUMBER, F_GETFD) < 0 ? 0 : WRONG;
}

static void
check(int (*fn)(void))
{
	int found = in_a_bare_place(fn);

	if (found == SKIPS)
		skip();
	assert_int_equal(found, 0);
}

static void
where_nothing_is_at_sys_it_is_read_all_the_same(void **state)
{
	(void)state;
	check(read_without);
}

static void
what_is_kept_is_used(void **state)
{
	(void)state;
	check(keep_without);
}

static void
who_may_not_mount_learns_that_it_cannot_be_known(void **state)
{
	(void)state;
	check(be_refused);
}

static void
what_is_at_sys_is_used(void **state)
{
	char line[64];

	(void)state;
	if (access("/sys/" LINE, R_OK) != 0)
		skip();
	assert_true(sysfs_line(line, sizeof line, LINE));
	assert_string_equal(line, ADDR);
	assert_int_equal(sysfs_keep(NUMBER), 0);
	assert_true(sysfs_line(line, sizeof line, LINE));
	assert_null(sysfs_dir("class/net/none"));
	assert_int_equal(errno, ENOENT);
	close(NUMBER);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(where_nothing_is_at_sys_it_is_read_all_the_same),
		cmocka_unit_test(what_is_kept_is_used),
		cmocka_unit_test(who_may_not_mount_learns_that_it_cannot_be_known),
		cmocka_unit_test(what_is_at_sys_is_used),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
