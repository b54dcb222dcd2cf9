#include "lu/fake_path.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "scsi/sense.h"

static struct fake_path *
of(struct path *p)
{
	return LIST_ENTRY(p, struct fake_path, path);
}

static void
submit(struct path *p, struct req *r)
{
	struct fake_path *f = of(p);

	assert(f->n < FAKE_PATH_MAX);
	r->result = REQ_DONE;
	r->status = r->response = 0;
	r->sense_len = 0;
	r->data_got = r->residual = 0;
	r->overflow = r->underflow = false;
	r->submit_us = f->path.agenda->now_us;
	r->sent_us = f->is_unsendable ? 0 : f->path.agenda->now_us;
	f->submitted++;
	f->out[f->n++] = r;
}

static bool
withdraw(struct path *p, struct req *r)
{
	(void)r;
	of(p)->withdrawn += of(p)->is_unsendable;
	return of(p)->is_unsendable;
}

static void
notice(struct path *p, struct lunpath *from, enum path_notice what)
{
	struct fake_path *f = of(p);

	if (what == PATH_LUNS_CHANGED) {
		f->luns_changed++;
		return;
	}
	f->units_changed++;
	p->doubts++;
	for (size_t i = 0; i < f->n_units; i++)
		if (f->units[i] != from)
			lunpath_doubt(f->units[i]);
}

static void
overheard(struct path *p, const uint8_t lun[LUNS_WIRE_BYTES], const struct sense *s)
{
	struct fake_path *f = of(p);

	for (size_t i = 0; i < f->n_units; i++)
		(void)lunpath_overheard(f->units[i], lun, s);
}

static void
worked(struct path *p)
{
	of(p)->worked++;
}

static void
learned(struct path *p)
{
	of(p)->learned++;
}

static void
say(struct path *p, enum say_level level, const char *sentence)
{
	struct fake_path *f = of(p);

	(void)level;
	f->said++;
	(void)snprintf(f->last, sizeof f->last, "%s", sentence);
}

static const struct path_ops ops = { .submit = submit,
	.withdraw = withdraw,
	.notice = notice,
	.overheard = overheard,
	.learned = learned,
	.worked = worked,
	.say = say };

void
fake_path_init(struct fake_path *f, unsigned slots)
{
	memset(f, 0, sizeof *f);
	agenda_init(&f->agenda, 1000000);
	f->path = (struct path){
		.ops = &ops,
		.agenda = &f->agenda,
		.pool = pool_new(slots),
		.replacement_us = 120000000,
		.command_ms = 30000,
		.volatile_loss_fails = true,
		.is_up = true,
		.nexus = 1,
	};
	assert(f->path.pool != NULL);
}

void
fake_path_fini(struct fake_path *f)
{
	assert(f->n == 0 && f->path.in_flight == 0 && f->path.on_trial == NULL);
	assert(agenda_next_us(&f->agenda) == UINT64_MAX);
	pool_free(f->path.pool);
}

void
fake_path_add_way(struct fake_path *f, struct lunpath *lp)
{
	assert(f->n_units < FAKE_PATH_UNITS);
	f->units[f->n_units++] = lp;
}

void
fake_path_add(struct fake_path *f, struct lu *u)
{
	fake_path_add_way(f, lu_first_path(u));
}

void
fake_path_turn(struct fake_path *f)
{
	agenda_run(f->path.agenda);
}

void
fake_path_pass(struct fake_path *f, uint64_t us)
{
	uint64_t end = f->path.agenda->now_us + us;

	while (agenda_next_us(f->path.agenda) <= end) {
		if (agenda_next_us(f->path.agenda) > f->path.agenda->now_us)
			f->path.agenda->now_us = agenda_next_us(f->path.agenda);
		agenda_run(f->path.agenda);
	}
	f->path.agenda->now_us = end;
}

struct req *
fake_path_req(struct fake_path *f, size_t i)
{
	assert(i < f->n);
	return f->out[i];
}

void
fake_path_answer(struct fake_path *f, size_t i)
{
	struct req *r = fake_path_req(f, i);

	memmove(f->out + i, f->out + i + 1, (f->n - i - 1) * sizeof f->out[0]);
	f->n--;
	r->done_us = f->path.agenda->now_us;
	r->done(r);
}

