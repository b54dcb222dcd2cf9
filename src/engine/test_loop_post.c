/* Messages from other threads. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

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

#define POSTERS        4
#define POSTS_A_THREAD 20000

static struct post {
	struct loop_msg m;
	unsigned poster, number;
} * posts;
static unsigned next_number[POSTERS], posts_seen;

static void
posted(struct loop_msg *m)
{
	struct post *p = LIST_ENTRY(m, struct post, m);

	assert_int_equal(p->number, next_number[p->poster]++);
	if (++posts_seen == POSTERS * POSTS_A_THREAD)
		loop_stop(l);
}

static void *
poster(void *arg)
{
	struct post *p = arg;

	for (unsigned i = 0; i < POSTS_A_THREAD; i++)
		loop_post(l, &p[i].m);
	return NULL;
}

static void
posts_of_four_threads_all_arrive_each_thread_in_order(void **state)
{
	pthread_t th[POSTERS];

	(void)state;
	posts = calloc(POSTERS * POSTS_A_THREAD, sizeof *posts);
	for (unsigned i = 0; i < POSTERS * POSTS_A_THREAD; i++) {
		posts[i].m.run = posted;
		posts[i].poster = i / POSTS_A_THREAD;
		posts[i].number = i % POSTS_A_THREAD;
	}
	for (unsigned i = 0; i < POSTERS; i++)
		pthread_create(&th[i], NULL, poster, posts + i * POSTS_A_THREAD);
	assert_int_equal(loop_run(l), 0);
	for (int i = 0; i < POSTERS; i++)
		pthread_join(th[i], NULL);
	assert_int_equal(posts_seen, POSTERS * POSTS_A_THREAD);
	free(posts);
}

static struct agenda_work posted_work;

static void
work_noted(struct agenda_work *w)
{
	(void)w;
	note('w');
	loop_stop(l);
}

static void
defers(struct loop_msg *m)
{
	note('m');
	agenda_defer(loop_agenda(l), &posted_work);
	free(m);
}

static void
message_may_free_itself_and_work_it_defers_runs_in_the_same_turn(void **state)
{
	(void)state;
	agenda_work_init(&posted_work, work_noted);
	for (int i = 0; i < 3; i++) {
		struct loop_msg *m = calloc(1, sizeof *m);

		m->run = defers;
		loop_post(l, m);
	}
	assert_int_equal(loop_run(l), 0);
	assert_string_equal(trace, "mmmw");
}

static void
noted(struct loop_msg *m)
{
	(void)m;
	note('m');
}

static void
unposts_the_last(struct loop_msg *m)
{
	note('u');
	loop_unpost(l, m + 1);
}

static void
what_is_taken_back_does_not_run_and_the_others_do_in_order(void **state)
{
	struct loop_msg m[] = { { .run = defers }, { .run = noted }, { .run = unposts_the_last },
		{ .run = noted } };

	(void)state;
	for (int i = 1; i < 4; i++)
		loop_post(l, &m[i]);
	loop_unpost(l, &m[1]);
	loop_unpost(l, &m[0]); /* it was never posted */
	loop_post(l, &m[1]);
	loop_stop(l);
	assert_int_equal(loop_run(l), 0);
	assert_string_equal(trace, "um");
}

static void
stop_before_run_returns_at_once_after_what_was_posted(void **state)
{
	struct loop_msg m = { .run = noted };

	(void)state;
	loop_post(l, &m);
	loop_stop(l);
	assert_int_equal(loop_run(l), 0);
	assert_string_equal(trace, "m");
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(posts_of_four_threads_all_arrive_each_thread_in_order),
		T(message_may_free_itself_and_work_it_defers_runs_in_the_same_turn),
		T(what_is_taken_back_does_not_run_and_the_others_do_in_order),
		T(stop_before_run_returns_at_once_after_what_was_posted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
