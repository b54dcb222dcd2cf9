#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#include "engine/worker.h"

struct seen {
	struct worker *w;
	bool is_self;
	sigset_t blocked;
	int calls;
};

static void
look(void *arg)
{
	struct seen *s = arg;

	s->is_self = worker_is_self(s->w);
	pthread_sigmask(SIG_SETMASK, NULL, &s->blocked);
	s->calls++;
}

static void
call_runs_on_the_worker_and_is_waited_for(void **state)
{
	struct seen s = { .w = worker_new("test", -1) };

	(void)state;
	assert_non_null(s.w);
	assert_false(worker_is_self(s.w));
	worker_call(s.w, look, &s);
	assert_int_equal(s.calls, 1);
	assert_true(s.is_self);
	worker_free(s.w);
}

static void
signals_are_blocked_in_a_worker_and_not_in_its_maker(void **state)
{
	struct seen s = { .w = worker_new("a name that is longer than the kernel's", 0) };
	sigset_t here;

	(void)state;
	worker_call(s.w, look, &s);
	assert_true(sigismember(&s.blocked, SIGTERM) && sigismember(&s.blocked, SIGHUP));
	pthread_sigmask(SIG_SETMASK, NULL, &here);
	assert_false(sigismember(&here, SIGTERM));
	worker_free(s.w);
}

static void
call_again(void *arg)
{
	struct seen *s = arg;

	worker_call(s->w, look, s);
}

static void
call_on_the_worker_itself_does_not_wait_for_itself(void **state)
{
	struct seen s = { .w = worker_new("test", -1) };

	(void)state;
	worker_call(s.w, call_again, &s);
	assert_int_equal(s.calls, 1);
	worker_free(s.w);
}

static void
count(void *arg)
{
	++*(int *)arg;
}

/* A message that adds to a count. */
struct one_more {
	struct loop_msg msg;
	int *n;
};

static void
count_one(struct loop_msg *m)
{
	count(LIST_ENTRY(m, struct one_more, msg)->n);
}

static void
free_runs_all_that_was_posted(void **state)
{
	struct one_more more[50];
	int n = 0;

	(void)state;
	for (int round = 1; round <= 100; round++) {
		struct worker *w = worker_new("test", -1);

		for (int i = 0; i < 50; i++) {
			more[i] = (struct one_more){ .msg.run = count_one, .n = &n };
			loop_post(worker_loop(w), &more[i].msg);
		}
		worker_free(w);
		assert_int_equal(n, round * 50);
	}
	worker_free(NULL);
}

static void
a_processor_that_does_not_exist_is_ignored(void **state)
{
	int n = 0;
	struct worker *w = worker_new("test", 1000000);

	(void)state;
	worker_call(w, count, &n);
	worker_free(w);
	w = worker_new("test", 1023);
	worker_call(w, count, &n);
	worker_free(w);
	assert_int_equal(n, 2);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(call_runs_on_the_worker_and_is_waited_for),
		cmocka_unit_test(signals_are_blocked_in_a_worker_and_not_in_its_maker),
		cmocka_unit_test(call_on_the_worker_itself_does_not_wait_for_itself),
		cmocka_unit_test(free_runs_all_that_was_posted),
		cmocka_unit_test(a_processor_that_does_not_exist_is_ignored),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
