#include "lu/fake_unit.h"

#include <string.h>

#include "base/be.h"
#include "scsi/cdb.h"
#include "scsi/sense.h"
#include "scsi/vpd.h"

static size_t
at(struct fake_path *f, const struct req *r)
{
	for (size_t i = 0; i < f->n; i++)
		if (f->out[i] == r)
			return i;
	return f->n;
}

/* As much of a as fits what was asked for. */
static void
give(struct fake_path *f, struct req *r, const uint8_t *a, size_t n)
{
	r->data_got = (uint32_t)(n < r->data_len ? n : r->data_len);
	memcpy(r->data, a, r->data_got);
	r->underflow = r->data_got < r->data_len;
	fake_path_answer(f, at(f, r));
}

static void
report_luns(const struct fake_target *t, struct fake_path *f, struct req *r)
{
	uint8_t list[8 + 8 * 512] = { 0 };
	size_t n = 0;

	for (size_t i = 0; i < t->n; i++)
		if (!t->units[i].is_absent) {
			uint8_t *at = list + 8 + 8 * n++;

			if (i < 256) {
				at[1] = (uint8_t)i;
			} else {
				at[0] = (uint8_t)(0x40 | i >> 8);
				at[1] = (uint8_t)i;
			}
		}
	be_put32(list, (uint32_t)(8 * n));
	give(f, r, list, 8 + 8 * n);
}

static void
inquiry(const struct fake_unit *u, struct fake_path *f, struct req *r)
{
	uint8_t data[36] = { u->is_absent ? 0x7f : u->type, 0, 5, 2, 31, (uint8_t)(u->tpgs << 4) };

	memcpy(data + 8, "FAKE    UNIT            1   ", 28);
	give(f, r, data, sizeof data);
}

static bool
page(const struct fake_unit *u, struct fake_path *f, struct req *r)
{
	uint8_t data[64] = { u->type, r->cdb[2] };
	size_t n = 0;

	if (u->has_no_pages)
		return false;
	switch (r->cdb[2]) {
	case VPD_SUPPORTED:
		data[4 + n++] = VPD_SUPPORTED;
		if (u->serial != NULL)
			data[4 + n++] = VPD_SERIAL;
		if (!u->omits_name)
			data[4 + n++] = VPD_IDENTIFICATION;
		break;
	case VPD_SERIAL:
		n = strlen(u->serial);
		memcpy(data + 4, u->serial, n);
		break;
	case VPD_IDENTIFICATION:
		if (u->naa != 0) {
			data[4] = 1;
			data[5] = 3;
			data[7] = 8;
			be_put64(data + 8, u->naa);
			n = 12;
		}
		if (u->tpgs != 0) {
			static const uint8_t port[16] = { 0x51, 0x94, 0, 4, 0, 0, 0, 1, 0x51, 0x95,
				0, 4, 0, 0, 0, 1 };

			memcpy(data + 4 + n, port, sizeof port);
			n += sizeof port;
		}
		break;
	default:
		return false;
	}
	data[3] = (uint8_t)n;
	give(f, r, data, 4 + n);
	return true;
}

/* REPORT TARGET PORT GROUPS: another group, and this one. */
static bool
groups(const struct fake_unit *u, struct fake_path *f, struct req *r)
{
	uint8_t data[40] = { 0 }, *at_group = data + 4;

	if (u->is_access_untold || ((r->cdb[1] & 0x20) != 0 && u->has_short_report))
		return false;
	if ((r->cdb[1] & 0x20) != 0) {
		data[4] = 0x10;
		data[5] = 3;
		at_group += 4;
	}
	at_group[0] = ALUA_OFFLINE;
	at_group[3] = 9;
	at_group[7] = 1;
	at_group[12] = (uint8_t)u->access;
	at_group[15] = 1;
	at_group[19] = 1;
	data[3] = (uint8_t)(at_group + 24 - data - 4);
	give(f, r, data, (size_t)data[3] + 4);
	return true;
}

static void
capacity_16(const struct fake_unit *u, struct fake_path *f, struct req *r)
{
	uint8_t data[32] = { 0 };

	be_put64(data, u->blocks - 1);
	be_put32(data + 8, 512);
	give(f, r, data, sizeof data);
}

static void
capacity_10(const struct fake_unit *u, struct fake_path *f, struct req *r)
{
	uint8_t data[8];

	be_put32(data, (uint32_t)(u->blocks - 1));
	be_put32(data + 4, 512);
	give(f, r, data, sizeof data);
}

/* Mode parameter header(10) and the caching page. */
static bool
mode_10(const struct fake_unit *u, struct fake_path *f, struct req *r)
{
	uint8_t data[8 + 20] = { [1] = 26, [8] = 0x08, [9] = 18 };

	if (!u->has_mode)
		return false;
	data[3] = (uint8_t)((u->mode.is_write_protected ? 0x80 : 0) | (u->mode.has_fua ? 0x10 : 0));
	data[10] = u->mode.is_write_cache_enabled ? 0x04 : 0;
	give(f, r, data, sizeof data);
	return true;
}

static bool
is_bad(const struct fake_unit *u, const struct req *r)
{
	if (u->bad == FAKE_FINE || u->bad_times == 0 || r->cdb[0] != u->bad_opcode)
		return false;
	if (r->cdb[0] != CDB_INQUIRY)
		return true;
	return u->bad_page == ((r->cdb[1] & 1) != 0 ? r->cdb[2] : -1);
}

