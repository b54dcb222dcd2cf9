#include "lu/fake_world.h"

#include <assert.h>
#include <errno.h>

#include "base/be.h"
#include "lu/lu_impl.h"

static void
on_changed(void *user, struct lu *u)
{
	(void)u;
	((struct world *)user)->changed++;
}

static const struct lu_ops ops = { .changed = on_changed };

void
start(struct world *w, size_t n)
{
	char name[16] = "c0t0d0";

	*w = (struct world){ 0 };
	fake_path_init(&w->f, SLOTS + 1);
	for (size_t i = 0; i < n; i++) {
		struct lu_info info = fake_info((uint32_t)i, 0x5000000000000001 + i);

		w->units[i] = (struct fake_unit){ .naa = 0x5000000000000001 + i,
			.blocks = FAKE_BLOCKS,
			.has_mode = true,
			.mode = info.mode };
		name[5] = (char)('0' + i);
		w->u[i] = lu_new(&w->f.path, &info, name, &ops, w);
		fake_path_add(&w->f, w->u[i]);
	}
	w->t = (struct fake_target){ .units = w->units, .n = n };
}

void
end(struct world *w)
{
	for (size_t i = 0; i < w->t.n; i++) {
		assert(w->u[i]->strays == 0);
		lu_close(w->u[i], -ENXIO);
	}
	w->f.is_unsendable = false;
	while (w->f.n > 0)
		fake_path_good(&w->f, 0);
	fake_path_turn(&w->f);
	for (size_t i = 0; i < w->t.n; i++) {
		assert(lu_is_idle(w->u[i]));
		lu_free(w->u[i]);
	}
	fake_path_fini(&w->f);
}

void
submit(struct world *w, size_t unit, size_t i, enum blk_op op)
{
	fake_submit(w->u[unit], &w->q[i], op, 512 * i, op == BLK_FLUSH ? 0 : 512, false);
}

uint32_t
lba(struct world *w, size_t i)
{
	return be_get32(fake_path_req(&w->f, i)->cdb + 2);
}

void
expect_end(struct world *w, size_t i, int result)
{
	fake_path_turn(&w->f);
	assert(w->q[i].done == 1);
	assert(w->q[i].r.result == result);
}

void
relogin(struct world *w, bool is_silent)
{
	fake_path_down(&w->f, is_silent);
	fake_path_up(&w->f, true);
	fake_target_run(&w->t, &w->f);
}
