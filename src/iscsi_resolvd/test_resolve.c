/*
 * Requests and answers, over the daemon protocol, with a resolver that does
 * what the test wants; and once the program itself.  usage: test_resolve PATH-OF-iscsi_resolvd
 */
#include <sys/stat.h>
#include <sys/wait.h>

#include <errno.h>
#include <netinet/in.h>
#include <semaphore.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "iscsi_resolvd/resolve.h"
#include "sys/paths.h"

#define PATIENCE_US 60000000

static const char *program;
static char root[] = "/tmp/test-resolve-XXXXXX";
static struct paths paths;
static struct loop *loop;
static struct helper_server *driver;
static struct helper_client *client;
static struct resolve *resolve;
/* A gate for each test: threads may still stand at the last one's when the next begins. */
static sem_t gates[8];
static _Atomic(sem_t *) gate = gates;
static unsigned pending;

/* "there" has two addresses, "hang…" hangs until the gate opens, nothing else exists. */
static int
fake_getaddrinfo(
    const char *name, const char *service, const struct addrinfo *hints, struct addrinfo **ret)
{
	static struct sockaddr_in6 v6 = { .sin6_family = AF_INET6,
		.sin6_addr.s6_addr = { 0xfd, [15] = 1 } };
	static struct sockaddr_in v4 = { .sin_family = AF_INET,
		.sin_addr.s_addr = __builtin_bswap32(0xc0000201) };
	static struct addrinfo second = {
		.ai_family = AF_INET, .ai_addr = (struct sockaddr *)&v4, .ai_addrlen = sizeof v4
	};
	static struct addrinfo first = { .ai_family = AF_INET6,
		.ai_addr = (struct sockaddr *)&v6,
		.ai_addrlen = sizeof v6,
		.ai_next = &second };

	(void)service;
	(void)hints;
	if (strncmp(name, "hang", 4) == 0) {
		sem_t *mine = gate;

		while (sem_wait(mine) < 0)
			;
		sem_post(mine); /* once open, it stays open */
	} else if (strcmp(name, "there") != 0) {
		return EAI_NONAME;
	}
	*ret = &first;
	return 0;
}

static void
fake_freeaddrinfo(struct addrinfo *list)
{
	(void)list;
}

static const struct lookup_ops fake = { fake_getaddrinfo, fake_freeaddrinfo };

static void
state_changed(void *user, pid_t pid)
{
	(void)user;
	(void)pid;
	loop_stop(loop);
}

static void
driver_start(void)
{
	assert_int_equal(helper_server_new(loop, paths.resolvd_sock, paths.resolvd_pid,
			     "iscsi_resolvd", state_changed, NULL, &driver),
	    0);
}

static int
setup(void **state)
{
	(void)state;
	pending = 0;
	sem_init(++gate, 0, 0);
	loop = loop_new();
	driver_start();
	resolve = resolve_new(loop, &fake);
	assert_int_equal(helper_client_new(loop, paths.resolvd_sock, "iscsi_resolvd",
			     resolve_handle, NULL, resolve, &client),
	    0);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	helper_client_free(client);
	resolve_free(resolve);
	helper_server_free(driver);
	loop_free(loop);
	/* Threads that hang end now, with nobody there any more. */
	sem_post(gate);
	return 0;
}

struct asked {
	int64_t id;
	unsigned calls;
	int err;
	char why[512], addresses[512];
};

static void
answered(void *user, int err, const char *why, const json_t *result, int fd)
{
	struct asked *a = user;
	const json_t *list = json_object_get(result, "addresses"), *v;
	size_t i;

	assert_int_equal(fd, -1);
	a->calls++;
	a->err = err;
	if (err < 0)
		snprintf(a->why, sizeof a->why, "%s", why);
	json_array_foreach((json_t *)(uintptr_t)list, i, v)
	    snprintf(a->addresses + strlen(a->addresses), 128, "%s ", json_string_value(v));
	if (--pending == 0)
		loop_stop(loop);
}

static void
ask_op(struct asked *a, const char *op, json_t *args)
{
	assert_non_null(args);
	*a = (struct asked){ 0 };
	a->id = helper_server_request(
	    driver, op, args, loop_now_update(loop) + PATIENCE_US, answered, a);
	assert_true(a->id > 0);
	pending++;
}

static void
ask(struct asked *a, const char *name, int timeout_ms)
{
	ask_op(a, "resolve", json_pack("{s:s, s:i}", "name", name, "timeout_ms", timeout_ms));
}

static void
answers(void)
{
	while (pending > 0)
		assert_int_equal(loop_run(loop), 0);
}

static void
name_becomes_all_its_addresses_in_order(void **state)
{
	struct asked a;

	(void)state;
	ask(&a, "there", 10000);
	answers();
	assert_int_equal(a.err, 0);
	assert_string_equal(a.addresses, "fd00::1 192.0.2.1 ");
}

