/* A driver that was conquered asks its porter for loop devices. */
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "export/fusetest.h"
#include "export/loopid.h"
#include "export/looptest.h"
#include "export/portertest.h"

#define MIB (1u << 20)

static int
run_program(char *const argv[])
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		execvp(argv[0], argv);
		_exit(127);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* ---- loop devices ---- */

static void
nothing_but_a_disk_of_a_mount_becomes_a_loop_device(void **state)
{
	static const char *const names[] = { "", "../plain", "c0t0d0/../../plain", "c0t0d",
		"c0t0d0 ", "c0t-1d0", "/dev/null" };
	struct porter_question q = { .op = PORTER_ATTACH, .session = 2, .block_bytes = 512 };
	struct portertest f;

	(void)state;
	portertest_setup(&f);
	portertest_make_dir(&f, "2");
	portertest_make_file(&f, "2/c0t0d0");
	portertest_make_file(&f, "plain");
	assert_int_equal(symlink("c0t0d0", portertest_below(&f, "2/c0t0d1")), 0);
	assert_int_equal(symlink("/dev", portertest_below(&f, "1")), 0);
	assert_int_equal(PORTERTEST_ASK(&f, .op = PORTER_ATTACH, .session = 2, .block_bytes = 512,
			     .name = "c0t0d0"),
	    -EPERM);
	assert_int_equal(PORTERTEST_ASK(&f, .op = PORTER_ATTACH, .session = 2, .block_bytes = 512,
			     .name = "c0t0d1"),
	    -ELOOP);
	assert_true(PORTERTEST_ASK(&f, .op = PORTER_ATTACH, .session = 1, .block_bytes = 512,
			.name = "c0t0d0") < 0);
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		snprintf(q.name, sizeof q.name, "%s", names[i]);
		assert_int_equal(portertest_ask(&f, q, -1, NULL), -EINVAL);
	}
	memset(q.name, '1', sizeof q.name); /* no end */
	q.name[0] = 'c';
	assert_int_equal(portertest_ask(&f, q, -1, NULL), -EINVAL);
	portertest_teardown(&f);
}

/* Somebody's loop device on this file; its number. */
static int
others_device(const char *file)
{
	char line[32] = "";
	int fds[2], number = -1;
	pid_t pid;

	assert_int_equal(pipe(fds), 0);
	pid = fork();
	if (pid == 0) {
		dup2(fds[1], STDOUT_FILENO);
		execlp("losetup", "losetup", "--find", "--show", file, (char *)NULL);
		_exit(127);
	}
	close(fds[1]);
	assert_true(read(fds[0], line, sizeof line - 1) > 0);
	close(fds[0]);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_int_equal(sscanf(line, "/dev/loop%d", &number), 1);
	return number;
}

/* All that can be done to a device fails, as for one that is not there. */
static void
assert_out_of_reach(struct portertest *f, struct porter_question q)
{
	for (q.op = PORTER_CHANGE; q.op <= PORTER_DETACH; q.op++)
		for (unsigned forced = 0; forced < 2; forced++) {
			q.is_forced = (uint8_t)forced;
			assert_int_equal(portertest_ask(f, q, -1, NULL), -ENXIO);
		}
}

static void
take_away(int number)
{
	char node[32];

	snprintf(node, sizeof node, "/dev/loop%d", number);
	assert_int_equal(run_program((char *[]){ "losetup", "-d", node, NULL }), 0);
}

