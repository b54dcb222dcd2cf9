/*
 * What a FUSE exporter leaves to its successor.  The store itself is taken by
 * its source, so that this test can be killed before any store of it: the n-th
 * ends in longjmp().
 */
#include <sys/mman.h>
#include <sys/stat.h>

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static jmp_buf dead;
static long stores_left;

static void
may_die(void)
{
	if (--stores_left == 0)
		longjmp(dead, 1);
}

#undef atomic_store_explicit
#define atomic_store_explicit(place, value, order) \
	(may_die(), __extension__({ *(place) = (value); }))
/* The last state that was made, also where it was killed in making it. */
static void *made_last;
#define calloc(n, bytes) (made_last = (calloc)((n), (bytes)))
#include "export/fusestate.c"

static const struct timespec since = { .tv_sec = 1000000000, .tv_nsec = 999999999 };

static struct fusestate *
new_state(void)
{
	struct fusestate *st;

	assert_int_equal(fusestate_new(true, &since, &st), 0);
	return st;
}

/* The next process has it. */
static struct fusestate *
hand_over(struct fusestate *st)
{
	struct fusestate *next;
	int fd = dup(st->fd);

	fusestate_free(st);
	assert_int_equal(fusestate_open(fd, &next), 0);
	return next;
}

static void
show(struct fusestate *st, unsigned slot, const char *name)
{
	char padded[32] = { 0 };

	strncpy(padded, name, sizeof padded - 1);
	fusestate_show(st, slot, padded);
}

static void
what_was_kept_is_found(void **state)
{
	uint8_t init[FUSESTATE_INIT_MAX];
	struct fusestate_node node;
	struct fusestate *st = new_state();

	(void)state;
	assert_int_equal(fusestate_get_init(st, init), 0);
	fusestate_set_init(st, (const uint8_t *)"hello", 6);
	show(st, 0, "c0t0d0");
	show(st, 2, "c0t0d2");
	fusestate_count(st, 2, 0, FUSESTATE_LOOKUPS, 7);
	fusestate_answered(st, 2);
	fusestate_set(st, 2, FUSESTATE_OPENERS, 3);
	fusestate_gone(st, 2);
	show(st, 3, "c0t0d3");
	fusestate_set_loss(st, 3, true);
	fusestate_clear(st, 3);
	show(st, 4, "c0t0d4");
	fusestate_set_loss(st, 4, true);
	fusestate_set_loss(st, 0, true);
	fusestate_set_loss(st, 0, false);
	st = hand_over(st);
	assert_true(fusestate_made_dir(st));
	assert_int_equal(fusestate_since(st).tv_sec, since.tv_sec);
	assert_int_equal(fusestate_since(st).tv_nsec, since.tv_nsec);
	assert_int_equal(fusestate_get_init(st, init), 6);
	assert_string_equal((const char *)init, "hello");
	assert_int_equal(fusestate_slots(st), 5);
	assert_true(fusestate_get(st, 0, &node));
	assert_string_equal(node.name, "c0t0d0");
	assert_false(node.is_loss_due);
	assert_true(node.lookups == 7 && node.openers == 0 && !node.is_gone);
	assert_false(fusestate_get(st, 1, &node));
	assert_true(fusestate_get(st, 2, &node));
	assert_true(node.openers == 3 && node.is_gone);
	assert_false(fusestate_get(st, 3, &node));
	assert_true(fusestate_get(st, 4, &node));
	assert_true(node.is_loss_due);
	show(st, 3, "c0t0d5");
	assert_true(fusestate_get(st, 3, &node));
	assert_false(node.is_loss_due);
	fusestate_free(st);
}

/* ---- killed before any store ---- */

/* The kernel's side: what it was answered, and so what it counts. */
struct world {
	struct fusestate *st;
	unsigned step; /* the request that is under way */
	bool is_answered;
	uint64_t lookups, openers; /* as the kernel has them */
	bool is_resent;
};

enum what_step { LOOKUP, OPEN, RELEASE, FORGET };
static const enum what_step steps[] = { LOOKUP, OPEN, LOOKUP, OPEN, RELEASE, OPEN, LOOKUP, RELEASE,
	RELEASE, FORGET, LOOKUP, OPEN };
#define STEPS (sizeof steps / sizeof steps[0])

