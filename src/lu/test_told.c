/* What a unit tells its path, and what it believes. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lu/fake_path.h"

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
	lu_learned(u, &other);
	assert_int_equal(lu_state(u), LU_SAME);
	other.nexus = f.path.nexus;
	lu_learned(u, &other);
	assert_int_equal(lu_state(u), LU_ASKING);
	end(&f, u);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(work_that_is_done_is_told_once_a_login),
		cmocka_unit_test(a_scan_of_an_earlier_login_is_not_believed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
