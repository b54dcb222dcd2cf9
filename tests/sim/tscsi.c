/* What the units of a target are: SPC-4 and SBC-3, as far as disks need it. */
#include <stdio.h>
#include <string.h>

#include "base/be.h"
#include "book.h"
#include "target.h"

void
tscsi_attention(struct place *p, unsigned code)
{
	/* One that was told and is not known to be read stays the first. */
	for (unsigned i = p->told != NULL ? 1 : 0; i < p->uas; i++)
		if (p->ua[i] == code)
			return;
	if (p->uas < sizeof p->ua / sizeof *p->ua)
		p->ua[p->uas++] = code;
}

static void
give(struct ttask *k, uint32_t n, uint32_t alloc)
{
	k->data_n = n < alloc ? n : alloc;
	if (k->data_n > k->edtl)
		k->data_n = k->edtl;
	ttask_answer(k);
}

/* ---- who it is ---- */

/* The group of a target's port, and its number in it. */
static uint16_t
group_of(const struct target *t)
{
	return (uint16_t)(0x100 + t->i);
}

/* Which port it is, of which group. */
static uint32_t
put_port(const struct target *t, uint8_t *a)
{
	static const uint8_t heads[2][4] = { { 0x51, 0x94, 0, 4 }, { 0x51, 0x95, 0, 4 } };

	for (unsigned i = 0; i < 2; i++) {
		memcpy(a + 8 * i, heads[i], 4);
		be_put32(a + 8 * i + 4, i == 0 ? t->i + 1 : group_of(t));
	}
	return 16;
}

static void
vpd(struct ttask *k, const struct disk *d, uint8_t page, uint32_t alloc)
{
	uint8_t *a = k->buf;
	uint32_t n = 0;

	memset(a, 0, 96);
	a[1] = page;
	switch (page) {
	case 0x00:
		for (const uint8_t *p = (const uint8_t[]){ 0x00, 0x80, 0x83, 0xb0, 0xb2, 0xff };
		     *p != 0xff; p++)
			a[4 + n++] = *p;
		break;
	case 0x80:
		n = (uint32_t)snprintf((char *)a + 4, 32, "SERIAL%04u", d->uid);
		break;
	case 0x83:
		a[4] = 1;
		a[5] = 3;
		a[7] = 8;
		be_put64(a + 8, d->naa);
		n = 12;
		if (k->c->t->w->has_alua)
			n += put_port(k->c->t, a + 4 + n);
		break;
	case 0xb0:
		be_put32(a + 8, d->transfer_max);
		be_put32(a + 20, d->has_unmap ? d->unmap_max : 0);
		be_put32(a + 24, d->has_unmap ? 1 : 0);
		be_put64(a + 36, d->write_same_max);
		n = 60;
		break;
	case 0xb2:
		a[5] = (uint8_t)((d->has_unmap ? 0x80 : 0) | 0x40 | (d->reads_zeros ? 0x04 : 0));
		n = 4;
		break;
	default:
		ttask_check(k, 5, 0x24, 0);
		return;
	}
	a[3] = (uint8_t)n;
	give(k, n + 4, alloc);
}

static void
inquiry(struct ttask *k, const struct disk *d)
{
	uint32_t alloc = be_get16(k->cdb + 3);
	uint8_t *a = k->buf;

	if (d != NULL && (k->cdb[1] & 1) != 0) {
		vpd(k, d, k->cdb[2], alloc);
		return;
	}
	if (d == NULL && ((k->cdb[1] & 1) != 0 || rng_chance(&k->c->t->rng, 500))) {
		ttask_check(k, 5, 0x25, 0);
		return;
	}
	memset(a, 0, 36);
	a[0] = d == NULL ? 0x7f : 0;
	a[2] = 5;
	a[3] = 2;
	a[4] = 31;
	if (k->c->t->w->has_alua)
		a[5] = k->c->t->w->can_set ? 0x30 : 0x10;
	memcpy(a + 8, "OPENISW SIMULATED       1   ", 28);
	give(k, 36, alloc);
}

