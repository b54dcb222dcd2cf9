/* On a clock of the test's own, over a device that answers when it is told to. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "export/filters.h"

#define BLOCK    512
#define REQUESTS (LIMIT_FILTER_TIMED + 8)

struct bed {
	struct agenda agenda;
	struct blk_dev in;
	struct list there; /* requests that the device has, as they came */
	unsigned n_there;
	struct filters f;
	struct blk_req r[REQUESTS];
	unsigned done;     /* answers */
	unsigned order[8]; /* of the first ones: which request */
	bool is_inside;    /* submit() has not returned */
};

static void
device_submit(struct blk_dev *d, struct blk_req *r)
{
	struct bed *b = d->user;

	assert_ptr_equal(d, &b->in);
	r->hold.not_before_us = 0;
	list_push_back(&b->there, &r->link);
	b->n_there++;
}

static void
done(struct blk_req *r)
{
	struct bed *b = r->user;

	assert_false(b->is_inside);
	if (b->done < 8)
		b->order[b->done] = (unsigned)(r - b->r);
	b->done++;
}

static void
use(struct bed *b, const char *text)
{
	char why[FILTERSPEC_WHY_BYTES];
	struct filterspec s;

	assert_true(filterspec_parse(text, 0, &s, why));
	assert_true(filters_set(&b->f, &s));
}

static struct bed *
bed_new(const char *text)
{
	struct bed *b = calloc(1, sizeof *b);

	agenda_init(&b->agenda, 1000);
	list_init(&b->there);
	b->in = (struct blk_dev){ .name = "c0t0d0",
		.size_bytes = 1u << 20,
		.block_bytes = BLOCK,
		.max_io_bytes = 65536,
		.can_discard = true,
		.submit = device_submit,
		.user = b };
	filters_init(&b->f, &b->in, &b->agenda);
	use(b, text);
	return b;
}

static void
send(struct bed *b, unsigned i, enum blk_op op, uint64_t block)
{
	b->r[i] = (struct blk_req){ .op = op,
		.offset = block * BLOCK,
		.len = op == BLK_FLUSH ? 0 : BLOCK,
		.done = done,
		.user = b };
	b->is_inside = true;
	b->f.dev.submit(&b->f.dev, &b->r[i]);
	b->is_inside = false;
}

/* The device answers the request that it has had longest. */
static void
device_answers(struct bed *b, int result)
{
	struct blk_req *r = LIST_ENTRY(list_pop(&b->there), struct blk_req, link);

	b->n_there--;
	r->result = result;
	r->done(r);
}

static void
pass(struct bed *b, uint64_t us)
{
	b->agenda.now_us += us;
	agenda_run(&b->agenda);
}

/* At rest nothing is left. */
static void
bed_free(struct bed *b)
{
	while (b->n_there > 0)
		device_answers(b, 0);
	agenda_run(&b->agenda);
	filters_close(&b->f);
	assert_true(filters_are_idle(&b->f));
	assert_int_equal(agenda_next_us(&b->agenda), UINT64_MAX);
	filters_fini(&b->f);
	free(b);
}

static void
without_one_a_request_is_the_devices_at_once(void **state)
{
	struct bed *b = bed_new("none");

	(void)state;
	send(b, 0, BLK_WRITE, 1);
	assert_int_equal(b->n_there, 1);
	assert_ptr_equal(b->r[0].done, done);
	device_answers(b, -ENOSPC);
	assert_int_equal(b->r[0].result, -ENOSPC);
	assert_null(filters_report(&b->f));
	bed_free(b);
}

static void
a_delay_is_that_long_and_no_longer(void **state)
{
	struct bed *b = bed_new("delay=5ms");

	(void)state;
	send(b, 0, BLK_READ, 1);
	pass(b, 2000);
	send(b, 1, BLK_READ, 2);
	pass(b, 2999);
	assert_int_equal(b->n_there, 0);
	pass(b, 1);
	assert_int_equal(b->n_there, 1);
	assert_ptr_equal(LIST_ENTRY(b->there.next, struct blk_req, link), &b->r[0]);
	pass(b, 1999);
	assert_int_equal(b->n_there, 1);
	pass(b, 1);
	assert_int_equal(b->n_there, 2);
	bed_free(b);
}

