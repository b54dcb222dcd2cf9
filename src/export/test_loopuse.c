/* Who has a loop device open, and what that means for who detaches it. */
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "export/looptest.h"

#define MIB (1u << 20)

static void
an_open_device_is_in_use_by_name_and_detached_only_by_force(void **state)
{
	struct looptest f;
	struct memdev *m;
	char pid_text[32], byte;
	int ready[2], status;
	pid_t pid;

	(void)state;
	looptest_begin(&f);
	m = fusetest_add(&f.t, "d", 8 * MIB, 512);
	looptest_attach(&f, m);
	assert_null(looptest_user_of(&f));
	assert_int_equal(pipe(ready), 0);
	pid = fork();
	if (pid == 0) {
		/* Nothing of the parent's, or it would keep the mount. */
		int fd = open(f.job.path, O_RDONLY);

		dup2(fd, 3);
		dup2(ready[1], 4);
		close_range(5, ~0u, 0);
		if (write(4, "", 1) == 1)
			pause();
		_exit(0);
	}
	assert_int_equal(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	close(ready[1]);
	snprintf(pid_text, sizeof pid_text, "(process %d)", pid);
	assert_non_null(strstr(looptest_user_of(&f), pid_text));
	assert_int_equal(looptest_run(&f, LOOPDEV_DETACH), -EBUSY);
	assert_non_null(strstr(f.job.why, pid_text));
	f.job.is_forced = true;
	assert_int_equal(looptest_run(&f, LOOPDEV_DETACH), 0);
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	/* It went with its last user. */
	assert_int_equal(looptest_run(&f, LOOPDEV_DETACH), -ENXIO);
	assert_int_equal(fusetest_openers(&f.t, m), 0);
	looptest_end(&f);
}

static void
a_device_that_was_opened_before_it_was_let_go_stays(void **state)
{
	struct looptest f;
	struct memdev *m;
	char buf[512];
	int fd, ready[2], status;
	pid_t pid;

	(void)state;
	looptest_begin(&f);
	m = fusetest_add(&f.t, "d", 8 * MIB, 512);
	looptest_attach(&f, m);
	assert_int_equal(pipe(ready), 0);
	pid = fork();
	if (pid == 0) {
		dup2(open(f.job.path, O_RDONLY), 3);
		dup2(ready[1], 4);
		close_range(5, ~0u, 0);
		if (write(4, "", 1) == 1)
			pause();
		_exit(0);
	}
	assert_int_equal(read(ready[0], buf, 1), 1);
	close(ready[0]);
	close(ready[1]);
	assert_int_equal(looptest_run(&f, LOOPDEV_DETACH), -EBUSY);
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	/* A refusal changes nothing: the device is there when its user has closed it. */
	assert_int_equal(looptest_run(&f, LOOPDEV_CHECK), 0);
	fd = open(f.job.path, O_RDONLY | O_CLOEXEC);
	assert_int_equal(read(fd, buf, sizeof buf), sizeof buf);
	close(fd);
	assert_int_equal(looptest_run(&f, LOOPDEV_DETACH), 0);
	looptest_end(&f);
}

static void
users_of_many_devices_are_found_in_one_walk(void **state)
{
	struct loopuse uses[3];
	struct looptest f;
	struct loopdev_job jobs[3];
	int fds[2], status;
	char byte;
	pid_t pid;

	(void)state;
	looptest_begin(&f);
	for (unsigned i = 0; i < 3; i++) {
		looptest_attach(
		    &f, fusetest_add(&f.t, (char *[]){ "a", "b", "c" }[i], 8 * MIB, 512));
		jobs[i] = f.job;
		uses[2 - i].number = f.job.number;
	}
	assert_int_equal(pipe(fds), 0);
	pid = fork();
	if (pid == 0) {
		dup2(open(jobs[0].path, O_RDONLY), 3);
		dup2(open(jobs[2].path, O_RDONLY), 4);
		dup2(fds[1], 5);
		close_range(6, ~0u, 0);
		if (write(5, "", 1) == 1)
			pause();
		_exit(0);
	}
	assert_int_equal(read(fds[0], &byte, 1), 1);
	close(fds[0]);
	close(fds[1]);
	f.job.users = uses;
	f.job.n_numbers = 3;
	assert_int_equal(looptest_run(&f, LOOPDEV_USERS), 0);
	for (unsigned i = 0; i < 3; i++)
		for (unsigned k = 0; k < 3; k++)
			if (uses[i].number == jobs[k].number)
				assert_int_equal(uses[i].is_used, k != 1);
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	for (unsigned i = 0; i < 3; i++) {
		f.job = jobs[i];
		assert_int_equal(looptest_run(&f, LOOPDEV_DETACH), 0);
	}
	looptest_end(&f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_open_device_is_in_use_by_name_and_detached_only_by_force),
		cmocka_unit_test(a_device_that_was_opened_before_it_was_let_go_stays),
		cmocka_unit_test(users_of_many_devices_are_found_in_one_walk),
	};

	return looptest_main("loopuse", tests, sizeof tests / sizeof tests[0]);
}
