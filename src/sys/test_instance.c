#include <sys/wait.h>

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "sys/daemon.h"
#include "sys/instance.h"

static char dir[] = "/tmp/instance-XXXXXX";
static char path[64];

/* A process that holds the pid file; it ends at SIGTERM, or does not. */
static pid_t
holder(bool is_stubborn)
{
	int ready[2];
	char c;
	pid_t pid, owner;

	assert_int_equal(pipe(ready), 0);
	pid = fork();
	if (pid == 0) {
		if (is_stubborn)
			signal(SIGTERM, SIG_IGN);
		c = daemon_pid_open(path, &owner) >= 0 ? 'y' : 'n';
		if (write(ready[1], &c, 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	assert_true(pid > 0);
	assert_int_equal(read(ready[0], &c, 1), 1);
	assert_int_equal(c, 'y');
	close(ready[0]);
	close(ready[1]);
	return pid;
}

static int
end_signal(pid_t pid)
{
	int st;

	assert_int_equal(waitpid(pid, &st, 0), pid);
	return WIFSIGNALED(st) ? WTERMSIG(st) : 0;
}

static void
none_runs_where_there_is_no_pid_file_or_nobody_locks_it(void **state)
{
	FILE *f;

	(void)state;
	unlink(path);
	assert_int_equal(instance_status("x", path), INSTANCE_EXIT_NOT_RUNNING);
	assert_int_equal(instance_stop("x", path, 1000), INSTANCE_EXIT_OK);
	f = fopen(path, "w");
	fprintf(f, "%d\n", (int)getpid());
	fclose(f);
	assert_int_equal(instance_status("x", path), INSTANCE_EXIT_NOT_RUNNING);
	/* It names this very process, which must survive. */
	assert_int_equal(instance_stop("x", path, 1000), INSTANCE_EXIT_OK);
}

static void
running_one_is_seen_and_ends_when_asked(void **state)
{
	pid_t pid = holder(false);

	(void)state;
	assert_int_equal(instance_status("x", path), INSTANCE_EXIT_OK);
	assert_int_equal(instance_stop("x", path, 60000), INSTANCE_EXIT_OK);
	assert_int_equal(end_signal(pid), SIGTERM);
	assert_int_equal(access(path, F_OK), -1);
	assert_int_equal(instance_status("x", path), INSTANCE_EXIT_NOT_RUNNING);
}

static void
one_that_does_not_end_is_killed(void **state)
{
	pid_t pid = holder(true);

	(void)state;
	assert_int_equal(instance_stop("x", path, 20), INSTANCE_EXIT_OK);
	assert_int_equal(end_signal(pid), SIGKILL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(none_runs_where_there_is_no_pid_file_or_nobody_locks_it),
		cmocka_unit_test(running_one_is_seen_and_ends_when_asked),
		cmocka_unit_test(one_that_does_not_end_is_killed),
	};
	int ret;

	if (mkdtemp(dir) == NULL)
		return 1;
	snprintf(path, sizeof path, "%s/pid", dir);
	ret = cmocka_run_group_tests(tests, NULL, NULL);
	unlink(path);
	rmdir(dir);
	return ret;
}
