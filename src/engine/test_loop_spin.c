/*
 * Waiting awake, on a clock of the test's own: the kernel's waits are wrapped, and take as long as
 * the next event does.
 */
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include <errno.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "engine/loop.h"

#define LIMIT_US 50
#define WAKE_US  8 /* from an event to a sleeper that runs */
#define NEVER    UINT64_MAX

static struct loop *l;
static struct loop_fd source;
static uint64_t now_us, event_us;
static unsigned polls, sleeps, yields;

/* ---- the kernel ---- */

int __wrap_clock_gettime(clockid_t clock, struct timespec *ts);
int __wrap_epoll_wait(int fd, struct epoll_event *events, int max, int timeout);
int __wrap_epoll_pwait2(int fd, struct epoll_event *events, int max, const struct timespec *timeout,
    const sigset_t *mask);
int __wrap_sched_yield(void);
int __real_epoll_wait(int fd, struct epoll_event *events, int max, int timeout);

int
__wrap_clock_gettime(clockid_t clock, struct timespec *ts)
{
	(void)clock;
	*ts = (struct timespec){ (time_t)(now_us / 1000000), (long)(now_us % 1000000 * 1000) };
	return 0;
}

static int
look(int fd, struct epoll_event *events, int max)
{
	const uint64_t one = 1;

	if (event_us <= now_us) {
		event_us = NEVER;
		assert_int_equal(write(source.fd, &one, sizeof one), sizeof one);
	}
	return __real_epoll_wait(fd, events, max, 0);
}

int
__wrap_epoll_wait(int fd, struct epoll_event *events, int max, int timeout)
{
	assert_int_equal(timeout, 0);
	polls++;
	now_us++;
	return look(fd, events, max);
}

int
__wrap_epoll_pwait2(int fd, struct epoll_event *events, int max, const struct timespec *timeout,
    const sigset_t *mask)
{
	uint64_t until = NEVER;
	int n = look(fd, events, max); /* what was there before */

	(void)mask;
	sleeps++;
	if (n > 0)
		return n;
	if (timeout != NULL)
		until = now_us + (uint64_t)timeout->tv_sec * 1000000 +
			(uint64_t)timeout->tv_nsec / 1000;
	assert_true(until != NEVER || event_us != NEVER); /* else for ever */
	if (event_us <= until)
		now_us = event_us + WAKE_US;
	else
		now_us = until;
	return look(fd, events, max);
}

int
__wrap_sched_yield(void)
{
	yields++;
	return 0;
}

/* ---- events ---- */

static const uint64_t *gaps;
static size_t n_gaps;
static uint64_t last_us, due_us; /* when the one before was seen, and this one came */
static uint64_t work_us;         /* that one of them takes */
static void (*seen)(void);

static void
next(void)
{
	last_us = now_us;
	if (n_gaps == 0) {
		loop_stop(l);
		return;
	}
	due_us = now_us + (gaps != NULL ? *gaps++ : 1 + n_gaps * n_gaps * 37 % (4 * LIMIT_US));
	event_us = due_us;
	n_gaps--;
}

static void
ready(struct loop_fd *f, uint32_t events)
{
	uint64_t count;

	(void)events;
	assert_int_equal(read(f->fd, &count, sizeof count), sizeof count);
	if (seen != NULL)
		seen();
	now_us += work_us;
	next();
}

static void
run(const uint64_t *g, size_t n)
{
	gaps = g;
	n_gaps = n;
	next();
	assert_int_equal(loop_run(l), 0);
}

static int
setup(void **state)
{
	(void)state;
	now_us = 1000000;
	event_us = NEVER;
	polls = sleeps = yields = 0;
	work_us = 0;
	seen = NULL;
	l = loop_new();
	source = (struct loop_fd){ .fd = eventfd(0, EFD_NONBLOCK), .ready = ready };
	return l != NULL && loop_watch(l, &source, EPOLLIN) == 0 ? 0 : -1;
}

static int
teardown(void **state)
{
	(void)state;
	loop_unwatch(l, &source);
	close(source.fd);
	loop_free(l);
	return 0;
}

/* ---- what must be true ---- */

