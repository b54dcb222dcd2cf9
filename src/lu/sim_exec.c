/* What the target answers, and what it does. */
#include <string.h>

#include "base/be.h"
#include "lu/sim.h"
#include "scsi/sense.h"

static void
nothing(struct req *r)
{
	(void)r;
}

static void
answer_check(struct sim *s, struct req *r, bool is_deferred, uint8_t key, uint8_t asc, uint8_t ascq)
{
	void (*done)(struct req *) = r->done;

	r->done = nothing;
	s->scratch.out[0] = r;
	s->scratch.n = 1;
	if (is_deferred)
		fake_path_deferred(&s->scratch, 0, key, asc, ascq);
	else
		fake_path_check(&s->scratch, 0, key, asc, ascq);
	r->done = done;
}

static void
question(struct sim *s, struct sim_cmd *c)
{
	struct fake_target t = { .units = &s->unit, .n = 1 };
	struct req *r = c->r;
	void (*done)(struct req *) = r->done;
	uint8_t lun = r->lun[1];
	bool is_there = s->at[c->place] < SIM_DISKS;

	s->unit = (struct fake_unit){ .is_absent = !is_there,
		.is_gone = !is_there && sim_chance(s, 500),
		.naa = is_there ? s->disks[s->at[c->place]].naa : 0,
		.tpgs = s->n_paths < 2     ? 0
			: s->seed % 2 == 0 ? 1
					   : 3,
		.access = s->path[c->path].access,
		.blocks = SIM_BLOCKS,
		.has_mode = true,
		.mode = { .has_caching = true,
		    .is_write_cache_enabled = s->is_cached,
		    .has_fua = s->has_fua } };
	if (!s->is_healed && sim_chance(s, s->p_fault)) {
		s->unit.bad = (enum fake_bad)(1 + sim_random(s, FAKE_BADS - 1));
		s->unit.bad_opcode = r->cdb[0];
		s->unit.bad_page = (r->cdb[1] & 1) != 0 ? r->cdb[2] : -1;
		s->unit.bad_key = (uint8_t)(2 + sim_random(s, 4));
		s->unit.bad_times = 1;
	}
	r->done = nothing;
	r->lun[1] = 0;
	s->scratch.out[0] = r;
	s->scratch.n = 1;
	(void)fake_target_answer(&t, &s->scratch);
	s->path[c->path].access = s->unit.access; /* SET TARGET PORT GROUPS */
	r->lun[1] = lun;
	r->done = done;
}

/* True: it was answered with something that is no success. */
static bool
fault(struct sim *s, struct sim_cmd *c)
{
	struct req *r = c->r;

	if (s->is_healed || !sim_chance(s, s->p_fault))
		return false;
	switch (sim_random(s, 13)) {
	case 0:
		r->status = SENSE_STATUS_BUSY;
		return true;
	case 1:
		r->status = SENSE_STATUS_TASK_SET_FULL;
		return true;
	case 2:
		answer_check(s, r, false, SENSE_KEY_NOT_READY, 0x04,
		    (uint8_t)(sim_chance(s, 500) ? 1 : 0xb));
		return true;
	case 3:
		answer_check(s, r, false, SENSE_KEY_ABORTED_COMMAND, 0x47, 0x03);
		return true;
	case 4:
		r->result = REQ_ABORTED;
		return true;
	case 5:
		r->result = REQ_NO_TARGET;
		return true;
	case 6:
		c->stage = SIM_SILENT;
		return true;
	case 7:
		answer_check(s, r, false, SENSE_KEY_UNIT_ATTENTION, 0xc0, 0x00);
		return true;
	case 8:
		answer_check(
		    s, r, false, SENSE_KEY_UNIT_ATTENTION, 0x29, sim_chance(s, 500) ? 0 : 7);
		return true;
	case 9:
		r->result = REQ_VIOLATION;
		c->q->oddities++;
		return true;
	case 10:
		answer_check(s, r, false, SENSE_KEY_MEDIUM_ERROR, 0x11, 0x00);
		c->q->may_fail = true;
		return true;
	case 11:
		/* GOOD, and not all of it moved. */
		if (r->dir == REQ_NONE)
			return false;
		r->underflow = true;
		r->residual = 1;
		r->data_got = r->data_len - 1;
		c->q->may_fail = true;
		return true;
	default:
		answer_check(s, r, true, SENSE_KEY_RECOVERED_ERROR, 0x0c, 0x01);
		return true;
	}
}

