/* What a unit tells its path, and what it believes. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lu/fake_pair.h"

static const struct lu_ops ops;

static struct lu *
start(struct fake_path *f, struct lu_info *info)
{
	struct lu *u;

	fake_path_init(f, 5);
	*info = fake_info(5, 0x5000000000000001);
	u = lu_new(&f->path, info, "c0t0d5", &ops, NULL);
	assert_int_equal(lu_state(u), LU_SAME);
	fake_path_add(f, u);
	return u;
}

static void
end(struct fake_path *f, struct lu *u)
{
	lu_close(u, -ENXIO);
	while (f->n > 0)
		fake_path_result(f, 0, REQ_LOST);
	fake_path_turn(f);
	lu_free(u);
	fake_path_fini(f);
}

static void
work_that_is_done_is_told_once_a_login(void **state)
{
	struct fake_path f;
	struct lu_info info;
	struct lu *u = start(&f, &info);

	(void)state;
	for (unsigned k = 0; k < 3; k++) {
		struct fake_req q;

		fake_submit(u, &q, BLK_READ, 4096 * k, 4096, false);
		assert_int_equal(f.worked, k > 0);
		fake_path_good(&f, 0);
		fake_path_turn(&f);
		assert_int_equal(q.done, 1);
	}
	assert_int_equal(f.worked, 1);
	end(&f, u);
}

static void
a_scan_of_an_earlier_login_is_not_believed(void **state)
{
	struct fake_path f;
	struct lu_info info, other;
	struct lu *u = start(&f, &info);

	(void)state;
	other = fake_info(5, 0x5000000000000002);
	other.nexus = f.path.nexus - 1;
	lunpath_learned(lu_first_path(u), &other);
	assert_int_equal(lu_state(u), LU_SAME);
	other.nexus = f.path.nexus;
	lunpath_learned(lu_first_path(u), &other);
	assert_int_equal(lu_state(u), LU_ASKING);
	end(&f, u);
}

/* Another unit stood there; a scan finds the right one, which is known when the unit has asked. */
static void
a_scan_waits_for_the_unit_that_it_found_again(void **state)
{
	struct pair w;

	(void)state;
	for (unsigned how = 0; how < 3; how++) {
		struct lu_info info;

		pair_start(&w);
		lu_kept_get(lu_info(w.u), &info);
		w.units[1].naa = ELSE;
		lunpath_doubt(lu_first_path(w.u));
		fake_target_run(&w.t, &w.f);
		assert_int_equal(lu_state(w.u), LU_OTHER);
		w.units[1].naa = NAA;
		assert_false(lunpath_is_learning(lu_first_path(w.u)));
		lunpath_learned(lu_first_path(w.u), how == 0 ? NULL : &info);
		assert_true(lunpath_is_learning(lu_first_path(w.u)));
		assert_int_equal(w.f.learned, 0);
		if (how == 2)
			fake_path_down(&w.f, true);
		else
			fake_target_run(&w.t, &w.f);
		assert_false(lunpath_is_learning(lu_first_path(w.u)));
		assert_int_equal(w.f.learned, 1);
		assert_int_equal(lu_state(w.u), how == 2 ? LU_UNKNOWN : LU_SAME);
		pair_end(&w);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(work_that_is_done_is_told_once_a_login),
		cmocka_unit_test(a_scan_of_an_earlier_login_is_not_believed),
		cmocka_unit_test(a_scan_waits_for_the_unit_that_it_found_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