static void
a_shorter_delay_of_another_kind_overtakes(void **state)
{
	struct bed *b = bed_new("delay=write:5ms,delay=read:1ms");

	(void)state;
	send(b, 0, BLK_WRITE, 1);
	send(b, 1, BLK_READ, 2);
	send(b, 2, BLK_FLUSH, 0);
	assert_int_equal(b->n_there, 1);
	pass(b, 1000);
	assert_int_equal(b->n_there, 2);
	pass(b, 3999);
	assert_int_equal(b->n_there, 2);
	pass(b, 1);
	assert_int_equal(b->n_there, 3);
	bed_free(b);
}

static void
delays_add_up(void **state)
{
	struct bed *b = bed_new("delay=1ms,delay=2ms");

	(void)state;
	send(b, 0, BLK_READ, 1);
	pass(b, 1000);
	pass(b, 1999);
	assert_int_equal(b->n_there, 0);
	pass(b, 1);
	assert_int_equal(b->n_there, 1);
	bed_free(b);
}

static void
an_error_never_gets_to_the_device_and_is_told_later(void **state)
{
	struct bed *b = bed_new("error=write:ENOSPC");

	(void)state;
	send(b, 0, BLK_WRITE, 1);
	send(b, 1, BLK_READ, 1);
	assert_int_equal(b->n_there, 1);
	assert_int_equal(b->done, 0);
	pass(b, 0);
	assert_int_equal(b->done, 1);
	assert_int_equal(b->r[0].result, -ENOSPC);
	bed_free(b);
}

static void
every_third_one_fails(void **state)
{
	struct bed *b = bed_new("error=write:1/3");

	(void)state;
	for (unsigned i = 0; i < 7; i++)
		send(b, i, BLK_WRITE, i);
	pass(b, 0);
	assert_int_equal(b->done, 2);
	assert_int_equal(b->order[0], 2);
	assert_int_equal(b->order[1], 5);
	assert_int_equal(b->n_there, 5);
	bed_free(b);
}

static void
only_requests_of_its_kinds_and_blocks_count(void **state)
{
	struct bed *b = bed_new("error=write:10-19:1/2");

	(void)state;
	send(b, 0, BLK_READ, 10);
	send(b, 1, BLK_WRITE, 9);
	send(b, 2, BLK_WRITE, 20);
	send(b, 3, BLK_WRITE, 10);
	pass(b, 0);
	assert_int_equal(b->done, 0);
	send(b, 4, BLK_WRITE, 19);
	pass(b, 0);
	assert_int_equal(b->done, 1);
	assert_int_equal(b->order[0], 4);
	bed_free(b);
}

static void
a_range_is_of_blocks_and_has_its_ends_in_it(void **state)
{
	struct bed *b = bed_new("error=10-12");

	(void)state;
	for (unsigned i = 0; i < 5; i++)
		send(b, i, BLK_READ, 9 + i);
	b->r[5] = (struct blk_req){
		.op = BLK_READ, .offset = 8 * BLOCK, .len = 3 * BLOCK, .done = done, .user = b
	};
	b->f.dev.submit(&b->f.dev, &b->r[5]);
	send(b, 6, BLK_FLUSH, 10);
	pass(b, 0);
	assert_int_equal(b->done, 4);
	assert_int_equal(b->order[0], 1);
	assert_int_equal(b->order[2], 3);
	assert_int_equal(b->order[3], 5);
	assert_int_equal(b->n_there, 3);
	bed_free(b);
}

static void
what_changes_blocks_is_refused_and_the_device_says_so(void **state)
{
	static const enum blk_op ops[] = { BLK_WRITE, BLK_DISCARD, BLK_WRITE_ZEROES };
	struct bed *b = bed_new("readonly");

	(void)state;
	assert_true(b->f.dev.read_only && !b->f.dev.can_discard);
	assert_true(!b->in.read_only && b->in.can_discard);
	for (unsigned i = 0; i < 3; i++)
		send(b, i, ops[i], 1);
	send(b, 3, BLK_READ, 1);
	send(b, 4, BLK_FLUSH, 0);
	pass(b, 0);
	assert_int_equal(b->done, 3);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(b->r[i].result, -EROFS);
	assert_int_equal(b->n_there, 2);
	use(b, "none");
	assert_false(b->f.dev.read_only);
	bed_free(b);
}