static void
execute_read(struct sim *s, struct sim_cmd *c)
{
	const struct sim_disk *d = &s->disks[s->at[c->place]];
	uint32_t lba = be_get32(c->r->cdb + 2), n = be_get16(c->r->cdb + 7);

	for (uint32_t i = 0; i < n; i++) {
		unsigned number = d->cache[lba + i];

		memset(c->r->data + 512 * i, 0, 512);
		if (!s->writes[number].is_zeros)
			be_put32(c->r->data + 512 * i, number);
	}
	c->r->data_got = c->r->data_len;
}

/* The command, on whatever stands at its place now. */
static void
execute(struct sim *s, struct sim_cmd *c)
{
	struct sim_disk *d = &s->disks[s->at[c->place]];

	sim_trace(s, "execute unit %u opcode %02x write %u%s", c->place, c->op, c->write,
	    c->r == NULL ? ", a ghost" : "");
	if ((c->q != NULL || c->write != 0) && s->at[c->place] != c->place)
		sim_fail(s, "a command for unit %u reaches disk %u", c->place, s->at[c->place]);
	if (c->q != NULL && c->op == CDB_READ_10) {
		execute_read(s, c);
	} else if (c->op == CDB_SYNC_CACHE_10) {
		if (c->q != NULL)
			c->q->sync = s->tick;
		sim_book_sync(s, d, c->place);
	} else if (c->write != 0) {
		if (c->r == NULL)
			sim_book_ghost(s, d, c->write);
		sim_book_exec(
		    s, d, c->write, !s->is_cached || (c->op == CDB_WRITE_10 && (c->bits & 8) != 0));
	}
}

/* The port's group does not serve: it is not looked at what stands there. */
static void
refuse(struct sim *s, struct sim_cmd *c)
{
	enum alua_state access = s->path[c->path].access;

	answer_check(s, c->r, false, SENSE_KEY_NOT_READY, 0x04,
	    access == ALUA_TRANSITIONING ? 0x0a
	    : access == ALUA_STANDBY     ? 0x0b
					 : 0x0c);
}

static void
attention(struct sim *s, struct sim_cmd *c, uint8_t change)
{
	c->tells_change = change;
	answer_check(s, c->r, false, SENSE_KEY_UNIT_ATTENTION, change == SIM_ACCESS ? 0x2a : 0x3f,
	    change == SIM_ACCESS ? 0x06 : change);
}

void
sim_execute(struct sim *s, struct sim_cmd *c)
{
	const struct sim_path *w = &s->path[c->path];
	unsigned place = c->place;

	c->stage = SIM_ANSWERED;
	c->answered = s->tick;
	if (c->r == NULL) { /* a ghost */
		c->stage = SIM_FREE;
		if (s->at[place] < SIM_DISKS && w->reset[place] == 0 && w->change[place] == 0 &&
		    !w->is_mute[place] && !c->is_old) {
			s->ghosts++;
			execute(s, c);
		}
	} else if (c->op != CDB_INQUIRY && w->reset[place] != 0) {
		c->tells_reset = w->reset[place];
		answer_check(s, c->r, false, SENSE_KEY_UNIT_ATTENTION, 0x29, c->tells_reset);
	} else if (c->op != CDB_INQUIRY && w->change[place] != 0) {
		attention(s, c, w->change[place]);
	} else if (c->op != CDB_INQUIRY && c->is_old) {
		answer_check(s, c->r, false, SENSE_KEY_ABORTED_COMMAND, 0x47, 0x7f);
	} else if (c->op != CDB_INQUIRY && w->is_mute[place]) {
		c->r->status = SENSE_STATUS_BUSY;
	} else if (c->q == NULL) {
		question(s, c);
	} else if (!alua_serves((uint8_t)w->access)) {
		refuse(s, c);
	} else if (s->at[place] == SIM_DISKS) {
		answer_check(s, c->r, false, SENSE_KEY_ILLEGAL_REQUEST, 0x25, 0x00);
	} else if (!fault(s, c)) {
		execute(s, c);
	}
}
