#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/limits.h"
#include "names/lookup.h"

/*
 * A resolver that knows these names:
 *   many.N         N addresses, 10.0.0.0 and so on
 *   twice          each address for two socket types, as real ones do, v6 between v4
 *   eai.N          fails with N
 *   slow…          one address, when `gate` lets it through; `entered` tells that it is there,
 *                  `freed` that the thread has the answer
 */
static sem_t gate, entered, freed;
static atomic_int calls;

static struct addrinfo *
node(const char *address, struct addrinfo *next)
{
	struct addrinfo *a = calloc(1, sizeof *a + sizeof(struct sockaddr_in6));
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)(void *)(a + 1);
	struct sockaddr_in *in4 = (struct sockaddr_in *)(void *)(a + 1);

	a->ai_addr = (struct sockaddr *)(void *)(a + 1);
	a->ai_next = next;
	if (inet_pton(AF_INET, address, &in4->sin_addr) == 1) {
		a->ai_addrlen = sizeof *in4;
		a->ai_family = in4->sin_family = AF_INET;
	} else {
		assert_int_equal(inet_pton(AF_INET6, address, &in6->sin6_addr), 1);
		a->ai_addrlen = sizeof *in6;
		a->ai_family = in6->sin6_family = AF_INET6;
	}
	return a;
}

static void
fake_freeaddrinfo(struct addrinfo *list)
{
	sem_post(&freed);
	while (list != NULL) {
		struct addrinfo *next = list->ai_next;

		free(list);
		list = next;
	}
}

static int
fake_getaddrinfo(
    const char *name, const char *service, const struct addrinfo *hints, struct addrinfo **ret)
{
	char text[64];
	int n;

	calls++;
	if (service != NULL || hints->ai_family != AF_UNSPEC)
		return EAI_BADFLAGS;
	if (sscanf(name, "many.%d", &n) == 1) {
		*ret = NULL;
		while (n-- > 0) {
			snprintf(text, sizeof text, "10.0.%d.%d", n / 256, n % 256);
			*ret = node(text, *ret);
		}
		return 0;
	}
	if (sscanf(name, "eai.%d", &n) == 1) {
		errno = EMFILE;
		return n;
	}
	if (strcmp(name, "twice") == 0) {
		*ret = node("192.0.2.9",
		    node("2001:db8::1",
			node("192.0.2.9", node("192.0.2.1", node("2001:db8::1", NULL)))));
		return 0;
	}
	sem_post(&entered);
	while (sem_wait(&gate) < 0)
		;
	*ret = node("192.0.2.1", NULL);
	return 0;
}

static const struct lookup_ops fake = { fake_getaddrinfo, fake_freeaddrinfo };

static struct loop *loop;
static struct lookup_pool *pool;
static unsigned pending;

struct asked {
	struct lookup_waiter w;
	unsigned calls;
	int err;
	size_t count;
	char first[4][LOOKUP_ADDRESS_BYTES];
};

static void
note(struct lookup_waiter *w, const struct lookup_result *r)
{
	struct asked *a = LIST_ENTRY(w, struct asked, w);

	a->calls++;
	a->err = r->err;
	a->count = r->count;
	if (r->err < 0)
		assert_non_null(r->why);
	for (size_t i = 0; i < r->count && i < 4; i++)
		memcpy(a->first[i], r->addresses[i], LOOKUP_ADDRESS_BYTES);
	if (--pending == 0)
		loop_stop(loop);
}

static int
ask(struct asked *a, const char *name)
{
	int err;

	*a = (struct asked){ .w.done = note };
	err = lookup_start(pool, &a->w, name);
	assert_int_equal(a->calls, 0);
	pending += err == 0;
	return err;
}

static void
answers(void)
{
	assert_int_equal(loop_run(loop), 0);
	assert_int_equal(pending, 0);
}

static int
setup(void **state)
{
	(void)state;
	sem_init(&gate, 0, 0);
	sem_init(&entered, 0, 0);
	sem_init(&freed, 0, 0);
	calls = 0;
	pending = 0;
	loop = loop_new();
	pool = lookup_pool_new(loop, &fake, 2, 8);
	return pool != NULL ? 0 : -1;
}

static int
teardown(void **state)
{
	(void)state;
	lookup_pool_free(pool);
	loop_free(loop);
	return 0;
}

static void
addresses_come_once_each_in_the_resolvers_order(void **state)
{
	struct asked a;

	(void)state;
	ask(&a, "twice");
	answers();
	assert_int_equal(a.err, 0);
	assert_int_equal(a.count, 3);
	assert_string_equal(a.first[0], "192.0.2.9");
	assert_string_equal(a.first[1], "2001:db8::1");
	assert_string_equal(a.first[2], "192.0.2.1");
}

static void
more_addresses_than_the_limit_are_cut(void **state)
{
	struct asked a, b, c;

	(void)state;
	ask(&a, "many.1000");
	ask(&b, "many.64");
	ask(&c, "many.0");
	answers();
	assert_int_equal(a.count, LIMIT_HOST_ADDRESSES);
	assert_string_equal(a.first[3], "10.0.0.3");
	assert_int_equal(b.count, 64);
	assert_int_equal(c.err, -ENOENT);
}