/* ---- asymmetric access ---- */

bool
tscsi_serves(const struct target *t)
{
	return t->alua.state == 0 || t->alua.state == 1;
}

static void
refuse_port(struct ttask *k)
{
	const struct target *t = k->c->t;

	k->barred_epoch = t->alua.epoch;
	ttask_check(k, 2, 4, t->alua.state == 0x0f ? 0x0a : t->alua.state == 2 ? 0x0b : 0x0c);
}

static void
report_groups(struct ttask *k)
{
	const struct target *t = k->c->t;
	bool is_long = (k->cdb[1] & 0xe0) == 0x20;
	uint32_t n = is_long ? 8 : 4;

	memset(k->buf, 0, 128);
	k->buf[4] = is_long ? 0x10 : 0;
	EACH_MATE(t, m)
	{
		uint8_t *a = k->buf + n;

		a[0] = m->alua.state;
		a[1] = 0x8f;
		be_put16(a + 2, group_of(m));
		a[7] = 1;
		be_put16(a + 10, (uint16_t)(m->i + 1));
		n += 12;
	}
	be_put32(k->buf, n - 4);
	k->barred_epoch = tscsi_serves(k->c->t) ? 0 : k->c->t->alua.epoch;
	give(k, n, be_get32(k->cdb + 6));
}

static void
set_groups(struct ttask *k)
{
	struct target *t = k->c->t;

	EACH_MATE(t, m)
	if (k->edtl >= 8 && be_get16(k->buf + 6) == group_of(m)) {
		TRACE(t->w, "target %u: it is to be active", m->i);
		target_set_port(m, k->buf[4] & 0x0f, 0);
	}
	ttask_answer(k);
}

static void
report_luns(struct ttask *k)
{
	const struct target *t = k->c->t;
	uint32_t n = 0;

	memset(k->buf, 0, 8 + 8 * SIM_PLACES);
	for (unsigned i = 0; i < SIM_PLACES; i++)
		if (t->places[i].disk != NULL)
			k->buf[8 + 8 * n++ + 1] = (uint8_t)i;
	be_put32(k->buf, 8 * n);
	give(k, 8 + 8 * n, be_get32(k->cdb + 6));
}

static void
capacity(struct ttask *k, const struct disk *d)
{
	memset(k->buf, 0, 32);
	if (k->cdb[0] == 0x25) {
		be_put32(k->buf, d->blocks - 1);
		be_put32(k->buf + 4, SIM_BLOCK);
		give(k, 8, 8);
		return;
	}
	be_put64(k->buf, d->blocks - 1);
	be_put32(k->buf + 8, SIM_BLOCK);
	k->buf[14] = (uint8_t)(0x80 | (d->reads_zeros ? 0x40 : 0));
	give(k, 32, be_get32(k->cdb + 10));
}

static void
mode_sense(struct ttask *k, const struct disk *d)
{
	uint8_t *a = k->buf;

	if ((k->cdb[2] & 0x3f) != 0x08) {
		ttask_check(k, 5, 0x24, 0);
		return;
	}
	memset(a, 0, 28);
	a[1] = 26;
	a[3] = d->has_fua ? 0x10 : 0;
	a[8] = 0x08;
	a[9] = 18;
	a[10] = d->has_cache ? 0x04 : 0;
	give(k, 28, be_get16(k->cdb + 7));
}

/* ---- data ---- */

#define KNOWN_US (20 * SECOND)

/*
 * A command is beyond a limit of the unit.  While the initiator cannot know that another unit
 * stands there, or did, it may go by old limits: then the command is refused.
 */