static void
only_the_devices_that_it_has_made_are_touched(void **state)
{
	struct fusetest t;
	struct portertest f = { .id = 0 };
	struct porter_question q = { .op = PORTER_ATTACH, .block_bytes = 512, .name = "c0t0d0" };
	struct loopdev_id id;
	int others[2], fd;
	char file[160];

	(void)state;
	portertest_fork(&f);
	fusetest_start(&t);
	fusetest_add(&t, "c0t0d0", 8 * MIB, 512);
	fusetest_add(&t, "c0t0d1", 8 * MIB, 512);
	snprintf(f.base, sizeof f.base, "%s", t.base);
	portertest_start(&f, f.base);
	portertest_make_file(&f, "plain");
	others[0] = others_device(portertest_below(&f, "plain"));
	/* On a disk of ours even, but made by somebody else. */
	others[1] = others_device(fusetest_path(&t, "c0t0d1"));
	assert_int_equal(portertest_ask(&f, q, -1, NULL), 0);
	q.number = f.a.number;
	q.device = f.a.device;
	q.inode = f.a.inode;
	assert_true(q.number != others[0] && q.number != others[1]);
	for (unsigned i = 0; i < 2; i++) {
		struct porter_question bad = q;

		bad.number = others[i];
		assert_out_of_reach(&f, bad);
		snprintf(file, sizeof file, "%s", fusetest_path(&t, "c0t0d1"));
		fd = loopid_open(others[1], O_RDONLY);
		assert_true(fd >= 0 && loopid_get(fd, others[1], file, &id) == 0);
		close(fd);
		/* With what is true of it. */
		bad.device = id.device;
		bad.inode = id.inode;
		snprintf(bad.name, sizeof bad.name, "c0t0d1");
		assert_out_of_reach(&f, bad);
		bad.number = q.number;
		assert_out_of_reach(&f, bad);
		assert_true(loopid_file(others[i], file, sizeof file));
	}
	q.op = PORTER_CHECK;
	assert_int_equal(portertest_ask(&f, q, -1, NULL), 0);
	q.op = PORTER_DETACH;
	assert_int_equal(portertest_ask(&f, q, -1, NULL), 0);
	assert_int_equal(portertest_ask(&f, q, -1, NULL), -ENXIO);
	for (unsigned i = 0; i < 2; i++)
		take_away(others[i]);
	unlink(portertest_below(&f, "plain"));
	portertest_stop(&f);
	fusetest_end(&t);
}

/* A process that has this device open until it is ended. */
static pid_t
open_there(int number)
{
	char node[32], byte;
	int fds[2];
	pid_t pid;

	snprintf(node, sizeof node, "/dev/loop%d", number);
	assert_int_equal(pipe(fds), 0);
	pid = fork();
	if (pid == 0) {
		dup2(open(node, O_RDONLY), 3);
		dup2(fds[1], 4);
		close_range(5, ~0u, 0);
		if (write(4, "", 1) == 1)
			pause();
		_exit(0);
	}
	assert_int_equal(read(fds[0], &byte, 1), 1);
	close(fds[0]);
	close(fds[1]);
	return pid;
}

static void
it_tells_who_uses_its_own_devices_only(void **state)
{
	struct fusetest t;
	struct portertest f = { .id = 0 };
	struct porter_question q = { .op = PORTER_ATTACH, .block_bytes = 512, .name = "c0t0d0" };
	pid_t users[2];
	char want[32];
	int other;

	(void)state;
	portertest_fork(&f);
	fusetest_start(&t);
	fusetest_add(&t, "c0t0d0", 8 * MIB, 512);
	snprintf(f.base, sizeof f.base, "%s", t.base);
	portertest_start(&f, f.base);
	portertest_make_file(&f, "plain");
	other = others_device(portertest_below(&f, "plain"));
	assert_int_equal(portertest_ask(&f, q, -1, NULL), 0);
	q.number = f.a.number;
	q.device = f.a.device;
	q.inode = f.a.inode;
	users[0] = open_there(q.number);
	users[1] = open_there(other);
	(void)portertest_send(&f, (struct porter_question){ .op = PORTER_USERS }, -1);
	(void)portertest_receive(&f);
	assert_int_equal(f.a.kind, PORTER_USED);
	assert_int_equal(f.a.number, q.number);
	snprintf(want, sizeof want, "(process %d)", users[0]);
	assert_non_null(strstr(f.a.text, want));
	(void)portertest_receive(&f);
	assert_int_equal(f.a.kind, PORTER_LAST);
	assert_int_equal(f.a.result, 0);
	for (unsigned i = 0; i < 2; i++) {
		kill(users[i], SIGKILL);
		assert_int_equal(waitpid(users[i], NULL, 0), users[i]);
	}
	q.op = PORTER_DETACH;
	assert_int_equal(portertest_ask(&f, q, -1, NULL), 0);
	take_away(other);
	unlink(portertest_below(&f, "plain"));
	portertest_stop(&f);
	fusetest_end(&t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_but_a_disk_of_a_mount_becomes_a_loop_device),
		cmocka_unit_test(only_the_devices_that_it_has_made_are_touched),
		cmocka_unit_test(it_tells_who_uses_its_own_devices_only),
	};

	return looptest_main("porter_loops", tests, sizeof tests / sizeof *tests);
}
