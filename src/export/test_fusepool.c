/* Who gets requests of a thread's pool when there are not enough: mounts that no kernel knows. */
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "export/fuseint.h"

#define MOUNTS 5

struct mount {
	struct export ex;
	struct fuse_op *op[LIMIT_FUSE_OPS];
	unsigned n, woken;
};

static struct loop *loop;
static struct mount *mounts[MOUNTS];

static void
woken(struct loop_fd *f, uint32_t events)
{
	struct mount *m = LIST_ENTRY(f, struct mount, ex.fd);

	(void)events;
	m->woken++;
	assert_int_equal(loop_rewatch(loop, f, 0), 0);
}

static int
set_up(void **state)
{
	(void)state;
	loop = loop_new();
	for (unsigned i = 0; i < MOUNTS; i++) {
		struct mount *m = calloc(1, sizeof *m);

		mounts[i] = m;
		m->ex.loop = loop;
		if (fusepool_join(&m->ex.pool) < 0)
			return -1;
		list_init(&m->ex.starved);
		m->ex.fd.fd = eventfd(1, EFD_NONBLOCK); /* ready at once */
		m->ex.fd.ready = woken;
		if (loop_watch(loop, &m->ex.fd, 0) != 0)
			return -1;
	}
	return 0;
}

static bool
get(struct mount *m)
{
	struct fuse_op *op = fusepool_get(&m->ex);

	if (op == NULL)
		return false;
	m->op[m->n++] = op;
	return true;
}

static void
put(struct mount *m)
{
	fusepool_put(m->op[--m->n]);
}

static int
tear_down(void **state)
{
	(void)state;
	for (unsigned i = 0; i < MOUNTS; i++)
		while (mounts[i]->n > 0)
			put(mounts[i]);
	for (unsigned i = 0; i < MOUNTS; i++) {
		loop_unwatch(loop, &mounts[i]->ex.fd);
		close(mounts[i]->ex.fd.fd);
		fusepool_leave(mounts[i]->ex.pool);
		free(mounts[i]);
	}
	loop_free(loop);
	return 0;
}

static void
wake_up(struct agenda_timer *t)
{
	(void)t;
	loop_stop(loop);
}

/* One turn of the loop: who was woken has been told. */
static void
turn(void)
{
	struct agenda_timer soon = { .expired = wake_up };

	agenda_set(loop_agenda(loop), &soon, loop_now(loop));
	assert_int_equal(loop_run(loop), 0);
}

static void
one_mount_gets_its_own_limit_and_no_more(void **state)
{
	(void)state;
	while (get(mounts[0]))
		assert_true(mounts[0]->n <= LIMIT_FUSE_MOUNT_OPS);
	assert_int_equal(mounts[0]->n, LIMIT_FUSE_MOUNT_OPS);
}

static void
neighbours_of_greedy_mounts_get_what_is_theirs_for_sure(void **state)
{
	(void)state;
	for (unsigned i = 0; i + 1 < MOUNTS; i++)
		while (get(mounts[i]))
			;
	for (unsigned k = 0; k < LIMIT_FUSE_SURE_OPS; k++)
		assert_true(get(mounts[MOUNTS - 1]));
	assert_false(get(mounts[MOUNTS - 1]));
}

/* Their memory is there from the start: nothing has to be made for them when memory is short. */
static void
what_is_for_sure_is_kept_back_from_others(void **state)
{
	struct fuse_op *first = NULL;

	(void)state;
	/* All that were made for five mounts go round among them only. */
	for (unsigned k = 0; k < LIMIT_FUSE_SURE_OPS; k++)
		assert_true(get(mounts[0]));
	first = mounts[0]->op[0];
	assert_true(get(mounts[0])); /* a new one, not one of a neighbour's */
	for (unsigned i = 1; i < MOUNTS; i++)
		for (unsigned k = 0; k < LIMIT_FUSE_SURE_OPS; k++) {
			assert_true(get(mounts[i]));
			assert_ptr_not_equal(mounts[i]->op[k], mounts[0]->op[4]);
			assert_ptr_not_equal(mounts[i]->op[k], first);
		}
}

static void
bytes_that_were_given_back_are_room_again(void **state)
{
	struct mount *m = mounts[0];

	(void)state;
	for (unsigned round = 0; round < 3; round++) {
		while (get(m))
			fusepool_carry(m->op[m->n - 1], LIMIT_FUSE_IO_BYTES);
		assert_in_range(m->n, LIMIT_FUSE_BUSY_BYTES / LIMIT_FUSE_IO_BYTES,
		    LIMIT_FUSE_BUSY_BYTES / LIMIT_FUSE_IO_BYTES + LIMIT_FUSE_SURE_OPS);
		while (m->n > 0)
			put(m);
	}
}

static void
a_mount_that_waits_is_woken_when_there_is_an_op(void **state)
{
	struct mount *greedy = mounts[0], *other = mounts[1];

	(void)state;
	while (get(greedy))
		;
	fusepool_wait(&greedy->ex);
	turn();
	assert_int_equal(greedy->woken, 0);
	put(greedy);
	turn();
	assert_int_equal(greedy->woken, 1);
	/* One that waits for others' ops is woken by them. */
	while (get(other))
		;
	fusepool_wait(&other->ex);
	put(greedy);
	turn();
	assert_int_equal(other->woken, 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		TEST(one_mount_gets_its_own_limit_and_no_more),
		TEST(neighbours_of_greedy_mounts_get_what_is_theirs_for_sure),
		TEST(what_is_for_sure_is_kept_back_from_others),
		TEST(bytes_that_were_given_back_are_room_again),
		TEST(a_mount_that_waits_is_woken_when_there_is_an_op),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