static void
refuse(struct ttask *k, const char *what)
{
	struct target *t = k->c->t;
	const struct disk *d = t->places[k->place].disk;
	struct unit *u = target_unit(t, k->place);

	if (sim_now(t->w) - t->places[k->place].changed_us > KNOWN_US && u->lu != NULL &&
	    sim_now(t->w) - u->moved_us > KNOWN_US &&
	    lu_info(u->lu)->limits.transfer_max == d->transfer_max &&
	    lu_info(u->lu)->limits.write_same_max == d->write_same_max)
		sim_fail(t->w, "protocol", "%s beyond the limits of disk %u", what, d->uid);
	u->excused_us = sim_now(t->w);
	ttask_check(k, 5, 0x24, 0);
}

static bool
blocks_of(const struct ttask *k, uint32_t *ret_lba, uint32_t *ret_n)
{
	bool is_16 = k->cdb[0] >= 0x80;
	uint64_t lba = is_16 ? be_get64(k->cdb + 2) : be_get32(k->cdb + 2);

	*ret_n = is_16 ? be_get32(k->cdb + 10) : be_get16(k->cdb + 7);
	*ret_lba = (uint32_t)lba;
	return lba < SIM_BLOCKS && *ret_n <= SIM_BLOCKS - lba;
}

static void
read_blocks(struct ttask *k, const struct disk *d, uint32_t lba, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		uint32_t wr = d->cache[lba + i];
		uint8_t *to = k->buf + SIM_BLOCK * i;

		if (wr == 0 || (sim_wr[wr].is_zero && (!sim_wr[wr].is_discard || d->reads_zeros)))
			memset(to, 0, SIM_BLOCK);
		else
			book_fill(to, wr, d->uid, lba + i);
	}
	give(k, n * SIM_BLOCK, UINT32_MAX);
}

/* Sooner or later blocks go to the medium by themselves. */
static void
destage(struct ttask *k, struct disk *d)
{
	unsigned b = rng_below(&k->c->t->rng, SIM_BLOCKS);

	if (rng_chance(&k->c->t->rng, 200))
		book_sync(k->c->t->w, d, b, 1);
}

static void
write_blocks(struct ttask *k, struct disk *d, uint32_t lba, uint32_t n)
{
	struct sim *w = k->c->t->w;
	bool is_through = !d->has_cache || (d->has_fua && (k->cdb[1] & 0x08) != 0);
	uint32_t zero = 0;

	for (uint32_t i = 0; i < n; i++) {
		uint32_t wr;

		if (!book_parse(k->buf + SIM_BLOCK * i, d->uid, lba + i, &wr) || wr > w->wrs)
			sim_fail(w, "right unit",
			    "block %u of disk %u is written with what was meant for another unit "
			    "or "
			    "block, or is garbage",
			    lba + i, d->uid);
		if (wr == 0 && zero == 0)
			zero = k->wr != 0 ? k->wr : book_zero(w, d, lba, n, false);
		if (wr == 0 && zero == 0)
			sim_fail(w, "right data", "block %u of disk %u is zeroed by nobody",
			    lba + i, d->uid);
		book_exec(w, d, lba + i, wr != 0 ? wr : zero, is_through);
	}
	destage(k, d);
	ttask_answer(k);
}

/* Zeros, or a discard: which of them it is the command does not say. */
static void
sweep_blocks(
    struct ttask *k, struct disk *d, uint32_t lba, uint32_t n, bool may_zero, bool may_discard)
{
	struct sim *w = k->c->t->w;
	uint32_t zero = may_zero && k->wr == 0 ? book_zero(w, d, lba, n, false) : 0;
	uint32_t gone = may_discard && k->wr == 0 ? book_zero(w, d, lba, n, true) : 0;
	uint32_t wr = k->wr != 0 ? k->wr : zero > gone ? zero : gone;