static void
what_the_device_is_goes_through(void **state)
{
	struct bed *b = bed_new("readonly");

	(void)state;
	assert_string_equal(b->f.dev.name, "c0t0d0");
	b->in.size_bytes = 2u << 20;
	b->in.can_discard = false;
	filters_changed(&b->f);
	assert_int_equal(b->f.dev.size_bytes, 2u << 20);
	assert_false(b->f.dev.can_discard);
	assert_true(b->f.dev.read_only);
	send(b, 0, BLK_WRITE, 1);
	assert_int_equal(b->n_there, 0);
	bed_free(b);
}

static void
stats_counts_what_was_answered_and_how_long_it_took(void **state)
{
	struct bed *b = bed_new("stats");
	struct filters_report *r;

	(void)state;
	send(b, 0, BLK_READ, 1);
	send(b, 1, BLK_WRITE, 1);
	pass(b, 7);
	device_answers(b, 0);
	device_answers(b, -EIO);
	assert_ptr_equal(b->r[0].done, done);
	assert_ptr_equal(b->r[0].user, b);
	r = filters_report(&b->f);
	assert_int_equal(r->n, 1);
	assert_int_equal(r->view[0].requests, 2);
	assert_int_equal(r->view[0].kind[BLK_READ].bytes, BLOCK);
	assert_int_equal(r->view[0].kind[BLK_READ].errors, 0);
	assert_int_equal(r->view[0].kind[BLK_READ].latency_us.max, 7);
	assert_int_equal(hist_count(&r->view[0].kind[BLK_READ].latency_us), 1);
	assert_int_equal(r->view[0].kind[BLK_WRITE].bytes, 0);
	assert_int_equal(r->view[0].kind[BLK_WRITE].errors, 1);
	free(r);
	filters_clear(&b->f);
	r = filters_report(&b->f);
	assert_int_equal(r->view[0].requests, 0);
	assert_int_equal(hist_count(&r->view[0].kind[BLK_READ].latency_us), 0);
	free(r);
	bed_free(b);
}

static void
the_order_decides_what_stats_sees(void **state)
{
	struct bed *b = bed_new("stats,delay=5ms,error=1/2,stats");
	struct filters_report *r;

	(void)state;
	send(b, 0, BLK_READ, 1);
	send(b, 1, BLK_READ, 2);
	pass(b, 5000);
	pass(b, 0);
	assert_int_equal(b->n_there, 1);
	pass(b, 3);
	device_answers(b, 0);
	r = filters_report(&b->f);
	assert_int_equal(r->view[0].requests, 2);
	assert_int_equal(r->view[0].kind[BLK_READ].errors, 1);
	assert_int_equal(r->view[0].kind[BLK_READ].latency_us.max, 5003);
	assert_int_equal(r->view[1].requests, 2);
	assert_int_equal(r->view[2].requests, 1);
	assert_int_equal(r->view[3].requests, 1);
	assert_int_equal(r->view[3].kind[BLK_READ].errors, 0);
	assert_int_equal(r->view[3].kind[BLK_READ].latency_us.max, 3);
	free(r);
	bed_free(b);
}

static void
more_than_can_be_timed_wait_and_are_counted(void **state)
{
	struct bed *b = bed_new("stats");
	struct filters_report *r;

	(void)state;
	for (unsigned i = 0; i < REQUESTS; i++)
		send(b, i, BLK_READ, i);
	assert_int_equal(b->n_there, LIMIT_FILTER_TIMED);
	device_answers(b, 0);
	assert_int_equal(b->n_there, LIMIT_FILTER_TIMED);
	while (b->n_there > 0)
		device_answers(b, 0);
	assert_int_equal(b->done, REQUESTS);
	r = filters_report(&b->f);
	assert_int_equal(r->view[0].requests, REQUESTS);
	free(r);
	bed_free(b);
}

static void
other_filters_let_go_at_once_what_the_old_ones_delayed(void **state)
{
	struct bed *b = bed_new("delay=5s");

	(void)state;
	send(b, 0, BLK_READ, 1);
	send(b, 1, BLK_WRITE, 2);
	pass(b, 1);
	use(b, "delay=1ms");
	assert_int_equal(b->n_there, 2);
	send(b, 2, BLK_READ, 3);
	assert_int_equal(b->n_there, 2);
	pass(b, 1000);
	assert_int_equal(b->n_there, 3);
	bed_free(b);
}

