#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <unistd.h>

#include <cmocka.h>

#include "iscsi_holderd/store.h"

static void
make(int fds[HELD_FDS])
{
	for (int i = 0; i < HELD_FDS; i++)
		assert_true((fds[i] = open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0);
}

static bool
is_open(int fd)
{
	return fcntl(fd, F_GETFD) >= 0;
}

static void
put(struct store *s, uint32_t key, uint64_t life, int fds[HELD_FDS])
{
	make(fds);
	assert_true(store_put(s, key, life, fds));
}

static void
what_is_put_stays_open_until_it_is_dropped(void **state)
{
	struct store s = { 0 };
	int a[HELD_FDS], b[HELD_FDS];

	(void)state;
	put(&s, 7, 1, a);
	put(&s, 8, 1, b);
	store_drop(&s, 9);
	assert_int_equal(s.n, 2);
	store_drop(&s, 7);
	assert_false(is_open(a[0]) || is_open(a[1]));
	assert_true(is_open(b[0]) && is_open(b[1]));
	assert_int_equal(s.n, 1);
	store_fini(&s);
	assert_false(is_open(b[0]) || is_open(b[1]));
}

static void
a_key_has_one_pair_the_newest(void **state)
{
	struct store s = { 0 };
	int a[HELD_FDS], b[HELD_FDS];

	(void)state;
	put(&s, 7, 1, a);
	put(&s, 7, 2, b);
	assert_int_equal(s.n, 1);
	assert_int_equal(s.items[0].life, 2);
	assert_false(is_open(a[0]) || is_open(a[1]));
	assert_int_equal(s.items[0].fds[0], b[0]);
	store_fini(&s);
}

static void
other_lives_are_forgotten(void **state)
{
	struct store s = { 0 };
	int fds[40][HELD_FDS];

	(void)state;
	for (uint32_t i = 0; i < 40; i++)
		put(&s, i, i % 3, fds[i]);
	store_forget(&s, 1);
	assert_int_equal(s.n, 13);
	for (uint32_t i = 0; i < 40; i++)
		assert_int_equal(is_open(fds[i][0]) && is_open(fds[i][1]), i % 3 == 1);
	store_fini(&s);
}

static void
there_is_room_for_every_mount_and_socket_and_no_more(void **state)
{
	struct store s = { 0 };
	int fds[HELD_FDS], last[HELD_FDS];

	(void)state;
	/* The same two numbers: nothing is closed here but by the test. */
	make(fds);
	for (uint32_t i = 0; i < STORE_ITEMS; i++)
		assert_true(store_put(&s, i, 1, fds));
	make(last);
	assert_false(store_put(&s, STORE_ITEMS, 1, last));
	assert_true(is_open(last[0]) && is_open(last[1]));
	assert_int_equal(s.n, STORE_ITEMS);
	store_fini(&s);
	close(last[0]);
	close(last[1]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_put_stays_open_until_it_is_dropped),
		cmocka_unit_test(a_key_has_one_pair_the_newest),
		cmocka_unit_test(other_lives_are_forgotten),
		cmocka_unit_test(there_is_room_for_every_mount_and_socket_and_no_more),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
