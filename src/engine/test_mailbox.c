/* Two threads that write to each other: who is gone, who is another one, and every answer once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "engine/mailbox.h"
#include "engine/worker.h"

#define MANY 10000

struct question {
	struct mail mail;
	unsigned n, answer;
	bool is_refused;
};

struct asker {
	struct mail_slot slot;
	struct mailbox *box;
	struct loop *loop;
	unsigned answers, refused, wrong, left;
};

struct answerer {
	struct mail_slot slot;
	struct mailbox *box;
	unsigned taken, told, doubled;
	struct question *kept[4];
	unsigned n_kept;
};

struct world {
	struct asker a;
	struct answerer b;
	struct worker *worker;
};

static atomic_uint freed; /* messages, on either thread */

static void
question_drop(struct mail *m)
{
	atomic_fetch_add(&freed, 1);
	free(LIST_ENTRY(m, struct question, mail));
}

static void
question_take(void *owner, struct mail *m)
{
	struct answerer *b = owner;
	struct question *q = LIST_ENTRY(m, struct question, mail);

	b->taken++;
	q->answer = q->n * 2;
	/* Some are answered later, and in another order. */
	if (q->n % 7 == 0 && b->n_kept < 4) {
		b->kept[b->n_kept++] = q;
		return;
	}
	while (b->n_kept > 0)
		mail_answer(&b->kept[--b->n_kept]->mail);
	mail_answer(m);
}

static void
question_refuse(struct mail *m)
{
	LIST_ENTRY(m, struct question, mail)->is_refused = true;
}

static void
question_answered(void *owner, struct mail *m)
{
	struct asker *a = owner;
	struct question *q = LIST_ENTRY(m, struct question, mail);

	a->refused += q->is_refused;
	a->answers += !q->is_refused;
	a->wrong += !q->is_refused && q->answer != q->n * 2;
	free(q);
	if (--a->left == 0)
		loop_stop(a->loop);
}

static const struct mail_kind question = { "question", question_take, question_refuse,
	question_answered, question_drop };

static void
telling_take(void *owner, struct mail *m)
{
	((struct answerer *)owner)->told++;
	free(m);
}

static void
telling_drop(struct mail *m)
{
	atomic_fetch_add(&freed, 1);
	free(m);
}

static const struct mail_kind telling = {
	.name = "telling", .take = telling_take, .drop = telling_drop
};

static int
setup(void **state)
{
	struct world *w = calloc(1, sizeof *w);

	assert_non_null(w);
	atomic_store(&freed, 0);
	w->a.loop = loop_new();
	assert_non_null(w->a.loop);
	w->worker = worker_new("answers", -1);
	assert_non_null(w->worker);
	w->a.box = mailbox_new(w->a.loop);
	w->b.box = mailbox_new(worker_loop(w->worker));
	assert_non_null(w->a.box);
	assert_non_null(w->b.box);
	mailbox_open(w->a.box, &w->a.slot, 1, 1, &w->a);
	*state = w;
	return 0;
}

static void
open_one(void *arg)
{
	struct answerer *b = arg;

	mailbox_open(b->box, &b->slot, 5, b->slot.at.generation + 1, b);
}

static void
close_one(void *arg)
{
	struct answerer *b = arg;

	while (b->n_kept > 0)
		mail_answer(&b->kept[--b->n_kept]->mail);
	mailbox_close(&b->slot);
}

static int
teardown(void **state)
{
	struct world *w = *state;

	worker_call(w->worker, close_one, &w->b);
	worker_free(w->worker);
	mailbox_close(&w->a.slot);
	mailbox_free(w->a.box);
	mailbox_free(w->b.box);
	loop_free(w->a.loop);
	free(w);
	return 0;
}

static void
ask(struct world *w, unsigned n, uint32_t generation)
{
	struct question *q = calloc(1, sizeof *q);
	struct mail_address to = { w->b.box, 5, generation };

	assert_non_null(q);
	q->n = n;
	w->a.left++;
	mail_ask(&q->mail, &question, &to, &w->a.slot.at);
}

static void
every_question_is_answered_once(void **state)
{
	struct world *w = *state;

	worker_call(w->worker, open_one, &w->b);
	for (unsigned i = 0; i < MANY; i++)
		ask(w, i, 1);
	ask(w, 1, 1); /* and nothing is kept any more */
	assert_int_equal(loop_run(w->a.loop), 0);
	assert_int_equal(w->a.answers, MANY + 1);
	assert_int_equal(w->a.refused + w->a.wrong, 0);
	assert_int_equal(w->b.taken, MANY + 1);
}

static void
what_was_meant_for_a_predecessor_never_reaches_a_successor(void **state)
{
	struct world *w = *state;

	worker_call(w->worker, open_one, &w->b);
	worker_call(w->worker, close_one, &w->b);
	worker_call(w->worker, open_one, &w->b);
	for (unsigned i = 0; i < 100; i++)
		ask(w, i, i % 2 + 1);
	ask(w, 1, 2);
	assert_int_equal(loop_run(w->a.loop), 0);
	assert_int_equal(w->a.refused, 50);
	assert_int_equal(w->a.answers, 51);
	assert_int_equal(w->b.taken, 51);
	assert_int_equal(mailbox_counts(w->b.box).refused, 50);
}

static void
owners_that_come_and_go_lose_no_answer(void **state)
{
	struct world *w = *state;

	for (unsigned i = 0; i < 200; i++) {
		worker_call(w->worker, open_one, &w->b);
		for (unsigned k = 0; k < 10; k++)
			ask(w, i * 10 + k, i + 1);
		worker_call(w->worker, close_one, &w->b);
		for (unsigned k = 0; k < 10; k++)
			ask(w, i * 10 + k, i + 1);
	}
	assert_int_equal(loop_run(w->a.loop), 0);
	assert_int_equal(w->a.answers, 2000);
	assert_int_equal(w->a.refused, 2000);
	assert_int_equal(w->a.wrong, 0);
}

static void
stop(void *arg)
{
	loop_stop(arg);
}

static void
what_nobody_can_have_is_freed(void **state)
{
	struct world *w = *state;
	struct mail_address to = { w->b.box, 5, 1 };
	struct mail *m = calloc(1, sizeof *m);

	mail_tell(m, &telling, &to);
	for (unsigned i = 0; i < 10; i++)
		ask(w, i, 1);
	mailbox_close(&w->a.slot); /* the asker goes before the answers come */
	worker_call(w->worker, stop, w->a.loop);
	assert_int_equal(loop_run(w->a.loop), 0);
	assert_int_equal(atomic_load(&freed), 11);
	assert_int_equal(mailbox_counts(w->a.box).dropped, 10);
	assert_int_equal(mailbox_counts(w->b.box).dropped, 1);
}

static void
made_ids_differ_from_those_in_use(void **state)
{
	struct world *w = *state;
	struct mail_slot one = { 0 };
	uint32_t id = mailbox_make_id(w->a.box);

	assert_true(id >= MAIL_ID_MADE);
	mailbox_open(w->a.box, &one, id, 1, w);
	assert_int_not_equal(mailbox_make_id(w->a.box), id);
	mailbox_close(&one);
	mailbox_close(&one); /* twice does no harm */
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(every_question_is_answered_once, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    what_was_meant_for_a_predecessor_never_reaches_a_successor, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    owners_that_come_and_go_lose_no_answer, setup, teardown),
		cmocka_unit_test_setup_teardown(what_nobody_can_have_is_freed, setup, teardown),
		cmocka_unit_test_setup_teardown(made_ids_differ_from_those_in_use, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
