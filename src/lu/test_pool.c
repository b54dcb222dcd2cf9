/* Slots: charged to units, borrowed, given back. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "lu/fake_pool.h"
#include "lu/fake_world.h"
#include "lu/lu_impl.h"
#include "scsi/sense.h"

static bool
is_of(struct world *w, size_t i, size_t unit)
{
	return fake_path_req(&w->f, i)->lun[1] == unit;
}

static void
a_stalled_unit_leaves_room_for_its_neighbours(void **state)
{
	struct world w;
	size_t stalled;

	(void)state;
	start(&w, 3);
	for (size_t i = 0; i < 2 * SLOTS; i++)
		submit(&w, 0, i, BLK_WRITE);
	stalled = w.f.n;
	assert_true(stalled > SLOTS / 3 && stalled < SLOTS);
	/* It says nothing for 35 s; the others go on meanwhile. */
	for (size_t turn = 0; turn < 35; turn++) {
		for (size_t k = 1; k < 3; k++)
			submit(&w, k, 2 * SLOTS + k, BLK_READ);
		assert_int_equal(w.f.n, stalled + 2);
		assert_true(is_of(&w, stalled, 1) && is_of(&w, stalled + 1, 2));
		fake_path_good(&w.f, stalled);
		fake_path_good(&w.f, stalled);
		fake_path_pass(&w.f, SECOND);
	}
	/* There is always one more for a question. */
	lunpath_doubt(lu_first_path(w.u[1]));
	assert_int_equal(w.f.n, stalled + 1);
	fake_target_run(&w.t, &w.f);
	end(&w);
}

static void
an_idle_unit_finds_room_for_its_first_command_whatever_the_others_do(void **state)
{
	struct world w;

	(void)state;
	start(&w, 3);
	/* The first borrows, the second takes all of its share that is left. */
	for (size_t i = 0; i < 2 * SLOTS; i++)
		submit(&w, 0, i, BLK_WRITE);
	for (size_t i = 0; i < SLOTS; i++)
		submit(&w, 1, 2 * SLOTS + i, BLK_WRITE);
	assert_int_equal(w.f.n, SLOTS - 1);
	submit(&w, 2, REQS - 1, BLK_READ);
	assert_int_equal(w.f.n, SLOTS);
	assert_true(is_of(&w, SLOTS - 1, 2));
	end(&w);
}

static void
a_unit_alone_has_all_slots_but_one(void **state)
{
	struct world w;

	(void)state;
	start(&w, 1);
	for (size_t i = 0; i < 2 * SLOTS; i++)
		submit(&w, 0, i, BLK_WRITE);
	assert_int_equal(w.f.n, SLOTS);
	pool_window(w.f.path.pool, 4);
	for (size_t i = 0; i < SLOTS - 3; i++)
		fake_path_good(&w.f, 0);
	assert_int_equal(w.f.n, 3);
	fake_path_good(&w.f, 0);
	assert_int_equal(w.f.n, 3);
	pool_window(w.f.path.pool, 8);
	assert_int_equal(w.f.n, 7);
	end(&w);
}

static void
slots_are_shared_fairly_by_those_that_want_them(void **state)
{
	unsigned had[2] = { 0 };
	struct world w;

	(void)state;
	start(&w, 2);
	for (size_t i = 0; i < 32; i++)
		submit(&w, 0, i, BLK_WRITE);
	for (size_t i = 32; i < 64; i++)
		submit(&w, 1, i, BLK_WRITE);
	/* What was borrowed is given back as commands complete. */
	for (size_t i = 0; i < SLOTS; i++)
		fake_path_good(&w.f, 0);
	for (size_t i = 0; i < w.f.n; i++)
		had[fake_path_req(&w.f, i)->lun[1]]++;
	assert_int_equal(had[0] + had[1], SLOTS);
	assert_true(had[0] >= SLOTS / 2 - 2 && had[1] >= SLOTS / 2 - 2);
	end(&w);
}

/* Of a unit that does nothing when it is woken. */
static void
join(struct pool *p, struct lunpath *lp)
{
	static struct lu none = { .state = LU_CLOSED };

	list_init(&none.paths);
	lp->lu = &none;
	pool_join(p, &lp->share);
}

static void
one_of_many_units_still_has_half_of_the_slots(void **state)
{
	enum { MANY = 500, ALL = 128 };
	static struct lunpath ways[MANY];
	static struct io *had[ALL], *other[ALL];
	struct pool *p = pool_new(ALL);
	unsigned n = 0, others = 0;

	(void)state;
	for (unsigned i = 0; i < MANY; i++)
		join(p, &ways[i]);
	while ((had[n] = pool_get(p, &ways[0].share)) != NULL)
		n++;
	assert_true(n >= ALL / 2);
	/* And the others each find one, as far as there are any. */
	while ((other[others] = pool_get(p, &ways[others + 1].share)) != NULL)
		others++;
	assert_int_equal(n + others, ALL - 1);
	while (n > 0)
		pool_put(p, &ways[0].share, had[--n]);
	for (unsigned i = 0; i < others; i++)
		pool_put(p, &ways[i + 1].share, other[i]);
	for (unsigned i = 0; i < MANY; i++)
		pool_leave(p, &ways[i].share);
	pool_free(p);
}

/* The sums that each get and put keep are those that a walk over all units finds. */
static void
the_sums_are_right_whatever_happens(void **state)
{
	static struct lunpath ways[40];
	static struct io *had[40][40];
	struct pool *p = pool_new(32);
	unsigned n = 0, used = 0, x = 12345;
	struct io *io;

	(void)state;
	for (unsigned i = 0; i < 20000; i++) {
		unsigned at = n > 0 ? (x >> 8) % n : 0;
		struct pool_share *s = &ways[at].share;

		x = x * 1103515245u + 12345;
		switch (x >> 28 & 7) {
		case 0:
			if (n < 40)
				join(p, &ways[n++]);
			break;
		case 1:
			if (n > 0 && ways[n - 1].share.busy == 0) {
				pool_forget(p, &ways[n - 1].share);
				pool_leave(p, &ways[--n].share);
			}
			break;
		case 2:
		case 3:
		case 4:
			if (n == 0)
				break;
			io = pool_get(p, s);
			if (io != NULL) {
				had[at][s->busy - 1] = io;
				used++;
			}
			pool_forget(p, s);
			break;
		default:
			if (n > 0 && s->busy > 0) {
				pool_put(p, s, had[at][s->busy - 1]);
				used--;
			}
			break;
		}
		assert_int_equal(pool_used(p), used);
		fake_pool_check(p);
	}
	while (n > 0) {
		n--;
		while (ways[n].share.busy > 0)
			pool_put(p, &ways[n].share, had[n][ways[n].share.busy - 1]);
		pool_leave(p, &ways[n].share);
	}
	pool_free(p);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_stalled_unit_leaves_room_for_its_neighbours),
		cmocka_unit_test(
		    an_idle_unit_finds_room_for_its_first_command_whatever_the_others_do),
		cmocka_unit_test(a_unit_alone_has_all_slots_but_one),
		cmocka_unit_test(slots_are_shared_fairly_by_those_that_want_them),
		cmocka_unit_test(one_of_many_units_still_has_half_of_the_slots),
		cmocka_unit_test(the_sums_are_right_whatever_happens),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