static void
name_that_does_not_exist_is_said_so(void **state)
{
	struct asked a;

	(void)state;
	ask(&a, "nowhere.example", 10000);
	answers();
	assert_int_equal(a.err, -ENOENT);
	assert_non_null(strstr(a.why, "there is no such name"));
}

static void
answer_comes_in_time_from_a_resolver_that_hangs(void **state)
{
	struct asked a[40], quick;
	uint64_t began = loop_now_update(loop);
	char name[16];

	(void)state;
	/* More than there are threads. */
	for (int i = 0; i < 40; i++) {
		snprintf(name, sizeof name, "hang%d", i);
		ask(&a[i], name, 30);
	}
	answers();
	assert_true(loop_now_update(loop) - began >= 30000);
	for (int i = 0; i < 40; i++) {
		assert_int_equal(a[i].err, -ETIMEDOUT);
		assert_non_null(strstr(a[i].why, "30 ms"));
	}
	/* When the name servers come back, so do we. */
	sem_post(gate);
	ask(&quick, "there", 10000);
	answers();
	assert_int_equal(quick.err, 0);
}

static void
bad_requests_are_refused_with_a_sentence(void **state)
{
	static const char *const bad[] = {
		"{}",
		"{\"name\":\"there\"}",
		"{\"timeout_ms\":1000}",
		"{\"name\":7,\"timeout_ms\":1000}",
		"{\"name\":\"\",\"timeout_ms\":1000}",
		"{\"name\":\"192.0.2.1\",\"timeout_ms\":1000}",
		"{\"name\":\"a_b\",\"timeout_ms\":1000}",
		"{\"name\":\"a b;c\",\"timeout_ms\":1000}",
		"{\"name\":\"there\",\"timeout_ms\":0}",
		"{\"name\":\"there\",\"timeout_ms\":\"1\"}",
		"{\"name\":\"there\",\"timeout_ms\":600001}",
	};
	char longest[2000];
	struct asked a;

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		ask_op(&a, "resolve", json_loads(bad[i], 0, NULL));
		answers();
		if (a.err != -EINVAL || a.why[0] == '\0')
			fail_msg("%s: %d %s", bad[i], a.err, a.why);
	}
	memset(longest, 'a', sizeof longest - 1);
	longest[sizeof longest - 1] = '\0';
	ask(&a, longest, 1000);
	answers();
	assert_int_equal(a.err, -EINVAL);
	ask_op(&a, "connect", json_object());
	answers();
	assert_int_equal(a.err, -EOPNOTSUPP);
}

static void
cancelled_request_and_departed_driver_leave_nothing(void **state)
{
	struct asked a, b;

	(void)state;
	ask(&a, "hang1", 50000);
	ask(&b, "nowhere", 10000);
	pending--; /* the first is not waited for */
	answers();
	assert_true(helper_server_cancel(driver, a.id));
	ask(&a, "hang2", 50000);
	ask(&b, "nowhere", 10000);
	pending--;
	answers();
	helper_server_free(driver);
	assert_int_equal(a.err, -ECANCELED);
	pending = 0;
	driver_start();
	ask(&b, "there", 10000);
	answers();
	assert_int_equal(b.err, 0);
}

static void
program_resolves_localhost_from_the_hosts_file(void **state)
{
	struct asked a;
	pid_t pid;
	int st;

	(void)state;
	pending = 0;
	loop = loop_new();
	driver_start();
	pid = fork();
	if (pid == 0) {
		execl(program, program, "--root", root, "--foreground", (char *)NULL);
		_exit(127);
	}
	ask(&a, "localhost", 30000);
	answers();
	assert_int_equal(a.err, 0);
	assert_true(
	    strstr(a.addresses, "127.0.0.1 ") != NULL || strstr(a.addresses, "::1 ") != NULL);
	assert_int_equal(helper_server_pid(driver), pid);
	helper_server_free(driver);
	loop_free(loop);
	kill(pid, SIGTERM);
	assert_int_equal(waitpid(pid, &st, 0), pid);
	assert_int_equal(st, 0);
}

static void
remove_root(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		execl("/bin/rm", "rm", "-rf", root, (char *)NULL);
		_exit(127);
	}
	(void)waitpid(pid, NULL, 0);
}

int
main(int argc, char **argv)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(name_becomes_all_its_addresses_in_order),
		T(name_that_does_not_exist_is_said_so),
		T(answer_comes_in_time_from_a_resolver_that_hangs),
		T(bad_requests_are_refused_with_a_sentence),
		T(cancelled_request_and_departed_driver_leave_nothing),
		cmocka_unit_test(program_resolves_localhost_from_the_hosts_file),
	};
	char why[BENEATH_WHY_BYTES];
	int ret;

	/* 0755: a directory that the user the daemon becomes can enter. */
	if (argc != 2 || mkdtemp(root) == NULL || chmod(root, 0755) < 0 ||
	    paths_init(&paths, root) < 0 || paths_mkdirs(&paths, why) < 0)
		return 2;
	program = argv[1];
	ret = cmocka_run_group_tests(tests, NULL, NULL);
	paths_fini(&paths);
	remove_root();
	return ret;
}
