#include "ini/fake_lu.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* ---- units ---- */

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
	list_init(&u->link);
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
lu_path_up(struct lu *u)
{
	assert(u->path->is_up && !u->path->is_given_up);
	u->ups++;
	u->dead_seen = u->path->dead_nexus;
	go_on(u);
}

void
lu_path_down(struct lu *u, bool is_silent)
{
	assert(!u->path->is_up && !u->is_busy);
	u->downs++;
	u->silences += is_silent;
	fake_lu_asked(u);
}

void
lu_path_given_up(struct lu *u)
{
	assert(u->path->is_given_up && !u->path->is_up);
	u->given_ups++;
	go_on(u);
}

void
lu_path_fenced(struct lu *u)
{
	assert(u->path->dead_nexus > u->dead_seen);
	u->dead_seen = u->path->dead_nexus;
	u->fenceds++;
}

void
lu_doubt(struct lu *u)
{
	u->doubts++;
}

bool
lu_overheard(struct lu *u, const uint8_t lun[LUNS_WIRE_BYTES], const struct sense *s)
{
	(void)s;
	u->overheard += lun[1] == u->info.number;
	return lun[1] == u->info.number;
}

void
lu_take_over(struct lu *u, bool is_loss_due)
{
	assert(u->overheard == 0);
	u->take_overs++;
	u->losses += is_loss_due;
}

void
lu_learned(struct lu *u, const struct lu_info *info)
{
	assert(info == NULL || info->number == u->info.number);
	if (info == NULL)
		u->doubts++;
	else
		u->learned++;
	u->is_learning = u->asks;
}

bool
lu_is_learning(const struct lu *u)
{
	return u->is_learning;
}

bool
lu_is_idle(const struct lu *u)
{
	return u->waiting == 0 && !u->is_busy;
}

const struct lu_info *
lu_info(const struct lu *u)
{
	return &u->info;
}

struct list *
lu_link(struct lu *u)
{
	return &u->link;
}

struct lu *
lu_of_link(struct list *link)
{
	return LIST_ENTRY(link, struct lu, link);
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