/* As fusefs.c does it. */
static void
do_counted(struct world *w, uint64_t unique, enum fusestate_what what, int by)
{
	struct fusestate_node node;
	uint64_t now;

	assert_true(fusestate_get(w->st, 0, &node));
	now = what == FUSESTATE_LOOKUPS ? node.lookups : node.openers;
	if (!fusestate_was_counted(w->st, unique))
		fusestate_count(w->st, unique, 0, what, now + (uint64_t)by);
	w->is_answered = true;
	if (what == FUSESTATE_LOOKUPS)
		w->lookups++;
	else
		w->openers += (uint64_t)by;
	fusestate_answered(w->st, unique);
}

static void
do_step(struct world *w)
{
	uint64_t unique = 2 * w->step + 2;
	struct fusestate_node node;
	unsigned record;

	if (w->is_resent)
		unique |= FUSESTATE_RESENT;
	if (steps[w->step] == FORGET) { /* the kernel does so when it is read, and sends it once */
		w->is_answered = true;
		w->lookups -= 2;
		assert_true(fusestate_get(w->st, 0, &node));
		fusestate_set(w->st, 0, FUSESTATE_LOOKUPS, node.lookups - 2);
		return;
	}
	record = fusestate_received(w->st, unique);
	if (steps[w->step] == LOOKUP)
		do_counted(w, unique, FUSESTATE_LOOKUPS, 1);
	else
		do_counted(w, unique, FUSESTATE_OPENERS, steps[w->step] == OPEN ? 1 : -1);
	fusestate_done(w->st, record);
}

static void
do_all(struct world *w)
{
	for (; w->step < STEPS; w->step++) {
		do_step(w);
		w->is_answered = w->is_resent = false;
	}
}

/* Killed before the n-th store, and again before so many more; false: it had fewer. */
static bool
die_twice(long n, long again)
{
	static struct world w; /* not in a register over longjmp() */
	static bool was_killed, may_be_high;
	static volatile long next;
	struct fusestate_node node;

	w = (struct world){ .st = new_state() };
	show(w.st, 0, "c0t0d0");
	was_killed = may_be_high = false;
	next = again;
	stores_left = n;
	if (setjmp(dead) != 0) {
		was_killed = true;
		stores_left = next;
		next = 0;
		w.st = hand_over(made_last);
		may_be_high |= w.step < STEPS && steps[w.step] == FORGET && w.is_answered;
		w.is_resent = !w.is_answered;
		w.step += w.is_answered;
		w.is_answered = false;
	}
	do_all(&w);
	stores_left = 0;
	w.st = hand_over(w.st);
	assert_true(fusestate_get(w.st, 0, &node));
	assert_int_equal(node.openers, w.openers);
	assert_true(may_be_high ? node.lookups >= w.lookups : node.lookups == w.lookups);
	fusestate_free(w.st);
	return was_killed;
}

static void
killed_before_any_two_stores_it_counts_what_the_kernel_counts(void **state)
{
	long n = 1;

	(void)state;
	for (bool was_killed = true; was_killed; n++) {
		was_killed = die_twice(n, 0);
		for (long again = 1; again < 30; again++)
			die_twice(n, again);
	}
	assert_true(n > 50);
}

/* ---- the journal, and records ---- */

static void
an_entry_stays_while_others_are_counted(void **state)
{
	struct fusestate *st = new_state();

	(void)state;
	show(st, 0, "c0t0d0");
	fusestate_count(st, 100, 0, FUSESTATE_OPENERS, 1); /* and is killed */
	st = hand_over(st);
	for (unsigned i = 0; i < 1000; i++) {
		fusestate_count(st, 200 + i, 0, FUSESTATE_OPENERS, 2 + i);
		fusestate_answered(st, 200 + i);
	}
	assert_false(fusestate_was_counted(st, 100)); /* not sent again: another */
	assert_true(fusestate_was_counted(st, 100 | FUSESTATE_RESENT));
	assert_false(fusestate_was_counted(st, 200 | FUSESTATE_RESENT));
	/* What it counted is not what counts any more. */
	st = hand_over(st);
	assert_true(fusestate_was_counted(st, 100 | FUSESTATE_RESENT));
	assert_int_equal(LOAD(st->map->slot[0].openers), 1001);
	fusestate_answered(st, 100 | FUSESTATE_RESENT);
	assert_false(fusestate_was_counted(st, 100 | FUSESTATE_RESENT));
	fusestate_free(st);
}

