/*
 * A process that changes the registry is killed at any moment: what it had
 * acknowledged is there, and what was one transaction is all there or not.
 */
#include <sys/wait.h>

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "registry/registry.h"

#define ROUNDS 50

static char dir[64], path[128];

static struct registry *
open_registry(void)
{
	struct registry_error error;
	struct registry *r = NULL;

	if (registry_open(path, &r, &error) < 0) {
		fprintf(stderr, "%s\n", error.message);
		return NULL;
	}
	return r;
}

/* Transaction i: the number as the alias, and one more of everything. */
static int
write_one(struct registry *r, int i)
{
	struct registry_address a = { .port = 3260, .tpgt = 1 };
	char number[16], name[64], hw_path[32];
	uint32_t instance;
	int err = registry_begin(r);

	(void)snprintf(number, sizeof number, "%d", i);
	(void)snprintf(name, sizeof name, "iqn.2001-01.com.example:%d", i);
	(void)snprintf(hw_path, sizeof hw_path, "255/0/%d.0.0.0", i);
	(void)snprintf(a.address, sizeof a.address, "host-%d", i);
	if (err == 0)
		err = registry_set(r, NULL, REGISTRY_KEY_initiator_alias, number);
	if (err == 0)
		err = registry_discovery_add(r, &a);
	if (err == 0)
		err = registry_target_seen(r, name, NULL, REGISTRY_SENDTARGETS, &a, i, NULL);
	if (err == 0)
		err = registry_session_instance(r, name, &a, &instance);
	if (err == 0)
		err = registry_io_instance(r, REGISTRY_CLASS_disk, hw_path, &instance);
	return err == 0 ? registry_commit(r) : err;
}

/* How many transactions there are; every table must agree. */
static int
count(struct registry *r)
{
	struct registry_address *a;
	struct registry_session *s;
	struct registry_target *t;
	struct registry_io *io;
	size_t n, m;
	char *alias;
	int total = 0;

	if (registry_get(r, NULL, REGISTRY_KEY_initiator_alias, &alias) == 0) {
		total = (int)strtol(alias, NULL, 10);
		free(alias);
	}
	assert_int_equal(registry_discovery_list(r, &a, &n), 0);
	assert_int_equal(n, total);
	free(a);
	assert_int_equal(registry_target_list(r, NULL, &t, &n), 0);
	assert_int_equal(n, total);
	registry_targets_free(t, n);
	assert_int_equal(registry_session_list(r, &s, &n), 0);
	assert_int_equal(registry_io_list(r, &io, &m), 0);
	assert_int_equal(n, total);
	assert_int_equal(m, total);
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(s[i].instance, i);
		assert_int_equal(io[i].instance, i);
	}
	free(s);
	free(io);
	return total;
}

/* In the child: write on from transaction `from`, and say so after each. */
static _Noreturn void
write_for_ever(int from, int fd)
{
	struct registry *r = open_registry();

	for (int i = from; r != NULL && write_one(r, i) == 0; i++)
		if (write(fd, &i, sizeof i) != sizeof i)
			_exit(2);
	_exit(1);
}

static void
a_kill_at_any_moment_loses_nothing_that_was_acknowledged(void **state)
{
	struct registry *r;
	int acknowledged = 0;

	(void)state;
	srandom(20261122);
	for (int round = 0; round < ROUNDS; round++) {
		long spin = random() % 400000, acks = random() % 4;
		int fds[2], i, found, status;
		pid_t pid;

		assert_int_equal(pipe(fds), 0);
		pid = fork();
		assert_true(pid >= 0);
		if (pid == 0)
			write_for_ever(acknowledged + 1, fds[1]);
		close(fds[1]);
		for (; acks >= 0 && read(fds[0], &i, sizeof i) == sizeof i; acks--)
			acknowledged = i;
		/* Somewhere between two acknowledgements. */
		for (volatile long n = 0; n < spin; n++)
			;
		assert_int_equal(kill(pid, SIGKILL), 0);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFSIGNALED(status));
		while (read(fds[0], &i, sizeof i) == sizeof i)
			acknowledged = i;
		close(fds[0]);
		r = open_registry();
		assert_non_null(r);
		found = count(r);
		/* The last one may be kept although the child had no time to say so. */
		assert_in_range(found, acknowledged, acknowledged + 1);
		acknowledged = found;
		registry_close(r);
	}
	assert_true(acknowledged >= ROUNDS);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_kill_at_any_moment_loses_nothing_that_was_acknowledged),
	};
	int failed;

	strncpy(dir, "/tmp/openisw-crash-XXXXXX", sizeof dir - 1);
	if (mkdtemp(dir) == NULL)
		return 1;
	(void)snprintf(path, sizeof path, "%s/registry.db", dir);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	(void)unlink(path);
	(void)rmdir(dir); /* stays, to be looked at, where the test failed in the middle */
	return failed;
}
