#include "tools/ran.h"

#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <setjmp.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static char **tools; /* iscsiutil, ioscan, insf, rmsf: the test's arguments */
char ran_root[] = "/tmp/openisw-tools-XXXXXX";
char ran_iscsi_path[128], ran_isw_path[128];
char ran_out[65536], ran_err[65536];

void
ran_read(int fd, char *buf, size_t cap)
{
	ssize_t n = pread(fd, buf, cap - 1, 0);

	assert_true(n >= 0);
	buf[n] = '\0';
}

int
ran_spawn(const char *text, int out_fd, int err_fd)
{
	static const char *const names[] = { "iscsiutil", "ioscan", "insf", "rmsf" };
	char *copy = strdup(text), *save = copy, *argv[32];
	posix_spawn_file_actions_t actions;
	const char *program = NULL;
	int n = 0, status;
	pid_t pid;

	for (char *w; (w = strsep(&save, " ")) != NULL;)
		if (w[0] != '\0')
			argv[n++] = w;
	argv[n] = NULL;
	for (int i = 0; i < 4; i++)
		if (strcmp(argv[0], names[i]) == 0)
			program = tools[i];
	assert_non_null(program);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, out_fd, STDOUT_FILENO);
	posix_spawn_file_actions_adddup2(&actions, err_fd, STDERR_FILENO);
	assert_int_equal(posix_spawn(&pid, program, &actions, NULL, argv, environ), 0);
	posix_spawn_file_actions_destroy(&actions);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	free(copy);
	return WEXITSTATUS(status);
}

int
ran_line(const char *text)
{
	int out_fd = memfd_create("out", 0), err_fd = memfd_create("err", 0), status;

	status = ran_spawn(text, out_fd, err_fd);
	ran_read(out_fd, ran_out, sizeof(ran_out));
	ran_read(err_fd, ran_err, sizeof(ran_err));
	close(out_fd);
	close(err_fd);
	return status;
}

int
ran_with(const char *text, const struct fake_exchange *exchanges, size_t n)
{
	pid_t pid = fake_driver_start(ran_iscsi_path, exchanges, n);
	int status = ran_line(text);

	fake_driver_end(pid);
	unlink(ran_iscsi_path);
	return status;
}

int
ran_group(int argc, char **argv, const struct CMUnitTest *tests, size_t n)
{
	char dev[64];
	int failed;

	if (argc != 5 || mkdtemp(ran_root) == NULL)
		return 1;
	tools = argv + 1;
	setenv("OPENISW_ROOT", ran_root, 1);
	snprintf(dev, sizeof(dev), "%s/dev", ran_root);
	snprintf(ran_iscsi_path, sizeof(ran_iscsi_path), "%s/iscsi", dev);
	snprintf(ran_isw_path, sizeof(ran_isw_path), "%s/isw", dev);
	if (mkdir(dev, 0700) != 0)
		return 1;
	failed = _cmocka_run_group_tests("tools", tests, n, NULL, NULL);
	unlink(ran_iscsi_path);
	unlink(ran_isw_path);
	rmdir(dev);
	rmdir(ran_root);
	return failed;
}
