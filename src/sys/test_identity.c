#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "sys/identity.h"

static const char *const programs[] = {
#define PATH_DAEMON(id, program) program,
#include "sys/paths.def"
};
#define PROGRAMS (sizeof programs / sizeof programs[0])

static void
every_daemon_is_somebody_else_and_never_nobody_or_root(void **state)
{
	struct daemon_identity who[PROGRAMS];
	const struct passwd *nobody = getpwnam("nobody");

	(void)state;
	for (size_t i = 0; i < PROGRAMS; i++) {
		assert_int_equal(identity_of(programs[i], &who[i]), 0);
		assert_int_not_equal(who[i].uid, 0);
		assert_int_not_equal(who[i].gid, 0);
		if (nobody != NULL)
			assert_int_not_equal(who[i].uid, nobody->pw_uid);
		for (size_t k = 0; k < i; k++) {
			assert_int_not_equal(who[i].uid, who[k].uid);
			assert_int_not_equal(who[i].gid, who[k].gid);
		}
	}
}

static void
an_account_of_the_daemon_s_name_is_its_user(void **state)
{
	const struct passwd *pw;
	struct daemon_identity who;

	(void)state;
	assert_int_equal(identity_of("iscsi_resolvd", &who), 0);
	assert_string_equal(who.name, "openisw-resolvd");
	pw = getpwnam(who.name);
	assert_int_equal(who.is_account, pw != NULL);
	if (pw != NULL)
		assert_int_equal(who.uid, pw->pw_uid);
}

static void
what_is_no_daemon_has_no_user(void **state)
{
	struct daemon_identity who;

	(void)state;
	assert_int_equal(identity_of("iscsi_driverd", &who), -ENOENT);
	assert_int_equal(identity_of("", &who), -ENOENT);
}

static void
root_of_a_namespace_with_one_user_is_alone(void **state)
{
	pid_t pid;
	int st;

	(void)state;
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		int fd;

		if (unshare(CLONE_NEWUSER) < 0)
			_exit(2); /* forbidden here */
		fd = open("/proc/self/uid_map", O_WRONLY | O_CLOEXEC);
		if (fd < 0 || write(fd, "0 0 1\n", 6) != 6)
			_exit(2);
		_exit(identity_is_alone() ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &st, 0), pid);
	assert_true(WIFEXITED(st));
	if (WEXITSTATUS(st) == 2)
		skip();
	assert_int_equal(WEXITSTATUS(st), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_daemon_is_somebody_else_and_never_nobody_or_root),
		cmocka_unit_test(an_account_of_the_daemon_s_name_is_its_user),
		cmocka_unit_test(what_is_no_daemon_has_no_user),
		cmocka_unit_test(root_of_a_namespace_with_one_user_is_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
