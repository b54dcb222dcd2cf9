#include "lu/fake_ways.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "base/be.h"
#include "lu/lu_impl.h"

static const struct lu_ops no_ops;

void
ways_run(struct ways *w)
{
	for (size_t i = 0; i < w->n; i++)
		fake_target_run(&w->t[i], &w->f[i]);
}

void
ways_pass(struct ways *w, uint64_t us)
{
	for (uint64_t end = agenda_now(&w->f[0].agenda) + us; agenda_now(&w->f[0].agenda) < end;) {
		uint64_t step = end - agenda_now(&w->f[0].agenda);

		fake_path_pass(&w->f[0], step < 50000 ? step : 50000);
		ways_run(w);
	}
}

void
ways_start(struct ways *w, size_t n, uint8_t tpgs)
{
	struct lu_info info = fake_info(0, WAYS_NAA);

	memset(w, 0, sizeof *w);
	w->n = n;
	for (size_t i = 0; i < n; i++) {
		fake_path_init(&w->f[i], 25);
		w->f[i].path.agenda = &w->f[0].agenda;
		w->units[i] = (struct fake_unit){ .naa = WAYS_NAA,
			.blocks = FAKE_BLOCKS,
			.tpgs = tpgs,
			.has_mode = true,
			.mode = info.mode };
		w->t[i] = (struct fake_target){ .units = &w->units[i], .n = 1 };
	}
	if (tpgs != 0)
		info.nexus = 0; /* it is asked */
	w->u = lu_new(&w->f[0].path, &info, "c0t0d0", &no_ops, w);
	w->lp[0] = lu_first_path(w->u);
	fake_path_add(&w->f[0], w->u);
	for (size_t i = 1; i < n; i++) {
		w->lp[i] = lu_join(w->u, &w->f[i].path, &info);
		assert(w->lp[i] != NULL);
		fake_path_add_way(&w->f[i], w->lp[i]);
	}
	ways_run(w);
	for (size_t i = 0; i < n; i++)
		assert(lunpath_state(w->lp[i]) == LU_SAME);
}

void
ways_end(struct ways *w)
{
	assert(w->u->strays == 0);
	lu_close(w->u, -ENXIO);
	for (size_t i = 0; i < w->n; i++)
		while (w->f[i].n > 0)
			fake_path_good(&w->f[i], 0);
	fake_path_turn(&w->f[0]);
	assert(lu_is_idle(w->u));
	lu_free(w->u);
	for (size_t i = 0; i < w->n; i++)
		fake_path_fini(&w->f[i]);
}

void
ways_submit_too(struct ways *w, size_t i, enum blk_op op, uint64_t block)
{
	fake_submit(w->u, &w->q[i], op, 512 * block, 512, false);
}

void
ways_submit(struct ways *w, size_t i, enum blk_op op, uint64_t block)
{
	w->f[0].path.agenda->now_us++;
	ways_submit_too(w, i, op, block);
}

uint32_t
ways_lba(struct ways *w, size_t path, size_t i)
{
	return be_get32(fake_path_req(&w->f[path], i)->cdb + 2);
}

size_t
ways_moving(struct ways *w, size_t path)
{
	size_t n = 0;

	for (size_t i = 0; i < w->f[path].n; i++)
		n += !fake_is_question(fake_path_req(&w->f[path], i));
	return n;
}

void
ways_expect(struct ways *w, size_t i, int result)
{
	fake_path_turn(&w->f[0]);
	assert(w->q[i].done == 1);
	assert(w->q[i].r.result == result);
}

void
ways_set_access(struct ways *w, size_t path, enum alua_state access)
{
	w->units[path].access = access;
	lunpath_doubt(w->lp[path]);
	ways_run(w);
}
