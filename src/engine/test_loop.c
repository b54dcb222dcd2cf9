#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "engine/loop.h"

static struct loop *l;

/* What happened, one letter an event. */
static char trace[64];
static size_t traced;

static void
note(char c)
{
	assert_true(traced + 1 < sizeof trace);
	trace[traced++] = c;
	trace[traced] = '\0';
}

static int
setup(void **state)
{
	(void)state;
	traced = 0;
	trace[0] = '\0';
	l = loop_new();
	return l != NULL ? 0 : -1;
}

static int
teardown(void **state)
{
	(void)state;
	loop_free(l);
	return 0;
}

/* Things with a letter, and what they do when they are called. */
struct thing {
	struct loop_fd fd;
	struct agenda_timer timer;
	struct agenda_work work;
	char letter;
	struct thing *other;
	void (*then)(struct thing *me);
};

static void
happened(struct thing *t)
{
	note(t->letter);
	if (t->then != NULL)
		t->then(t);
}

static void
on_ready(struct loop_fd *f, uint32_t events)
{
	(void)events;
	happened(LIST_ENTRY(f, struct thing, fd));
}

static void
on_expired(struct agenda_timer *t)
{
	happened(LIST_ENTRY(t, struct thing, timer));
}

static void
on_work(struct agenda_work *w)
{
	happened(LIST_ENTRY(w, struct thing, work));
}

static void
stop(struct thing *t)
{
	(void)t;
	loop_stop(l);
}

static struct thing *
thing_new(char letter)
{
	struct thing *t = calloc(1, sizeof *t);

	t->letter = letter;
	t->fd.ready = on_ready;
	t->fd.fd = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);
	t->timer.expired = on_expired;
	agenda_work_init(&t->work, on_work);
	return t;
}

static void
thing_free(struct thing *t)
{
	loop_unwatch(l, &t->fd);
	agenda_clear(loop_agenda(l), &t->timer);
	agenda_cancel(&t->work);
	close(t->fd.fd);
	free(t);
}

static void
quiet(struct thing *t)
{
	loop_unwatch(l, &t->fd);
}

static void
a_turn_is_descriptors_then_deadlines_then_work(void **state)
{
	struct thing *a = thing_new('f'), *b = thing_new('t'), *c = thing_new('w');

	(void)state;
	agenda_defer(loop_agenda(l), &c->work);
	agenda_set(loop_agenda(l), &b->timer, 0);
	loop_watch(l, &a->fd, EPOLLIN);
	a->then = quiet;
	c->then = stop;
	assert_int_equal(loop_run(l), 0);
	assert_string_equal(trace, "ftw");
	thing_free(a);
	thing_free(b);
	thing_free(c);
}

static void
deadlines_fire_in_exact_order_and_equal_ones_as_they_were_armed(void **state)
{
	struct thing *t[10];
	uint64_t now = loop_now_update(l);
	static const unsigned after_us[10] = { 900, 100, 300, 300, 50, 700, 300, 100, 0, 800 };

	(void)state;
	for (int i = 0; i < 10; i++) {
		t[i] = thing_new((char)('0' + i));
		agenda_set(loop_agenda(l), &t[i]->timer, now + after_us[i]);
	}
	t[0]->then = stop;
	assert_int_equal(loop_run(l), 0);
	assert_string_equal(trace, "8417236590");
	for (int i = 0; i < 10; i++)
		thing_free(t[i]);
}

static struct {
	struct agenda_timer t;
	uint64_t order;
} many[500];
static uint64_t last_at_us, fired, last_order;

static void
check_order(struct agenda_timer *t)
{
	assert_true(t->at_us <= loop_now(l));
	assert_true(t->at_us > last_at_us || (t->at_us == last_at_us && t->order > last_order));
	last_at_us = t->at_us;
	last_order = t->order;
	fired++;
}

static void
many_deadlines_armed_moved_and_cleared_fire_in_order(void **state)
{
	uint64_t now = loop_now_update(l), seed = 1, armed = 0;
	struct thing *end = thing_new('e');

	(void)state;
	for (int i = 0; i < 20000; i++) {
		seed = seed * 6364136223846793005u + 1442695040888963407u;
		struct agenda_timer *t = &many[(seed >> 33) % 500].t;

		t->expired = check_order;
		if ((seed >> 60) == 0)
			agenda_clear(loop_agenda(l), t);
		else
			agenda_set(loop_agenda(l), t, now + (seed >> 40) % 300);
	}
	for (int i = 0; i < 500; i++)
		armed += many[i].t.armed;
	assert_true(armed > 400);
	agenda_set(loop_agenda(l), &end->timer, now + 400);
	end->then = stop;
	assert_int_equal(loop_run(l), 0);
	assert_int_equal(fired, armed);
	thing_free(end);
}