static void
the_same_filters_again_change_nothing(void **state)
{
	struct bed *b = bed_new("stats,delay=5s");
	struct filters_report *r;

	(void)state;
	send(b, 0, BLK_READ, 1);
	use(b, "stats,delay=5000ms,lun=7,readonly");
	assert_int_equal(b->n_there, 0);
	r = filters_report(&b->f);
	assert_int_equal(r->view[1].requests, 1);
	free(r);
	use(b, "stats,delay=read:5s");
	assert_int_equal(b->n_there, 1);
	bed_free(b);
}

static void
what_goes_on_is_still_refused_by_what_stood_behind_its_delay(void **state)
{
	struct bed *b = bed_new("delay=5s,readonly");

	(void)state;
	send(b, 0, BLK_WRITE, 1);
	use(b, "none");
	assert_int_equal(b->n_there, 0);
	assert_int_equal(b->done, 1);
	assert_int_equal(b->r[0].result, -EROFS);
	bed_free(b);
}

static void
a_request_that_is_timed_outlives_its_filter(void **state)
{
	struct bed *b = bed_new("stats,stats");

	(void)state;
	send(b, 0, BLK_READ, 1);
	send(b, 1, BLK_READ, 2);
	use(b, "stats");
	device_answers(b, 0);
	assert_int_equal(b->done, 1);
	filters_close(&b->f);
	assert_false(filters_are_idle(&b->f));
	device_answers(b, -ENXIO);
	assert_int_equal(b->done, 2);
	assert_int_equal(b->r[1].result, -ENXIO);
	assert_true(filters_are_idle(&b->f));
	bed_free(b);
}

static void
closing_ends_what_waits(void **state)
{
	struct bed *b = bed_new("delay=read:5s,error=write,stats");

	(void)state;
	send(b, 0, BLK_READ, 1);
	send(b, 1, BLK_WRITE, 1);
	filters_close(&b->f);
	assert_int_equal(b->n_there, 1);
	assert_int_equal(b->done, 1);
	assert_int_equal(b->r[1].result, -EIO);
	use(b, "delay=5s");
	send(b, 2, BLK_READ, 1);
	assert_int_equal(b->n_there, 2);
	bed_free(b);
}

/* Every answer brings a request, as exporters do it. */
static void
done_sends(struct blk_req *r)
{
	struct bed *b = r->user;

	b->done++;
	if (b->done < 20)
		b->f.dev.submit(&b->f.dev, r);
}

static void
an_answer_may_bring_a_request(void **state)
{
	struct bed *b = bed_new("stats,error=1/2,stats");

	(void)state;
	b->r[0] = (struct blk_req){ .op = BLK_READ, .len = BLOCK, .done = done_sends, .user = b };
	b->f.dev.submit(&b->f.dev, &b->r[0]);
	while (b->done < 20) {
		if (b->n_there > 0)
			device_answers(b, 0);
		pass(b, 0);
	}
	assert_int_equal(b->done, 20);
	bed_free(b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_one_a_request_is_the_devices_at_once),
		cmocka_unit_test(a_delay_is_that_long_and_no_longer),
		cmocka_unit_test(a_shorter_delay_of_another_kind_overtakes),
		cmocka_unit_test(delays_add_up),
		cmocka_unit_test(an_error_never_gets_to_the_device_and_is_told_later),
		cmocka_unit_test(every_third_one_fails),
		cmocka_unit_test(only_requests_of_its_kinds_and_blocks_count),
		cmocka_unit_test(a_range_is_of_blocks_and_has_its_ends_in_it),
		cmocka_unit_test(what_changes_blocks_is_refused_and_the_device_says_so),
		cmocka_unit_test(what_the_device_is_goes_through),
		cmocka_unit_test(stats_counts_what_was_answered_and_how_long_it_took),
		cmocka_unit_test(the_order_decides_what_stats_sees),
		cmocka_unit_test(more_than_can_be_timed_wait_and_are_counted),
		cmocka_unit_test(other_filters_let_go_at_once_what_the_old_ones_delayed),
		cmocka_unit_test(the_same_filters_again_change_nothing),
		cmocka_unit_test(what_goes_on_is_still_refused_by_what_stood_behind_its_delay),
		cmocka_unit_test(a_request_that_is_timed_outlives_its_filter),
		cmocka_unit_test(closing_ends_what_waits),
		cmocka_unit_test(an_answer_may_bring_a_request),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