static void
entries_that_nobody_asks_for_make_room(void **state)
{
	struct fusestate *st = new_state();

	(void)state;
	show(st, 0, "c0t0d0");
	for (unsigned i = 1; i <= 5 * JOURNAL; i++) {
		fusestate_count(st, i, 0, FUSESTATE_OPENERS, i);
		st = hand_over(st);
		assert_true(fusestate_was_counted(st, i | FUSESTATE_RESENT));
		assert_int_equal(LOAD(st->map->slot[0].openers), i);
	}
	fusestate_free(st);
}

struct seen {
	unsigned count;
	bool has[4096];
};

static void
see(uint64_t unique, void *user)
{
	struct seen *s = user;

	s->count++;
	if (unique < 4096)
		s->has[unique] = true;
}

static void
what_was_not_answered_is_known_and_what_may_have_come_next(void **state)
{
	static struct seen seen;
	struct fusestate *st = new_state();
	unsigned record[RECORDS];

	(void)state;
	for (unsigned i = 0; i < RECORDS; i++)
		record[i] = fusestate_received(st, 2 * i + 2);
	/* More than may be under way is not recorded, and does no harm. */
	assert_int_equal(fusestate_received(st, 2), FUSESTATE_NO_RECORD);
	fusestate_done(st, FUSESTATE_NO_RECORD);
	for (unsigned i = 0; i < RECORDS; i++)
		if (i % 10 != 0)
			fusestate_done(st, record[i]);
	assert_int_not_equal(fusestate_received(st, 10), FUSESTATE_NO_RECORD);
	st = hand_over(st);
	fusestate_unanswered(st, see, &seen);
	for (unsigned i = 0; i < RECORDS; i++)
		assert_true(seen.has[2 * i + 2] == (i % 10 == 0) || i == 4 || i > 4);
	assert_true(seen.has[10] && seen.has[12]);
	assert_true(seen.count < RECORDS / 10 + 2 + NEXT_UNIQUES);
	memset(&seen, 0, sizeof seen);
	fusestate_unanswered(st, see, &seen);
	assert_int_equal(seen.count, NEXT_UNIQUES);
	fusestate_free(st);
}

/* ---- hostile ---- */

static int
open_copy(const struct map *m, size_t bytes, int seals)
{
	int fd = memfd_create("copy", MFD_CLOEXEC | MFD_ALLOW_SEALING), err;
	struct fusestate *st;

	assert_int_equal(pwrite(fd, m, bytes, 0), bytes);
	assert_int_equal(ftruncate(fd, (off_t)(bytes < sizeof *m ? bytes : sizeof *m)), 0);
	assert_int_equal(fcntl(fd, F_ADD_SEALS, seals), 0);
	err = fusestate_open(fd, &st);
	if (err == 0)
		fusestate_free(st);
	else
		close(fd);
	return err;
}

static struct map *
good_map(void)
{
	struct fusestate *st = new_state();
	struct map *m = malloc(sizeof *m);

	show(st, 0, "c0t0d0");
	fusestate_count(st, 2, 0, FUSESTATE_OPENERS, 1);
	memcpy(m, st->map, sizeof *m);
	fusestate_free(st);
	return m;
}

#define HEAD (offsetof(struct map, slot) + sizeof(struct slot))

static void
what_is_damaged_is_refused(void **state)
{
	struct map *m = good_map();

	(void)state;
	assert_int_equal(open_copy(m, sizeof *m, SEALS), 0);
	assert_int_equal(open_copy(m, sizeof *m, 0), -EINVAL); /* it could be cut off */
	assert_int_equal(open_copy(m, 4, SEALS), -EINVAL);
	assert_int_equal(open_copy(m, HEAD, SEALS), -ENOTSUP); /* another version's size */
	free(m);
	assert_int_equal(fusestate_open(-1, &(struct fusestate *){ NULL }), -EINVAL);
}

