#include "driver/iscsial/fake_unit.h"

#include <string.h>

#include "base/be.h"
#include "scsi/cdb.h"
#include "scsi/sense.h"
#include "scsi/vpd.h"

/* As much of a as fits what was asked for. */
static void
give(struct fake_port *f, struct req *r, const uint8_t *a, size_t n)
{
	r->data_got = (uint32_t)(n < r->data_len ? n : r->data_len);
	memcpy(r->data, a, r->data_got);
	r->underflow = r->data_got < r->data_len;
	fake_port_answer(f, 0);
}

static void
report_luns(const struct fake_target *t, struct fake_port *f, struct req *r)
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
inquiry(const struct fake_unit *u, struct fake_port *f, struct req *r)
{
	uint8_t data[36] = { u->is_absent ? 0x7f : u->type, 0, 5, 2, 31 };

	memcpy(data + 8, "FAKE    UNIT            1   ", 28);
	give(f, r, data, sizeof data);
}

static bool
page(const struct fake_unit *u, struct fake_port *f, struct req *r)
{
	uint8_t data[64] = { u->type, r->cdb[2] };
	size_t n = 0;

	switch (r->cdb[2]) {
	case VPD_SUPPORTED:
		data[4 + n++] = VPD_SUPPORTED;
		if (u->serial != NULL)
			data[4 + n++] = VPD_SERIAL;
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
		break;
	default:
		return false;
	}
	data[3] = (uint8_t)n;
	give(f, r, data, 4 + n);
	return true;
}

static void
capacity_16(const struct fake_unit *u, struct fake_port *f, struct req *r)
{
	uint8_t data[32] = { 0 };

	be_put64(data, u->blocks - 1);
	be_put32(data + 8, 512);
	give(f, r, data, sizeof data);
}

static void
capacity_10(const struct fake_unit *u, struct fake_port *f, struct req *r)
{
	uint8_t data[8];

	be_put32(data, (uint32_t)(u->blocks - 1));
	be_put32(data + 4, 512);
	give(f, r, data, sizeof data);
}

static bool
unit_answers(struct fake_unit *u, struct fake_port *f, struct req *r)
{
	u->commands++;
	if (r->cdb[0] == CDB_INQUIRY && (r->cdb[1] & 1) == 0) {
		inquiry(u, f, r);
		return true;
	}
	if (r->cdb[0] == CDB_INQUIRY)
		return page(u, f, r);
	if (u->attentions > 0) {
		u->attentions--;
		fake_port_check(f, 0, SENSE_KEY_UNIT_ATTENTION, 0x29, 0x00);
		return true;
	}
	if (r->cdb[0] == CDB_TEST_UNIT_READY)
		fake_port_good(f, 0);
	else if (r->cdb[0] == CDB_READ_CAPACITY_16 && !u->has_no_capacity_16)
		capacity_16(u, f, r);
	else if (r->cdb[0] == CDB_READ_CAPACITY_10)
		capacity_10(u, f, r);
	else
		return false;
	return true;
}

bool
fake_target_answer(struct fake_target *t, struct fake_port *f)
{
	struct req *r = fake_port_req(f, 0);
	size_t lun = (size_t)(r->lun[0] & 0x3f) << 8 | r->lun[1];

	if (r->cdb[0] == CDB_REPORT_LUNS && !t->has_no_report_luns) {
		report_luns(t, f, r);
		return true;
	}
	if (r->cdb[0] != CDB_REPORT_LUNS && lun < t->n && unit_answers(&t->units[lun], f, r))
		return true;
	fake_port_check(f, 0, SENSE_KEY_ILLEGAL_REQUEST, 0x20, 0x00);
	return false;
}

void
fake_target_run(struct fake_target *t, struct fake_port *f)
{
	do {
		while (f->n > 0)
			(void)fake_target_answer(t, f); /* refusing is an answer, too */
		fake_port_turn(f);
	} while (f->n > 0);
}
