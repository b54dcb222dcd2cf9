/* What a client leaves behind in a unit's cache. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "export/nbdtest.h"

static uint8_t data[512];

/* A client's life: what it does last decides whether a flush is due when it has gone. */
static void
who_leaves_has_what_was_answered_written_out_once(void **state)
{
	struct nbdtest t;

	(void)state;
	for (unsigned world = 0; world < 200; world++) {
		unsigned long flushes;
		bool is_due = false;
		int fd;

		srand(world);
		nbdtest_begin(&t, 512);
		fd = nbdtest_open(&t, false);
		for (unsigned i = (unsigned)rand() % 6; i > 0; i--) {
			unsigned fua = rand() % 3 == 0 ? NBD_COMMAND_FLAG_FUA : 0;

			switch (rand() % 4) {
			case 0:
				nbdtest_request(&t, fd, NBD_COMMAND_WRITE, fua, 3, 0, sizeof data);
				nbdtest_send(&t, fd, data, sizeof data);
				assert_int_equal(nbdtest_answer(&t, fd, 3), NBD_OK);
				is_due = is_due || fua == 0;
				break;
			case 1:
				nbdtest_request(&t, fd, NBD_COMMAND_TRIM, fua, 3, 0, 512);
				assert_int_equal(nbdtest_answer(&t, fd, 3), NBD_OK);
				is_due = fua == 0;
				break;
			case 2:
				nbdtest_request(&t, fd, NBD_COMMAND_FLUSH, 0, 4, 0, 0);
				assert_int_equal(nbdtest_answer(&t, fd, 4), NBD_OK);
				is_due = false;
				break;
			default:
				nbdtest_request(&t, fd, NBD_COMMAND_READ, 0, 3, 0, sizeof data);
				assert_int_equal(nbdtest_answer(&t, fd, 3), NBD_OK);
				assert_true(nbdtest_receive(&t, fd, data, sizeof data));
			}
		}
		flushes = t.m->submitted[BLK_FLUSH];
		t.m->hold = true;
		if (rand() % 2 == 0)
			nbdtest_request(&t, fd, NBD_COMMAND_DISC, 0, 5, 0, 0);
		close(fd);
		nbdtest_turns(&t, 10);
		assert_int_equal(t.m->submitted[BLK_FLUSH], flushes + is_due);
		/* Until then it is nobody's to take away. */
		assert_int_equal(nbd_export.openers(t.ex, &t.m->dev), is_due);
		assert_int_equal(t.let_go, !is_due);
		if (rand() % 2 == 0 && is_due)
			t.m->fail[BLK_FLUSH] = -EIO;
		memdev_release(t.m);
		nbdtest_turns(&t, 10);
		assert_int_equal(t.m->submitted[BLK_FLUSH], flushes + is_due);
		assert_int_equal(t.let_go, 1);
		nbdtest_end(&t);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_leaves_has_what_was_answered_written_out_once),
	};

	return cmocka_run_group_tests_name("nbdleave", tests, NULL, NULL);
}
