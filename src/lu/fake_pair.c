#include "lu/fake_pair.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/cut.h"
#include "lu/lu_impl.h"

static void
on_moved(void *user, struct lu *u, enum lu_state from, const struct fault *why)
{
	struct pair *w = user;

	(void)from;
	if (u != w->u)
		return;
	w->moved++;
	w->last = lu_state(u);
	if (w->last == LU_OTHER || w->last == LU_ABSENT)
		assert_true(why != NULL && why->is_set);
}

static const struct lu_ops ops = { .moved = on_moved };

void
pair_start_as(struct pair *w, uint64_t naa, const char *serial)
{
	struct lu_info info = fake_info(1, naa), other = fake_info(2, ELSE + 1);

	*w = (struct pair){ .units = { { .type = 0x0c },
				{ .naa = naa, .serial = serial, .blocks = FAKE_BLOCKS },
				{ .naa = ELSE + 1, .blocks = FAKE_BLOCKS } } };
	for (size_t i = 1; i < 3; i++) {
		w->units[i].has_mode = true;
		w->units[i].mode = info.mode;
	}
	if (serial != NULL)
		cut_copy(info.id.serial, sizeof info.id.serial, serial);
	w->t = (struct fake_target){ .units = w->units, .n = 3 };
	fake_path_init(&w->f, 9);
	w->u = lu_new(&w->f.path, &info, "c0t0d1", &ops, w);
	w->v = lu_new(&w->f.path, &other, "c0t0d2", &ops, w);
	fake_path_add(&w->f, w->u);
	fake_path_add(&w->f, w->v);
	assert_int_equal(lu_state(w->u), LU_SAME);
}

void
pair_start(struct pair *w)
{
	pair_start_as(w, NAA, NULL);
}

void
pair_end(struct pair *w)
{
	assert_int_equal(w->u->strays, 0);
	assert_int_equal(w->v->strays, 0);
	lu_close(w->u, -ENXIO);
	lu_close(w->v, -ENXIO);
	while (w->f.n > 0)
		fake_path_good(&w->f, 0);
	fake_path_turn(&w->f);
	assert_true(lu_is_idle(w->u) && lu_is_idle(w->v));
	lu_free(w->u);
	lu_free(w->v);
	fake_path_fini(&w->f);
}

void
pair_write_block(struct pair *w)
{
	fake_submit(w->u, &w->q, BLK_WRITE, 0, 512, false);
}

unsigned
pair_writes_out(const struct pair *w)
{
	unsigned n = 0;

	for (size_t i = 0; i < w->f.n; i++)
		n += w->f.out[i]->cdb[0] == CDB_WRITE_10;
	return n;
}

void
pair_write_out(struct pair *w)
{
	for (size_t i = 0; i < w->f.n;)
		if (fake_is_question(w->f.out[i]))
			i++;
		else
			fake_path_good(&w->f, i);
	fake_path_turn(&w->f);
}

void
pair_relogin(struct pair *w)
{
	fake_path_down(&w->f, true);
	fake_path_up(&w->f, true);
}

void
pair_pass(struct pair *w, uint64_t us)
{
	for (uint64_t t = 0; t < us; t += 10000) {
		fake_path_pass(&w->f, 10000);
		fake_target_run(&w->t, &w->f);
	}
}

void
pair_expect_flows(struct pair *w)
{
	assert_int_equal(lu_state(w->u), LU_SAME);
	assert_false(lu_why(w->u)->is_set);
	pair_write_out(w);
	assert_int_equal(w->q.done, 1);
	assert_int_equal(w->q.r.result, 0);
}
