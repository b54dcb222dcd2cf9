#include "ini/fake_lu.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* ---- units ---- */

struct lu *
lunpath_lu(struct lunpath *lp)
{
	return LIST_ENTRY(lp, struct lu, first);
}

static void
go_on(struct lu *u)
{
	if (u->is_busy || u->waiting == 0)
		return;
	if (u->path->is_given_up) {
		u->failed += u->waiting;
		u->waiting = 0;
		return;
	}
	if (!u->path->is_up)
		return;
	u->is_busy = true;
	path_send(u->path, &u->req);
}

static void
io_done(struct req *r)
{
	struct lu *u = LIST_ENTRY(r, struct lu, req);

	assert(u->is_busy);
	u->is_busy = false;
	path_landed(u->path);
	if (r->result == REQ_DONE) {
		u->waiting--;
		u->done++;
		u->path->ops->worked(u->path);
	}
	/* What was lost waits for the next login. */
	if (r->result == REQ_DONE)
		go_on(u);
}

void
fake_lu_init(struct lu *u, struct path *path, uint32_t number)
{
	memset(u, 0, sizeof *u);
	u->path = path;
	u->info.number = number;
	u->req.done = io_done;
	list_init(&u->first.link);
}

void
fake_lu_io(struct lu *u, unsigned n)
{
	u->waiting += n;
	go_on(u);
}

void
fake_lu_asked(struct lu *u)
{
	if (!u->is_learning)
		return;
	u->is_learning = false;
	u->path->ops->learned(u->path);
}

void
lunpath_up(struct lunpath *lp)
{
	struct lu *u = lunpath_lu(lp);

	assert(u->path->is_up && !u->path->is_given_up);
	u->ups++;
	u->dead_seen = u->path->dead_nexus;
	go_on(u);
}

void
lunpath_down(struct lunpath *lp, bool is_silent)
{
	struct lu *u = lunpath_lu(lp);

	assert(!u->path->is_up && !u->is_busy);
	u->downs++;
	u->silences += is_silent;
	fake_lu_asked(u);
}

void
lunpath_given_up(struct lunpath *lp)
{
	struct lu *u = lunpath_lu(lp);

	assert(u->path->is_given_up && !u->path->is_up);
	u->given_ups++;
	go_on(u);
}

void
lunpath_fenced(struct lunpath *lp)
{
	struct lu *u = lunpath_lu(lp);

	assert(u->path->dead_nexus > u->dead_seen);
	u->dead_seen = u->path->dead_nexus;
	u->fenceds++;
}

void
lunpath_doubt(struct lunpath *lp)
{
	struct lu *u = lunpath_lu(lp);

	u->doubts++;
}

bool
lunpath_overheard(struct lunpath *lp, const uint8_t lun[LUNS_WIRE_BYTES], const struct sense *s)
{
	struct lu *u = lunpath_lu(lp);

	(void)s;
	u->overheard += lun[1] == u->info.number;
	return lun[1] == u->info.number;
}

void
lunpath_told(
    struct lunpath *lp, const uint8_t lun[LUNS_WIRE_BYTES], const struct sense *s, uint64_t at_us)
{
	struct lu *u = lunpath_lu(lp);

	(void)s;
	u->told += lun[1] == u->info.number;
	u->told_us = at_us;
}

const uint8_t *
lunpath_wire(const struct lunpath *lp)
{
	return lunpath_lu((struct lunpath *)lp)->info.wire;
}

void
lu_take_over(struct lu *u, bool is_loss_due)
{
	assert(u->told == 0);
	u->take_overs++;
	u->losses += is_loss_due;
}

void
lunpath_learned(struct lunpath *lp, const struct lu_info *info)
{
	struct lu *u = lunpath_lu(lp);

	assert(info == NULL || info->number == u->info.number);
	if (info == NULL)
		u->doubts++;
	else
		u->learned++;
	u->is_learning = u->asks;
}

bool
lunpath_is_learning(const struct lunpath *lp)
{
	return LIST_ENTRY((uintptr_t)lp, struct lu, first)->is_learning;
}

bool
lu_is_idle(const struct lu *u)
{
	return u->waiting == 0 && !u->is_busy;
}

const struct lu_kept *
lu_info(const struct lu *u)
{
	return &u->info;
}

void
lunpath_limits(struct lunpath *lp)
{
	lunpath_lu(lp)->limits++;
}

uint32_t
lunpath_number(const struct lunpath *lp)
{
	return LIST_ENTRY((uintptr_t)lp, struct lu, first)->info.number;
}

struct lunpath *
lu_first_path(struct lu *u)
{
	return &u->first;
}

struct list *
lunpath_link(struct lunpath *lp)
{
	return &lp->link;
}

struct lunpath *
lunpath_of_link(struct list *link)
{
	return LIST_ENTRY(link, struct lunpath, link);
}

/* ---- the pool ---- */

struct pool {
	unsigned window;
};

struct pool *
pool_new(unsigned slots)
{
	struct pool *p = calloc(1, sizeof *p);

	p->window = slots;
	return p;
}

void
pool_free(struct pool *p)
{
	free(p);
}

void
pool_window(struct pool *p, unsigned n)
{
	p->window = n;
}

unsigned
fake_pool_window(const struct pool *p)
{
	return p->window;
}

/* ---- probes ---- */

size_t fake_probe_luns = 2;
uint64_t fake_probe_us = 1000;

struct probe {
	struct path *path;
	struct agenda_timer end;
	struct fault fault;
	probe_done *done;
	void *user;
};

static void
probe_over(struct agenda_timer *t)
{
	struct probe *p = LIST_ENTRY(t, struct probe, end);
	struct probe_result r = { .fault = p->fault };

	r.n = fake_probe_luns;
	r.luns = calloc(r.n + 1, sizeof *r.luns);
	for (size_t i = 0; i < r.n; i++) {
		r.luns[i].number = (uint32_t)(2 * i);
		r.luns[i].answer = LU_SOMEBODY;
	}
	p->done(p->user, &r);
	free(r.luns);
	free(p);
}

struct probe *
probe_start(struct path *path, bool only_primary, probe_done *done, void *user)
{
	struct probe *p = calloc(1, sizeof *p);

	(void)only_primary;
	p->path = path;
	p->done = done;
	p->user = user;
	p->end.expired = probe_over;
	agenda_set(path->agenda, &p->end, agenda_now(path->agenda) + fake_probe_us);
	return p;
}

void
probe_end(struct probe *p, const struct fault *why)
{
	p->fault = *why;
	agenda_set(p->path->agenda, &p->end, agenda_now(p->path->agenda));
}
