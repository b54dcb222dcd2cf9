/* Whatever is sent, answered, waited for and changed in whatever order: from seeds. */
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
#define REQUESTS 600
#define SEEDS    300
#define STEPS    3000

struct world {
	uint64_t random;
	struct agenda agenda;
	struct blk_dev in;
	struct filters f;
	struct blk_req r[REQUESTS];
	bool is_sent[REQUESTS], is_there[REQUESTS];
	unsigned n_sent, answers;
	bool is_inside; /* submit() has not returned */
	bool is_ending; /* an answer brings nothing */
};

static const char *const specs[] = { "none", "stats", "delay=5ms", "delay=write:1/3:2ms,stats",
	"stats,delay=read:1ms,error=1/7:ENOSPC,stats", "readonly,delay=flush:9ms",
	"delay=1s,readonly", "error=10-19,stats,stats,delay=100us",
	"error=discard:zeroes:EOPNOTSUPP" };
#define SPECS (sizeof specs / sizeof *specs)

static uint64_t
draw(struct world *w, uint64_t below)
{
	w->random ^= w->random << 13;
	w->random ^= w->random >> 7;
	w->random ^= w->random << 17;
	return w->random % below;
}

static void done(struct blk_req *r);

static void
send(struct world *w)
{
	unsigned i = (unsigned)draw(w, REQUESTS);
	bool was_inside = w->is_inside;

	if (w->is_sent[i])
		return;
	w->r[i] = (struct blk_req){ .op = (enum blk_op)draw(w, FILTERSPEC_KINDS),
		.offset = draw(w, 30) * BLOCK,
		.done = done,
		.user = w };
	w->r[i].len = w->r[i].op == BLK_FLUSH ? 0 : BLOCK * (1 + draw(w, 3));
	w->is_sent[i] = true;
	w->n_sent++;
	w->is_inside = true;
	w->f.dev.submit(&w->f.dev, &w->r[i]);
	w->is_inside = was_inside;
}

static void
done(struct blk_req *r)
{
	struct world *w = r->user;
	size_t i = (size_t)(r - w->r);

	assert_false(w->is_inside);
	assert_true(w->is_sent[i] && !w->is_there[i]);
	w->is_sent[i] = false;
	w->n_sent--;
	w->answers++;
	if (!w->is_ending && draw(w, 2) == 0)
		send(w);
}

static void
device_submit(struct blk_dev *d, struct blk_req *r)
{
	struct world *w = LIST_ENTRY(d, struct world, in);
	size_t i = (size_t)(r - w->r);

	assert_true(w->is_sent[i] && !w->is_there[i]);
	w->is_there[i] = true;
}

static void
device_answers(struct world *w, unsigned i)
{
	if (!w->is_there[i])
		return;
	w->is_there[i] = false;
	w->r[i].result = draw(w, 4) == 0 ? -EIO : 0;
	w->r[i].done(&w->r[i]);
}

static void
pass(struct world *w, uint64_t us)
{
	w->agenda.now_us += us;
	agenda_run(&w->agenda);
}

static void
change(struct world *w)
{
	struct filterspec s;
	char why[FILTERSPEC_WHY_BYTES];

	assert_true(filterspec_parse(specs[draw(w, SPECS)], 0, &s, why));
	assert_true(filters_set(&w->f, &s));
}

static void
step(struct world *w)
{
	switch (draw(w, 40)) {
	case 0:
		change(w);
		break;
	case 1:
		free(filters_report(&w->f));
		break;
	case 2:
		filters_clear(&w->f);
		break;
	case 3:
	case 4:
	case 5:
		pass(w, draw(w, 3000));
		break;
	default:
		if (draw(w, 2) == 0)
			send(w);
		else
			device_answers(w, (unsigned)draw(w, REQUESTS));
	}
}

/* With a device that answers everything nothing is left. */
static void
end(struct world *w)
{
	w->is_ending = true;
	filters_close(&w->f);
	pass(w, 0);
	for (unsigned i = 0; i < REQUESTS; i++) {
		assert_int_equal(w->is_sent[i], w->is_there[i]);
		device_answers(w, i);
	}
	assert_int_equal(w->n_sent, 0);
	assert_true(filters_are_idle(&w->f));
	assert_int_equal(agenda_next_us(&w->agenda), UINT64_MAX);
	filters_fini(&w->f);
}

static void
each_request_is_answered_once_and_never_from_inside_submit(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		struct world *w = calloc(1, sizeof *w);

		w->random = seed * 0x9e3779b97f4a7c15u;
		agenda_init(&w->agenda, 1);
		w->in = (struct blk_dev){ .name = "d",
			.size_bytes = 1u << 20,
			.block_bytes = BLOCK,
			.max_io_bytes = 65536,
			.submit = device_submit };
		filters_init(&w->f, &w->in, &w->agenda);
		for (unsigned i = 0; i < STEPS; i++)
			step(w);
		assert_true(w->answers > 100);
		end(w);
		free(w);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_request_is_answered_once_and_never_from_inside_submit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
