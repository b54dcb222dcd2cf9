#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/tapring.h"

#define SIZE 1024

static struct agenda agenda;
static struct agenda_work work;
static unsigned ran;

static void
run(struct agenda_work *w)
{
	(void)w;
	ran++;
}

static void
begin(struct tapring *r, uint8_t *bytes)
{
	agenda_init(&agenda, 0);
	agenda_work_init(&work, run);
	ran = 0;
	*r = (struct tapring){ .bytes = bytes, .size = SIZE, .agenda = &agenda, .work = &work };
}

/* Take everything out. */
static size_t
take(struct tapring *r, uint8_t *out)
{
	const uint8_t *p;
	size_t n, all = 0;

	while ((n = tapring_peek(r, &p)) > 0) {
		memcpy(out + all, p, n);
		tapring_took(r, n);
		all += n;
	}
	return all;
}

static void
records_come_out_as_they_were_put_wherever_the_ring_ends(void **state)
{
	static uint8_t bytes[SIZE], out[SIZE], payload[200];
	struct tapring r;

	(void)state;
	begin(&r, bytes);
	for (unsigned i = 0; i < 5000; i++) {
		struct tapring_record rec = { .kind = TAPRING_PDU, .connection = i, .wire = 7777 },
				      got;
		unsigned n = i % sizeof payload, cut = n / 3;
		const struct tapring_part parts[] = { { payload, cut },
			{ payload + cut, n - cut } };
		size_t all;

		for (unsigned j = 0; j < n; j++)
			payload[j] = (uint8_t)(i + j);
		assert_true(tapring_put(&r, &rec, parts, 2));
		all = take(&r, out);
		memcpy(&got, out, sizeof got);
		assert_int_equal(got.bytes, all);
		assert_int_equal(all % 8, 0);
		assert_int_equal(got.connection, i);
		assert_int_equal(got.wire, 7777);
		assert_int_equal(got.kept, n);
		assert_memory_equal(out + sizeof got, payload, n);
	}
}

static void
what_has_no_room_is_dropped_and_counted_and_the_next_one_says_so(void **state)
{
	static uint8_t bytes[SIZE], out[SIZE], payload[100];
	const struct tapring_part part = { payload, sizeof payload };
	struct tapring_record rec = { .kind = TAPRING_PDU }, other = { .kind = TAPRING_CLOSE };
	size_t fitted = 0;
	struct tapring r;

	(void)state;
	begin(&r, bytes);
	while (tapring_put(&r, &rec, &part, 1))
		fitted++;
	assert_int_equal(fitted, SIZE / rec.bytes);
	assert_int_equal(r.dropped, 1);
	assert_false(tapring_put(&r, &rec, &part, 1));
	assert_int_equal(r.dropped, 2);
	/* Only PDUs are counted. */
	while (tapring_put(&r, &other, NULL, 0))
		;
	assert_int_equal(r.dropped, 2);
	assert_true(take(&r, out) <= SIZE);
	assert_true(tapring_put(&r, &rec, &part, 1));
	assert_int_equal(rec.dropped, 2);
	/* One that never fits is dropped, too, and harms nothing. */
	assert_false(tapring_put(&r, &rec, &(struct tapring_part){ bytes, SIZE }, 1));
	assert_int_equal(take(&r, out), rec.bytes);
}

static void
whoever_listens_is_run_once_a_turn(void **state)
{
	static uint8_t bytes[SIZE];
	struct tapring_record rec = { .kind = TAPRING_CLOSE };
	struct tapring r;

	(void)state;
	begin(&r, bytes);
	assert_true(tapring_put(&r, &rec, NULL, 0));
	assert_true(tapring_put(&r, &rec, NULL, 0));
	agenda_run(&agenda);
	assert_int_equal(ran, 1);
	agenda_run(&agenda);
	assert_int_equal(ran, 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(records_come_out_as_they_were_put_wherever_the_ring_ends),
		cmocka_unit_test(what_has_no_room_is_dropped_and_counted_and_the_next_one_says_so),
		cmocka_unit_test(whoever_listens_is_run_once_a_turn),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