static void
deadline_is_never_early(void **state)
{
	struct thing *t = thing_new('t');

	(void)state;
	t->then = stop;
	for (unsigned us = 0; us < 3000; us += 137) {
		uint64_t at = loop_now_update(l) + us;

		agenda_set(loop_agenda(l), &t->timer, at);
		assert_int_equal(loop_run(l), 0);
		assert_true(loop_now(l) >= at);
	}
	thing_free(t);
}

static void
rearm_in_the_past(struct thing *t)
{
	if (traced < 6)
		agenda_set(loop_agenda(l), &t->timer, 0);
}

static void
deadline_rearmed_for_the_past_starves_neither_deadlines_nor_work(void **state)
{
	struct thing *a = thing_new('a'), *b = thing_new('b'), *w = thing_new('w');

	(void)state;
	a->then = rearm_in_the_past;
	w->then = stop;
	agenda_set(loop_agenda(l), &a->timer, 0);
	agenda_set(loop_agenda(l), &b->timer, 1);
	agenda_defer(loop_agenda(l), &w->work);
	assert_int_equal(loop_run(l), 0);
	assert_string_equal(trace, "abw");
	thing_free(a);
	thing_free(b);
	thing_free(w);
}

static struct thing *left_over;

static void
free_other(struct thing *t)
{
	thing_free(t->other);
	left_over = t;
	quiet(t);
	loop_stop(l);
}

static void
ready_descriptor_that_is_freed_by_a_callback_of_its_batch_is_not_called(void **state)
{
	struct thing *a = thing_new('x'), *b = thing_new('x');

	(void)state;
	/* Whichever comes first frees the other. */
	a->other = b;
	b->other = a;
	a->then = b->then = free_other;
	loop_watch(l, &a->fd, EPOLLIN);
	loop_watch(l, &b->fd, EPOLLIN);
	assert_int_equal(loop_run(l), 0);
	assert_string_equal(trace, "x");
	thing_free(left_over);
}

static void
free_me(struct thing *t)
{
	thing_free(t);
}

static void
everything_may_free_itself_in_its_own_callback(void **state)
{
	struct thing *a = thing_new('a'), *b = thing_new('b'), *c = thing_new('c'),
		     *d = thing_new('d');

	(void)state;
	a->then = b->then = c->then = free_me;
	d->then = stop;
	loop_watch(l, &a->fd, EPOLLIN);
	agenda_set(loop_agenda(l), &b->timer, 0);
	agenda_defer(loop_agenda(l), &c->work);
	agenda_defer(loop_agenda(l), &d->work);
	assert_int_equal(loop_run(l), 0);
	assert_string_equal(trace, "abcd");
	thing_free(d);
}

static void
clear_other_timer(struct thing *t)
{
	agenda_clear(loop_agenda(l), &t->other->timer);
}

static void
cancel_other_work(struct thing *t)
{
	agenda_cancel(&t->other->work);
}

static void
due_deadline_and_work_are_cancelled_by_one_before_them(void **state)
{
	struct thing *a = thing_new('a'), *b = thing_new('b'), *w = thing_new('w'),
		     *x = thing_new('x'), *z = thing_new('z');

	(void)state;
	a->then = clear_other_timer;
	a->other = b;
	w->then = cancel_other_work;
	w->other = x;
	z->then = stop;
	agenda_set(loop_agenda(l), &a->timer, 0);
	agenda_set(loop_agenda(l), &b->timer, 1);
	agenda_defer(loop_agenda(l), &w->work);
	agenda_defer(loop_agenda(l), &x->work);
	agenda_defer(loop_agenda(l), &z->work);
	assert_int_equal(loop_run(l), 0);
	assert_string_equal(trace, "awz");
	struct thing *all[] = { a, b, w, x, z };
	for (int i = 0; i < 5; i++)
		thing_free(all[i]);
}

static void
watch_less(struct thing *t)
{
	loop_rewatch(l, &t->other->fd, 0);
	quiet(t);
}

static void
descriptor_rewatched_for_less_by_its_batch_is_not_called_for_the_old_event(void **state)
{
	struct thing *a = thing_new('x'), *b = thing_new('x'), *z = thing_new('z');

	(void)state;
	a->other = b;
	b->other = a;
	a->then = b->then = watch_less;
	z->then = stop;
	loop_watch(l, &a->fd, EPOLLIN);
	loop_watch(l, &b->fd, EPOLLIN);
	agenda_defer(loop_agenda(l), &z->work);
	assert_int_equal(loop_run(l), 0);
	assert_string_equal(trace, "xz");
	thing_free(a);
	thing_free(b);
	thing_free(z);
}