static void
who_is_not_told_to_never_waits_awake(void **state)
{
	static const uint64_t g[] = { 5, 5, 5, 5 };

	(void)state;
	run(g, 4);
	assert_int_equal(polls, 0);
	assert_int_equal(sleeps, 4);
}

static void
events_that_are_far_apart_are_slept_for(void **state)
{
	static const uint64_t g[] = { LIMIT_US, 200, 10000, 1000000, 400 };

	(void)state;
	loop_spin(l, LIMIT_US);
	run(g, 5);
	assert_int_equal(polls, 0);
}

static void
what_comes_soon_again_and_again_is_waited_for_awake(void **state)
{
	static const uint64_t g[] = { 20, 40, 3, 20, 30, 1, LIMIT_US - 1, 20 };

	(void)state;
	loop_spin(l, LIMIT_US);
	run(g, 8);
	assert_int_equal(sleeps, LOOP_SPIN_AFTER);
	assert_in_range(yields, 20 + 30 + 1 + LIMIT_US + 20 - 10, 20 + 30 + 1 + LIMIT_US + 20);
}

static void
who_has_much_to_do_each_time_sleeps(void **state)
{
	static const uint64_t g[] = { 5, 5, 5, 5, 5, 5, 5, 5 };

	(void)state;
	loop_spin(l, LIMIT_US);
	work_us = LIMIT_US / 2;
	run(g, 8);
	assert_int_equal(polls, 0);
}

static void
it_is_in_vain_once(void **state)
{
	static const uint64_t g[] = { 20, 20, 20, 1000, 1000, 1000, 1000 };

	(void)state;
	loop_spin(l, LIMIT_US);
	run(g, 7);
	assert_in_range(polls, 1, LIMIT_US);
}

static void
short_and_long_waits_that_alternate_are_slept_for(void **state)
{
	static const uint64_t g[] = { 20, 1000, 20, 20, 1000, 20, 20, 1000, 20, 1000 };

	(void)state;
	loop_spin(l, LIMIT_US);
	run(g, 10);
	assert_int_equal(polls, 0);
}

static unsigned n_short;
static unsigned polls_before;

static void
judge(void)
{
	bool may_spin = n_short == LOOP_SPIN_AFTER,
	     is_awake = may_spin && due_us - last_us < LIMIT_US;

	assert_in_range(now_us, due_us, due_us + (is_awake ? 1 : WAKE_US + 1));
	assert_in_range(polls - polls_before, 0, may_spin ? LIMIT_US : 0);
	if (now_us - last_us >= LIMIT_US)
		n_short = 0;
	else if (n_short < LOOP_SPIN_AFTER)
		n_short++;
	polls_before = polls;
}

static void
nobody_is_awake_for_longer_than_the_limit(void **state)
{
	(void)state;
	loop_spin(l, LIMIT_US);
	n_short = 0;
	polls_before = 0;
	seen = judge;
	run(NULL, 5000);
	assert_true(polls > 0 && sleeps > 0);
}

static uint64_t ran_us;

static void
expired(struct agenda_timer *t)
{
	(void)t;
	ran_us = now_us;
}

static void
a_deadline_is_kept_awake_and_asleep(void **state)
{
	static const uint64_t soon[] = { 20, 20, 20 }, late[] = { 10000 };
	struct agenda_timer t = { .expired = expired };

	(void)state;
	loop_spin(l, LIMIT_US);
	for (uint64_t in = 1; in < 3 * LIMIT_US; in++) {
		run(soon, 3);
		agenda_set(loop_agenda(l), &t, now_us + in);
		ran_us = 0;
		uint64_t due = now_us + in;

		run(late, 1);
		assert_in_range(ran_us, due, due + 1);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		TEST(who_is_not_told_to_never_waits_awake),
		TEST(events_that_are_far_apart_are_slept_for),
		TEST(what_comes_soon_again_and_again_is_waited_for_awake),
		TEST(who_has_much_to_do_each_time_sleeps),
		TEST(it_is_in_vain_once),
		TEST(short_and_long_waits_that_alternate_are_slept_for),
		TEST(nobody_is_awake_for_longer_than_the_limit),
		TEST(a_deadline_is_kept_awake_and_asleep),
#undef TEST
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
