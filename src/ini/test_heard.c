/* What is heard of LUNs without a unit: a path that comes is told all of its LUN, the worst of what
 * there was no room for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "ini/heard.h"

/* A path, and what it was told. */
struct lunpath {
	uint8_t wire[LUNS_WIRE_BYTES];
	unsigned n;
	enum sense_loss worst;
	uint64_t last_us;
};

void
lunpath_told(
    struct lunpath *lp, const uint8_t lun[LUNS_WIRE_BYTES], const struct sense *s, uint64_t at_us)
{
	if (memcmp(lun, lp->wire, LUNS_WIRE_BYTES) != 0)
		return;
	lp->n++;
	if (lp->worst < sense_loss(s))
		lp->worst = sense_loss(s);
	if (lp->last_us < at_us)
		lp->last_us = at_us;
}

const uint8_t *
lunpath_wire(const struct lunpath *lp)
{
	return lp->wire;
}

static const struct sense power = { .key = SENSE_KEY_UNIT_ATTENTION, .asc = 0x29, .ascq = 0x01 };
static const struct sense reset = { .key = SENSE_KEY_UNIT_ATTENTION, .asc = 0x29, .ascq = 0x00 };
static const struct sense other = { .key = SENSE_KEY_UNIT_ATTENTION, .asc = 0x2a, .ascq = 0x01 };

static void
add(struct heard *h, unsigned lun, const struct sense *s, uint64_t at_us)
{
	const uint8_t wire[LUNS_WIRE_BYTES] = { 0, (uint8_t)lun };

	heard_add(h, wire, s, at_us);
}

/* The path to that LUN, as it was told. */
static struct lunpath
told(const struct heard *h, unsigned lun)
{
	struct lunpath lp = { .wire = { 0, (uint8_t)lun } };

	heard_tell(h, &lp);
	return lp;
}

static void
a_path_is_told_of_its_lun_alone(void **state)
{
	struct heard h = { 0 };

	(void)state;
	add(&h, 1, &power, 10);
	add(&h, 1, &reset, 20);
	add(&h, 1, &power, 30);
	add(&h, 1, &power, 5); /* it was heard later, too */
	add(&h, 2, &other, 40);
	assert_int_equal(told(&h, 1).n, 2);
	assert_int_equal(told(&h, 1).worst, SENSE_LOSS_POWER);
	assert_int_equal(told(&h, 1).last_us, 30);
	assert_int_equal(told(&h, 2).n, 0);
	assert_int_equal(h.n, 2);
}

static void
the_worst_of_what_there_is_no_room_for_counts_for_each(void **state)
{
	(void)state;
	for (unsigned n = LIMIT_HEARD - 1; n <= LIMIT_HEARD + 1; n++)
		for (unsigned worse = 0; worse <= n; worse++) {
			struct heard h = { 0 };

			for (unsigned i = 0; i < n; i++)
				add(&h, i, i == worse ? &power : &reset, i + 1);
			for (unsigned i = 0; i < n; i++) {
				assert_true(told(&h, i).n >= 1);
				assert_true(told(&h, i).last_us >= i + 1);
				if (i == worse)
					assert_int_equal(told(&h, i).worst, SENSE_LOSS_POWER);
			}
			assert_int_equal(told(&h, 200).n, n > LIMIT_HEARD ? 1 : 0);
			if (n > LIMIT_HEARD && worse < n && worse >= LIMIT_HEARD - 1)
				assert_int_equal(told(&h, 200).worst, SENSE_LOSS_POWER);
		}
}

static void
what_two_have_heard_is_heard(void **state)
{
	struct heard h = { 0 }, more = { 0 };

	(void)state;
	add(&h, 1, &power, 10);
	add(&more, 1, &power, 7);
	add(&more, 2, &power, 8);
	heard_merge(&h, &more);
	assert_int_equal(told(&h, 1).n, 1);
	assert_int_equal(told(&h, 1).last_us, 10);
	assert_int_equal(told(&h, 2).last_us, 8);
	assert_false(h.is_of_all);
	for (unsigned i = 0; i <= LIMIT_HEARD; i++)
		add(&more, i + 1, &power, 50);
	heard_merge(&h, &more);
	assert_true(h.is_of_all);
	assert_int_equal(told(&h, 200).last_us, 50);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_path_is_told_of_its_lun_alone),
		cmocka_unit_test(the_worst_of_what_there_is_no_room_for_counts_for_each),
		cmocka_unit_test(what_two_have_heard_is_heard),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