static void
each_value_out_of_bounds_is_refused(void **state)
{
	struct map *m = good_map();
	static const char *const names[] = { "", ".", "..", "a/b" };

	(void)state;
#define REFUSED(err, member, value)                                    \
	do {                                                           \
		__typeof__(m->member) was = m->member;                 \
		m->member = (value);                                   \
		assert_int_equal(open_copy(m, sizeof *m, SEALS), err); \
		m->member = was;                                       \
	} while (0)
	REFUSED(-EINVAL, magic[0], 'X');
	REFUSED(-ENOTSUP, version, VERSION + 1);
	REFUSED(-ENOTSUP, bytes, 8);
	REFUSED(-EINVAL, io_bytes, 0);
	REFUSED(-EINVAL, io_bytes, LIMIT_FUSE_IO_BYTES + 1);
	REFUSED(-EINVAL, made_dir, 2);
	REFUSED(-EINVAL, since_ns, -1);
	REFUSED(-EINVAL, since_ns, 1000000000);
	REFUSED(-EINVAL, init_bytes, FUSESTATE_INIT_MAX + 1);
	REFUSED(-EINVAL, slots, SLOTS + 1);
	REFUSED(-EINVAL, slot[0].use, 3);
	REFUSED(-EINVAL, slot[0].openers, OPENERS_MAX + 1);
	REFUSED(-EINVAL, slot[0].lookups, LOOKUPS_MAX + 1);
	REFUSED(-EINVAL, journal[0].slot, 1);
	REFUSED(-EINVAL, journal[0].what, 3);
	REFUSED(-EINVAL, journal[0].value, OPENERS_MAX + 1ull);
	REFUSED(-EINVAL, slot[0].use, SLOT_FREE); /* the journal speaks of it */
	for (unsigned i = 0; i < sizeof names / sizeof names[0]; i++) {
		memset(m->slot[0].name, 0, sizeof m->slot[0].name);
		strncpy(m->slot[0].name, names[i], sizeof m->slot[0].name - 1);
		assert_int_equal(open_copy(m, sizeof *m, SEALS), -EINVAL);
	}
	memset(m->slot[0].name, 'x', sizeof m->slot[0].name);
	assert_int_equal(open_copy(m, sizeof *m, SEALS), -EINVAL);
	free(m);
}

/* Refused or not, what is found is within bounds. */
static void
look_at(const struct map *m)
{
	int fd = memfd_create("copy", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	uint8_t init[FUSESTATE_INIT_MAX];
	struct fusestate_node node;
	struct fusestate *st;

	assert_int_equal(pwrite(fd, m, HEAD, 0), HEAD);
	assert_int_equal(ftruncate(fd, sizeof *m), 0);
	assert_int_equal(fcntl(fd, F_ADD_SEALS, SEALS), 0);
	if (fusestate_open(fd, &st) < 0) {
		close(fd);
		return;
	}
	assert_true(fusestate_slots(st) <= SLOTS);
	assert_true(fusestate_get_init(st, init) <= sizeof init);
	for (unsigned i = 0; i < fusestate_slots(st); i++) {
		if (!fusestate_get(st, i, &node))
			continue;
		assert_true(is_name(node.name));
		assert_true(node.openers <= OPENERS_MAX && node.lookups <= LOOKUPS_MAX);
	}
	fusestate_free(st);
}

static void
any_byte_may_be_wrong(void **state)
{
	static const uint8_t values[] = { 0, 1, 0x2f, 0x7f, 0x80, 0xff };
	struct map *m = good_map();
	uint8_t *bytes = (uint8_t *)m;

	(void)state;
	for (size_t i = 0; i < HEAD; i += i < offsetof(struct map, last) || i + 64 > HEAD ? 1 : 8) {
		uint8_t was = bytes[i];

		for (unsigned k = 0; k < sizeof values; k++) {
			bytes[i] = values[k];
			look_at(m);
		}
		bytes[i] = was;
	}
	free(m);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_kept_is_found),
		cmocka_unit_test(killed_before_any_two_stores_it_counts_what_the_kernel_counts),
		cmocka_unit_test(an_entry_stays_while_others_are_counted),
		cmocka_unit_test(entries_that_nobody_asks_for_make_room),
		cmocka_unit_test(what_was_not_answered_is_known_and_what_may_have_come_next),
		cmocka_unit_test(what_is_damaged_is_refused),
		cmocka_unit_test(each_value_out_of_bounds_is_refused),
		cmocka_unit_test(any_byte_may_be_wrong),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