static void
failures_are_told_apart(void **state)
{
	static const struct {
		int eai, err;
	} rows[] = { { EAI_NONAME, -ENOENT }, { EAI_NODATA, -ENOENT }, { EAI_AGAIN, -EAGAIN },
		{ EAI_FAIL, -EIO }, { EAI_MEMORY, -ENOMEM }, { EAI_SYSTEM, -EMFILE },
		{ EAI_OVERFLOW, -EIO } };

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct asked a;
		char name[32];

		snprintf(name, sizeof name, "eai.%d", rows[i].eai);
		ask(&a, name);
		answers();
		assert_int_equal(a.err, rows[i].err);
		assert_int_equal(a.count, 0);
	}
}

static void
same_name_is_looked_up_once_for_all_who_ask(void **state)
{
	struct asked a[5];

	(void)state;
	ask(&a[0], "slow");
	sem_wait(&entered);
	for (int i = 1; i < 5; i++)
		ask(&a[i], i == 4 ? "SLOW" : "slow");
	sem_post(&gate);
	answers();
	assert_int_equal(calls, 1);
	for (int i = 0; i < 5; i++)
		assert_string_equal(a[i].first[0], "192.0.2.1");
}

static void
name_that_hangs_delays_no_other(void **state)
{
	struct asked slow, quick;

	(void)state;
	ask(&slow, "slow");
	sem_wait(&entered);
	for (int i = 0; i < 20; i++) {
		pending = 0; /* the slow one is not waited for here */
		ask(&quick, "twice");
		answers();
		assert_int_equal(quick.count, 3);
	}
	assert_int_equal(slow.calls, 0);
	pending = 1;
	sem_post(&gate);
	answers();
	assert_int_equal(slow.calls, 1);
}

static void
who_leaves_hears_nothing_and_frees_the_place_in_the_queue(void **state)
{
	struct asked a[8], extra;
	char name[16];

	(void)state;
	/* Two threads hang, six names wait, the ninth is one too many. */
	for (int i = 0; i < 8; i++) {
		snprintf(name, sizeof name, "slow%d", i);
		assert_int_equal(ask(&a[i], name), 0);
	}
	sem_wait(&entered);
	sem_wait(&entered);
	assert_int_equal(ask(&extra, "slow8"), -EBUSY);
	for (int i = 2; i < 8; i++)
		lookup_leave(pool, &a[i].w);
	/* One that runs keeps its place until it is over. */
	lookup_leave(pool, &a[1].w);
	pending -= 7;
	ask(&extra, "many.1");
	sem_post(&gate);
	sem_post(&gate);
	answers();
	assert_int_equal(extra.count, 1);
	assert_int_equal(calls, 3);
	for (int i = 1; i < 8; i++)
		assert_int_equal(a[i].calls, 0);
}

static void
pool_is_freed_while_threads_hang_and_names_wait(void **state)
{
	struct asked a[4];
	char name[16];

	(void)state;
	for (int round = 0; round < 50; round++) {
		/* In every other round none waits, and one is on its way to the loop just now. */
		bool one_ends = round % 2 == 1;
		int names = one_ends ? 2 : 4;

		for (int i = 0; i < names; i++) {
			snprintf(name, sizeof name, "slow%d", i);
			ask(&a[i], name);
		}
		sem_wait(&entered);
		sem_wait(&entered);
		if (one_ends)
			sem_post(&gate);
		for (int i = 0; i < names; i++)
			lookup_leave(pool, &a[i].w);
		lookup_pool_free(pool);
		loop_free(loop);
		for (int i = one_ends; i < 2; i++)
			sem_post(&gate);
		sem_wait(&freed);
		sem_wait(&freed);
		loop = loop_new();
		pool = lookup_pool_new(loop, &fake, 2, 8);
	}
}

static void
real_resolver_knows_localhost(void **state)
{
	static const struct lookup_ops real = { getaddrinfo, freeaddrinfo };
	struct asked a;

	(void)state;
	lookup_pool_free(pool);
	pool = lookup_pool_new(loop, &real, 2, 8);
	ask(&a, "localhost");
	answers();
	assert_int_equal(a.err, 0);
	for (size_t i = 0; i < a.count && i < 4; i++)
		assert_true(strcmp(a.first[i], "127.0.0.1") == 0 || strcmp(a.first[i], "::1") == 0);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(addresses_come_once_each_in_the_resolvers_order),
		T(more_addresses_than_the_limit_are_cut),
		T(failures_are_told_apart),
		T(same_name_is_looked_up_once_for_all_who_ask),
		T(name_that_hangs_delays_no_other),
		T(who_leaves_hears_nothing_and_frees_the_place_in_the_queue),
		T(pool_is_freed_while_threads_hang_and_names_wait),
		T(real_resolver_knows_localhost),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