static void
defer_again(struct thing *t)
{
	agenda_defer(loop_agenda(l), &t->work);
	agenda_defer(loop_agenda(l), &t->work);
	if (traced == 3)
		loop_stop(l);
}

static void
work_runs_once_a_turn_and_from_itself_in_the_next(void **state)
{
	struct thing *w = thing_new('w'), *t = thing_new('t');

	(void)state;
	w->then = defer_again;
	for (int i = 0; i < 5; i++)
		agenda_defer(loop_agenda(l), &w->work);
	agenda_set(loop_agenda(l), &t->timer, 0);
	assert_int_equal(loop_run(l), 0);
	assert_string_equal(trace, "tww");
	thing_free(w);
	thing_free(t);
}

static int count_fds;

static void
count_ready(struct thing *t)
{
	(void)t;
	traced = 0;
	quiet(t);
	if (--count_fds == 0)
		loop_stop(l);
}

static void
hundreds_of_descriptors_are_all_served(void **state)
{
	static struct thing *t[600];

	(void)state;
	for (int i = 0; i < 600; i++) {
		t[i] = thing_new('.');
		t[i]->then = count_ready;
		assert_int_equal(loop_watch(l, &t[i]->fd, EPOLLIN), 0);
	}
	count_fds = 600;
	assert_int_equal(loop_run(l), 0);
	assert_int_equal(count_fds, 0);
	for (int i = 0; i < 600; i++)
		thing_free(t[i]);
}

static void
watching_what_epoll_cannot_watch_is_an_error_that_is_passed_up(void **state)
{
	struct loop_fd f = { .fd = -1, .ready = on_ready };

	(void)state;
	assert_int_equal(loop_watch(l, &f, EPOLLIN), -EBADF);
	loop_unwatch(l, &f);
}

static void
on_signal(int sig)
{
	(void)sig;
	loop_stop(l);
}

static void
raise_it(struct thing *t)
{
	(void)t;
	raise(SIGUSR1);
}

static void *
stopper(void *arg)
{
	(void)arg;
	loop_stop(l);
	return NULL;
}

static void
stop_works_from_a_signal_handler_and_another_thread_and_the_loop_runs_again(void **state)
{
	struct sigaction sa = { .sa_handler = on_signal };
	struct thing *t = thing_new('t');
	pthread_t th;

	(void)state;
	sigaction(SIGUSR1, &sa, NULL);
	t->then = raise_it;
	agenda_set(loop_agenda(l), &t->timer, loop_now(l) + 1000);
	assert_int_equal(loop_run(l), 0);
	assert_string_equal(trace, "t");
	pthread_create(&th, NULL, stopper, NULL);
	assert_int_equal(loop_run(l), 0);
	pthread_join(th, NULL);
	signal(SIGUSR1, SIG_DFL);
	thing_free(t);
}

static void
memory_for_the_moment_is_one_for_all_of_a_loop(void **state)
{
	struct loop *other = loop_new();
	uint8_t *p = loop_scratch_get(l), *q = loop_scratch_get(other);

	(void)state;
	assert_non_null(p);
	assert_non_null(q);
	assert_ptr_not_equal(p, q);
	assert_ptr_equal(loop_scratch_get(l), p);
	loop_scratch_put(l);
	/* Still there for the other one. */
	p[0] = p[LOOP_SCRATCH_BYTES - 1] = 1;
	assert_ptr_equal(loop_scratch_get(l), p);
	loop_scratch_put(l);
	loop_scratch_put(l);
	loop_scratch_put(other);
	loop_free(other);
}

int
main(void)
{
	const struct rlimit many_fds = { 2048, 2048 };
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(a_turn_is_descriptors_then_deadlines_then_work),
		T(deadlines_fire_in_exact_order_and_equal_ones_as_they_were_armed),
		T(many_deadlines_armed_moved_and_cleared_fire_in_order),
		T(deadline_is_never_early),
		T(deadline_rearmed_for_the_past_starves_neither_deadlines_nor_work),
		T(ready_descriptor_that_is_freed_by_a_callback_of_its_batch_is_not_called),
		T(everything_may_free_itself_in_its_own_callback),
		T(due_deadline_and_work_are_cancelled_by_one_before_them),
		T(descriptor_rewatched_for_less_by_its_batch_is_not_called_for_the_old_event),
		T(work_runs_once_a_turn_and_from_itself_in_the_next),
		T(hundreds_of_descriptors_are_all_served),
		T(watching_what_epoll_cannot_watch_is_an_error_that_is_passed_up),
		T(stop_works_from_a_signal_handler_and_another_thread_and_the_loop_runs_again),
		T(memory_for_the_moment_is_one_for_all_of_a_loop),
	};

	(void)setrlimit(RLIMIT_NOFILE, &many_fds);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