	/* One that is under way; else the newest, which is the most that can be believed. */
	if (k->wr == 0 && zero != 0 && !sim_wr[zero].is_ended)
		wr = zero;
	else if (k->wr == 0 && gone != 0 && !sim_wr[gone].is_ended)
		wr = gone;
	if (wr == 0)
		sim_fail(w, "right data", "blocks %u+%u of disk %u are zeroed by nobody", lba, n,
		    d->uid);
	for (uint32_t b = lba; b < lba + n; b++)
		book_exec(w, d, b, wr, !d->has_cache);
	ttask_answer(k);
}

static void
write_same(struct ttask *k, struct disk *d)
{
	bool unmap = (k->cdb[1] & 0x08) != 0;
	uint32_t lba, n;

	if (!d->has_write_same && !unmap) {
		ttask_check(k, 5, 0x20, 0);
		return;
	}
	if (!blocks_of(k, &lba, &n) || n == 0)
		sim_fail(k->c->t->w, "protocol", "WRITE SAME of nothing, or beyond what users use");
	if (d->write_same_max != 0 && n > d->write_same_max) {
		refuse(k, "WRITE SAME");
		return;
	}
	if (k->buf[0] != 0 || memcmp(k->buf, k->buf + 1, SIM_BLOCK - 1) != 0)
		sim_fail(k->c->t->w, "right data", "WRITE SAME of something else than zeros");
	/* LBPRZ 0: what is unmapped reads as anything, so zeros are written all the same. */
	sweep_blocks(k, d, lba, n, true, unmap);
}

static void
unmap(struct ttask *k, struct disk *d)
{
	struct sim *w = k->c->t->w;
	uint32_t n = be_get32(k->buf + 16), lba = be_get32(k->buf + 12);

	if (k->edtl != 24 || be_get16(k->buf) != 22 || be_get16(k->buf + 2) != 16 ||
	    be_get32(k->buf + 8) != 0 || lba >= SIM_BLOCKS || n > SIM_BLOCKS - lba)
		sim_fail(w, "protocol", "an odd UNMAP list");
	if (!d->has_unmap || n > d->unmap_max) {
		refuse(k, "UNMAP");
		return;
	}
	sweep_blocks(k, d, lba, n, false, true);
}

static void
on_blocks(struct ttask *k, struct disk *d)
{
	uint32_t lba, n;

	if (!blocks_of(k, &lba, &n)) {
		sim_fail(k->c->t->w, "protocol", "a command beyond what users use");
	} else if (d->transfer_max != 0 && n > d->transfer_max) {
		refuse(k, "a transfer");
	} else if (k->cdb[0] == 0x28 || k->cdb[0] == 0x88) {
		read_blocks(k, d, lba, n);
	} else {
		if ((k->cdb[1] & 0x08) != 0 && !d->has_fua)
			refuse(k, "FUA");
		else
			write_blocks(k, d, lba, n);
	}
}

static void
execute(struct ttask *k, struct disk *d)
{
	switch (k->cdb[0]) {
	case 0x00:
	case 0x1b:
		ttask_answer(k);
		break;
	case 0xa3:
		if (!k->c->t->w->has_alua)
			ttask_check(k, 5, 0x20, 0);
		else
			report_groups(k);
		break;
	case 0xa4:
		if (!k->c->t->w->can_set)
			ttask_check(k, 5, 0x20, 0);
		else
			set_groups(k);
		break;
	case 0x25:
	case 0x9e:
		capacity(k, d);
		break;
	case 0x5a:
		mode_sense(k, d);
		break;
	case 0x28:
	case 0x88:
	case 0x2a:
	case 0x8a:
		on_blocks(k, d);
		break;
	case 0x35:
	case 0x91:
		book_sync(k->c->t->w, d, 0, SIM_BLOCKS_MAX);
		ttask_answer(k);
		break;
	case 0x93:
		write_same(k, d);
		break;
	case 0x42:
		unmap(k, d);
		break;
	default:
		ttask_check(k, 5, 0x20, 0);
	}
}

/* ---- what is in the way ---- */