void
fake_path_good(struct fake_path *f, size_t i)
{
	struct req *r = fake_path_req(f, i);

	r->data_got = r->dir == REQ_NONE ? 0 : r->data_len;
	fake_path_answer(f, i);
}

static void
sense(struct fake_path *f, size_t i, uint8_t code, uint8_t key, uint8_t asc, uint8_t ascq)
{
	struct req *r = fake_path_req(f, i);

	r->status = SENSE_STATUS_CHECK_CONDITION;
	memset(r->sense, 0, 18);
	r->sense[0] = code;
	r->sense[2] = key;
	r->sense[7] = 10;
	r->sense[12] = asc;
	r->sense[13] = ascq;
	r->sense_len = 18;
	fake_path_answer(f, i);
}

void
fake_path_check(struct fake_path *f, size_t i, uint8_t key, uint8_t asc, uint8_t ascq)
{
	sense(f, i, 0x70, key, asc, ascq);
}

void
fake_path_deferred(struct fake_path *f, size_t i, uint8_t key, uint8_t asc, uint8_t ascq)
{
	sense(f, i, 0x71, key, asc, ascq);
}

void
fake_path_status(struct fake_path *f, size_t i, uint8_t status)
{
	fake_path_req(f, i)->status = status;
	fake_path_answer(f, i);
}

void
fake_path_result(struct fake_path *f, size_t i, enum req_result result)
{
	fake_path_req(f, i)->result = result;
	fake_path_answer(f, i);
}

void
fake_path_down(struct fake_path *f, bool is_silent)
{
	f->path.is_up = false;
	while (f->n > 0)
		fake_path_result(f, 0, f->is_unsendable ? REQ_UNSENT : REQ_LOST);
	for (size_t i = 0; i < f->n_units; i++)
		lunpath_down(f->units[i], is_silent);
}

void
fake_path_up(struct fake_path *f, bool is_dead)
{
	f->path.is_up = true;
	f->path.is_given_up = false;
	f->path.nexus++;
	if (is_dead)
		f->path.dead_nexus = f->path.nexus - 1;
	for (size_t i = 0; i < f->n_units; i++)
		lunpath_up(f->units[i]);
}

void
fake_path_give_up(struct fake_path *f)
{
	f->path.is_given_up = true;
	for (size_t i = 0; i < f->n_units; i++)
		lunpath_given_up(f->units[i]);
}

/* ---- a user, a unit ---- */

static void
done(struct blk_req *r)
{
	LIST_ENTRY(r, struct fake_req, r)->done++;
}

void
fake_submit(
    struct lu *u, struct fake_req *q, enum blk_op op, uint64_t offset, uint64_t len, bool fua)
{
	static uint8_t buffer[1 << 20];

	*q = (struct fake_req){ .r = { .op = op,
				    .offset = offset,
				    .len = len,
				    .buf = buffer,
				    .fua = fua,
				    .done = done,
				    .result = 1 } };
	lu_blk(u)->submit(lu_blk(u), &q->r);
	assert(q->done == 0); /* never from inside submit */
}

struct lu_info
fake_info(uint32_t number, uint64_t naa)
{
	struct lu_info i = { .number = number,
		.nexus = 1,
		.answer = LU_SOMEBODY,
		.is_disk = true,
		.is_sized = true,
		.has_mode = true };
	char name[32];

	i.wire[1] = (uint8_t)number;
	i.capacity.blocks = FAKE_BLOCKS;
	i.capacity.block_bytes = 512;
	i.capacity.bytes = FAKE_BLOCKS * 512;
	i.id.block_bytes = 512;
	i.id.size_bytes = i.capacity.bytes;
	i.mode.has_caching = i.mode.is_write_cache_enabled = i.mode.has_fua = true;
	memcpy(i.id.vendor, "FAKE", 4);
	memcpy(i.id.product, "UNIT", 4);
	if (naa != 0) {
		(void)snprintf(name, sizeof name, "naa.%016llx", (unsigned long long)naa);
		(void)identity_add(&i.id, name);
	}
	return i;
}