static void
answer_badly(struct fake_unit *u, struct fake_path *f, struct req *r)
{
	static const uint8_t zeros[96], few[3] = { 0, 0x83, 0 }, wrong[8] = { 0, 0xc7, 0, 4 };

	u->bad_times--;
	switch (u->bad) {
	case FAKE_CHECK:
		fake_path_check(f, at(f, r), u->bad_key, u->bad_asc, 0);
		break;
	case FAKE_BUSY:
		fake_path_status(f, at(f, r), SENSE_STATUS_BUSY);
		break;
	case FAKE_RESERVED:
		fake_path_status(f, at(f, r), SENSE_STATUS_RESERVATION_CONFLICT);
		break;
	case FAKE_TIMEOUT:
		fake_path_result(f, at(f, r), REQ_TIMEOUT);
		break;
	case FAKE_EMPTY:
		give(f, r, zeros, 0);
		break;
	case FAKE_ZEROS:
		give(f, r, zeros, sizeof zeros);
		break;
	case FAKE_SHORT:
		give(f, r, few, sizeof few);
		break;
	case FAKE_WRONG:
		give(f, r, wrong, r->cdb[1] & 1 ? sizeof wrong : 3);
		break;
	case FAKE_FINE:
	case FAKE_BADS:
		break;
	}
}

static bool
unit_answers(struct fake_unit *u, struct fake_path *f, struct req *r)
{
	u->commands++;
	if (u->is_gone) {
		fake_path_check(f, at(f, r), SENSE_KEY_ILLEGAL_REQUEST, 0x25, 0x00);
		return true;
	}
	if (is_bad(u, r)) {
		answer_badly(u, f, r);
		return true;
	}
	if (r->cdb[0] == CDB_INQUIRY && (r->cdb[1] & 1) == 0) {
		inquiry(u, f, r);
		return true;
	}
	if (r->cdb[0] == CDB_INQUIRY)
		return page(u, f, r);
	if (u->attentions > 0) {
		u->attentions--;
		fake_path_check(f, at(f, r), SENSE_KEY_UNIT_ATTENTION, 0x29, u->ascq);
		return true;
	}
	if (r->cdb[0] == CDB_REPORT_TARGET_PORTS)
		return groups(u, f, r);
	if (r->cdb[0] == CDB_SET_TARGET_PORTS && u->set_attention != 0) {
		fake_path_check(f, at(f, r), SENSE_KEY_UNIT_ATTENTION, 0x29, u->set_attention);
		u->set_attention = 0;
		return true;
	}
	if (r->cdb[0] == CDB_SET_TARGET_PORTS) {
		u->sets++;
		u->access = (enum alua_state)(r->data[4] & 0xf);
		fake_path_good(f, at(f, r));
		return true;
	}
	if (!alua_serves((uint8_t)u->access) &&
	    !(u->is_ready_anyway && r->cdb[0] == CDB_TEST_UNIT_READY)) {
		fake_path_check(f, at(f, r), SENSE_KEY_NOT_READY, 0x04,
		    u->access == ALUA_TRANSITIONING ? 0x0a
		    : u->access == ALUA_STANDBY     ? 0x0b
						    : 0x0c);
		return true;
	}
	if (r->cdb[0] == CDB_TEST_UNIT_READY || r->cdb[0] == CDB_START_STOP_UNIT)
		fake_path_good(f, at(f, r));
	else if (r->cdb[0] == CDB_READ_CAPACITY_16 && !u->has_no_capacity_16)
		capacity_16(u, f, r);
	else if (r->cdb[0] == CDB_READ_CAPACITY_10)
		capacity_10(u, f, r);
	else
		return r->cdb[0] == CDB_MODE_SENSE_10 && mode_10(u, f, r);
	return true;
}

static void
answer(struct fake_target *t, struct fake_path *f, struct req *r)
{
	size_t lun = (size_t)(r->lun[0] & 0x3f) << 8 | r->lun[1];
	bool is_well_known = r->lun[0] == 0xc1;

	if (r->cdb[0] == CDB_REPORT_LUNS && t->has_no_lun_0 && !is_well_known)
		fake_path_check(f, at(f, r), SENSE_KEY_ILLEGAL_REQUEST, 0x25, 0x00);
	else if (r->cdb[0] == CDB_REPORT_LUNS && !t->has_no_report_luns)
		report_luns(t, f, r);
	else if (r->cdb[0] == CDB_REPORT_LUNS || lun >= t->n || !unit_answers(&t->units[lun], f, r))
		fake_path_check(f, at(f, r), SENSE_KEY_ILLEGAL_REQUEST, 0x20, 0x00);
}

bool
fake_is_question(const struct req *r)
{
	switch (r->cdb[0]) {
	case CDB_INQUIRY:
	case CDB_TEST_UNIT_READY:
	case CDB_READ_CAPACITY_10:
	case CDB_READ_CAPACITY_16:
	case CDB_MODE_SENSE_6:
	case CDB_MODE_SENSE_10:
	case CDB_REPORT_LUNS:
	case CDB_REPORT_TARGET_PORTS:
	case CDB_SET_TARGET_PORTS:
	case CDB_START_STOP_UNIT:
		return true;
	default:
		return false;
	}
}

bool
fake_target_answer(struct fake_target *t, struct fake_path *f)
{
	for (size_t i = 0; i < f->n; i++)
		if (fake_is_question(f->out[i])) {
			answer(t, f, f->out[i]);
			return true;
		}
	return false;
}

void
fake_target_run(struct fake_target *t, struct fake_path *f)
{
	do {
		while (fake_target_answer(t, f))
			;
		fake_path_turn(f);
	} while (fake_target_answer(t, f));
}