static void
tell_attention(struct ttask *k, struct place *p)
{
	struct sim *w = k->c->t->w;
	struct unit *u = target_unit(k->c->t, k->place);

	if (p->told == k->c) {
		ttask_check(k, 0x0b, 0x47, 0x7f);
		return;
	}
	p->told = k->c;
	p->told_sn = k->c->stat_sn;
	u->bad_flushes += p->ua[0] == 0x2901 || p->ua[0] == 0x2904;
	TRACE(w, "target %u: unit attention %x at place %u", k->c->t->i, p->ua[0], k->place);
	ttask_check(k, 6, (uint8_t)(p->ua[0] >> 8), (uint8_t)p->ua[0]);
}

/* What is not for ever, and what is: then the request may fail. */
static const struct {
	uint8_t key, asc, ascq; /* 0: a status of its own */
	bool is_final;
} oddities[] = {
	{ 2, 0x04, 0x01, false },    /* becoming ready */
	{ 0x0b, 0x47, 0x03, false }, /* aborted command */
	{ 2, 0x04, 0x0b, false },    /* standby port */
	{ 6, 0x29, 0x07, false },    /* I_T nexus loss occurred */
	{ 6, 0x2a, 0x01, false },    /* mode parameters changed */
	{ 2, 0x04, 0x02, false },    /* it wants to be started */
	{ 6, 0x2f, 0x00, false },    /* commands cleared by another initiator */
	{ 3, 0x11, 0x00, true },     /* unrecovered read error */
	{ 7, 0x27, 0x00, true },     /* write protected */
	{ 7, 0x27, 0x07, true },     /* no room behind a thin unit */
	{ 2, 0x3a, 0x00, true },     /* no medium */
	{ 4, 0x44, 0x00, true },     /* internal target failure */
};
#define ODDITIES (sizeof oddities / sizeof *oddities)

static void
answer_oddly(struct ttask *k, unsigned how)
{
	struct target *t = k->c->t;
	struct unit *u = target_unit(t, k->place);

	how %= ODDITIES + 4;
	if (how < ODDITIES) {
		if (oddities[how].is_final)
			u->excused_us = sim_now(t->w);
		ttask_check(k, oddities[how].key, oddities[how].asc, oddities[how].ascq);
		return;
	}
	if (how == ODDITIES)
		k->status = 0x40; /* TASK ABORTED */
	else if (how == ODDITIES + 1)
		k->response = 1; /* target failure */
	else if (how == ODDITIES + 2)
		k->is_lie = true;
	else
		k->status = 0x18; /* RESERVATION CONFLICT */
	if (how > ODDITIES)
		u->excused_us = sim_now(t->w);
	ttask_answer(k);
}

void
tscsi_execute(struct ttask *k)
{
	struct target *t = k->c->t;
	struct place *p = &t->places[k->place];
	bool is_ghost = k->c->net == NULL;
	bool is_barred = !tscsi_serves(t) && k->cdb[0] != 0xa3 && k->cdb[0] != 0xa4 &&
			 (k->cdb[0] != 0x00 || !t->w->is_ready_anyway);

	if (is_ghost && (p->disk == NULL || k->is_old || p->uas > 0 || is_barred))
		ttask_drop(k);
	else if (k->cdb[0] == 0xa0)
		report_luns(k);
	else if (k->cdb[0] == 0x12)
		inquiry(k, p->disk);
	else if (p->disk == NULL)
		ttask_check(k, 5, 0x25, 0);
	else if (k->is_old)
		ttask_check(k, 0x0b, 0x47, 0x7f);
	else if (p->uas > 0)
		tell_attention(k, p);
	else if (is_barred)
		refuse_port(k);
	else if (!is_ghost && p->check_until_us > sim_now(t->w) && rng_chance(&t->rng, 300))
		answer_oddly(k, p->check);
	else
		execute(k, p->disk);
}
