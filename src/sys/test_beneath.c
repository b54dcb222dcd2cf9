#include <sys/stat.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "sys/beneath.h"

#define STRANGER 12345
#define RACES    300

static char dir[64], why[BENEATH_WHY_BYTES];

static int
make_dir(void **state)
{
	(void)state;
	strncpy(dir, "/tmp/openisw-beneath-XXXXXX", sizeof dir - 1);
	return mkdtemp(dir) == NULL ? -1 : chmod(dir, 0755);
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
remove_tree(const char *path)
{
	return nftw(path, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static int
remove_dir(void **state)
{
	(void)state;
	return remove_tree(dir);
}

static const char *
below(const char *name)
{
	static char path[2][256];
	static unsigned turn;
	char *p = path[turn++ % 2];

	(void)snprintf(p, sizeof path[0], "%s/%s", dir, name);
	return p;
}

/* The outcome of beneath_root(): 0 or a negative errno. */
static int
root(const char *name)
{
	int fd = beneath_root(below(name), why);

	if (fd >= 0)
		close(fd);
	return fd < 0 ? fd : 0;
}

static void
missing_directories_are_made_whatever_the_umask(void **state)
{
	mode_t was = umask(0077);
	struct stat st;
	int fd, sub;

	(void)state;
	fd = beneath_root(below("a/b//c/"), why);
	assert_true(fd >= 0);
	sub = beneath_dir(fd, "c", "d/e", 0710, why);
	assert_true(sub >= 0);
	assert_int_equal(fstat(sub, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0710);
	assert_int_equal(stat(below("a/b/c/d"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0755);
	close(sub);
	close(fd);
	umask(was);
}

static void
no_link_is_followed_below_the_root(void **state)
{
	int fd = beneath_root(dir, why);

	(void)state;
	assert_int_equal(mkdir(below("elsewhere"), 0755), 0);
	assert_int_equal(symlink("elsewhere", below("run")), 0);
	assert_int_equal(beneath_dir(fd, dir, "run/openisw", 0755, why), -ELOOP);
	assert_non_null(strstr(why, "run is a symbolic link"));
	assert_int_equal(access(below("elsewhere/openisw"), F_OK), -1);
	assert_int_equal(symlink("/tmp", below("last")), 0);
	assert_int_equal(beneath_dir(fd, dir, "last", 0700, why), -ELOOP);
	assert_int_equal(beneath_dir(fd, dir, "..", 0700, why), -EXDEV);
	assert_int_equal(beneath_dir(fd, dir, "/etc", 0700, why), -EINVAL);
	close(fd);
}

static void
root_goes_nowhere_that_others_can_change(void **state)
{
	(void)state;
	if (geteuid() != 0)
		skip();
	assert_int_equal(root("own/root"), 0);
	/* Somebody else's, first on the way and then the root itself. */
	assert_int_equal(chown(below("own"), STRANGER, STRANGER), 0);
	assert_int_equal(root("own/root"), -EPERM);
	assert_non_null(strstr(why, below("own")));
	assert_non_null(strstr(why, "belongs to user 12345"));
	assert_int_equal(chown(below("own"), 0, 0), 0);
	assert_int_equal(chown(below("own/root"), STRANGER, 0), 0);
	assert_int_equal(root("own/root"), -EPERM);
	assert_int_equal(chown(below("own/root"), 0, 0), 0);
	assert_int_equal(root("own/root"), 0);
	/* Everybody's, somebody's group's; root's own group is root. */
	assert_int_equal(chmod(below("own"), 0757), 0);
	assert_int_equal(root("own/root"), -EPERM);
	assert_non_null(strstr(why, "everybody"));
	assert_int_equal(chmod(below("own"), 0775), 0);
	assert_int_equal(root("own/root"), 0);
	assert_int_equal(chown(below("own"), 0, STRANGER), 0);
	assert_int_equal(chmod(below("own"), 0775), 0);
	assert_int_equal(root("own/root"), -EPERM);
	assert_non_null(strstr(why, "group 12345"));
}

static void
in_a_sticky_directory_only_what_is_root_s_is_taken(void **state)
{
	(void)state;
	if (geteuid() != 0)
		skip();
	assert_int_equal(mkdir(below("t"), 0755), 0);
	assert_int_equal(chmod(below("t"), 01777), 0);
	assert_int_equal(root("t/new"), 0);
	assert_int_equal(mkdir(below("t/his"), 0755), 0);
	assert_int_equal(chown(below("t/his"), STRANGER, 0), 0);
	assert_int_equal(root("t/his"), -EPERM);
	assert_int_equal(symlink("new", below("t/link")), 0);
	assert_int_equal(root("t/link"), 0);
	assert_int_equal(lchown(below("t/link"), STRANGER, 0), 0);
	assert_int_equal(root("t/link"), -EPERM);
	/* A sticky directory is its owner's to change. */
	assert_int_equal(chown(below("t"), STRANGER, 0), 0);
	assert_int_equal(root("t/new"), -EPERM);
}

static void
rows_below_the_root_are_looked_at_as_well(void **state)
{
	int fd = beneath_root(dir, why);

	(void)state;
	if (geteuid() != 0)
		skip();
	assert_int_equal(mkdir(below("run"), 0755), 0);
	assert_int_equal(chown(below("run"), STRANGER, 0), 0);
	assert_int_equal(beneath_dir(fd, dir, "run/openisw", 0755, why), -EPERM);
	assert_non_null(strstr(why, below("run")));
	assert_int_equal(access(below("run/openisw"), F_OK), -1);
	close(fd);
}

static void
an_ordinary_user_s_directories_are_his_own_affair(void **state)
{
	pid_t pid;
	int st;

	(void)state;
	if (geteuid() != 0)
		skip();
	assert_int_equal(mkdir(below("home"), 0755), 0);
	assert_int_equal(chown(below("home"), STRANGER, STRANGER), 0);
	assert_int_equal(chmod(below("home"), 0775), 0);
	pid = fork();
	if (pid == 0)
		_exit(
		    setresuid(STRANGER, STRANGER, STRANGER) == 0 && root("home/root") == 0 ? 0 : 1);
	assert_int_equal(waitpid(pid, &st, 0), pid);
	assert_int_equal(st, 0);
}

/* In a sticky directory, for ever: a directory, a link to root's, nothing; whatever comes first. */
static _Noreturn void
swap(void)
{
	if (chdir(below("t")) < 0 || setresuid(STRANGER, STRANGER, STRANGER) < 0)
		_exit(1);
	for (;;) {
		(void)mkdir("r", 0777); /* each may fail: root is at work, too */
		(void)rename("r", "was");
		(void)symlink("../victim", "r");
		(void)rename("r", "was2");
		(void)unlink("was2");
		(void)rmdir("was");
	}
}

static void
a_link_swapped_in_between_leads_root_nowhere(void **state)
{
	pid_t pid;

	(void)state;
	if (geteuid() != 0)
		skip();
	assert_int_equal(mkdir(below("victim"), 0755), 0);
	assert_int_equal(mkdir(below("t"), 0755), 0);
	assert_int_equal(chmod(below("t"), 01777), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		swap();
	for (int i = 0; i < RACES; i++) {
		int fd = beneath_root(below("t/r"), why), sub = -1;
		struct stat st;

		if (fd >= 0) {
			assert_int_equal(fstat(fd, &st), 0);
			assert_int_equal(st.st_uid, 0);
			sub = beneath_dir(fd, "r", "run/openisw", 0755, why);
			assert_true(sub >= 0);
			close(sub);
			close(fd);
			assert_int_equal(remove_tree(below("t/r")), 0);
		}
		assert_int_equal(access(below("victim/run"), F_OK), -1);
	}
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

#define WITH_DIR(f) cmocka_unit_test_setup_teardown(f, make_dir, remove_dir)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_DIR(missing_directories_are_made_whatever_the_umask),
		WITH_DIR(no_link_is_followed_below_the_root),
		WITH_DIR(root_goes_nowhere_that_others_can_change),
		WITH_DIR(in_a_sticky_directory_only_what_is_root_s_is_taken),
		WITH_DIR(rows_below_the_root_are_looked_at_as_well),
		WITH_DIR(an_ordinary_user_s_directories_are_his_own_affair),
		WITH_DIR(a_link_swapped_in_between_leads_root_nowhere),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
