#include "ini/fake_disk.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/be.h"
#include "ini/fake_target.h"
#include "scsi/cdb.h"
#include "scsi/sense.h"
#include "scsi/vpd.h"

/* A write that is executed later. */
struct held {
	struct list link;
	struct fake_disk *d;
	struct agenda_timer due;
	struct fake_line *line; /* NULL: its connection is gone */
	uint32_t tpgt;
	unsigned slot;
	uint64_t version;
	uint8_t bhs[48];
};

static void
good(struct fake_line *l, const uint8_t *req, const uint8_t *data, uint32_t n)
{
	uint32_t want = be_get32(req + 20), some = n < want ? n : want;
	uint8_t bhs[48] = { 0x21, 0x80 };

	memcpy(bhs + 16, req + 16, 4);
	if (data == NULL) {
		fake_target_put(l, bhs, NULL, 0);
		return;
	}
	bhs[0] = 0x25;
	bhs[1] = some < want ? 0x83 : 0x81;
	be_put32(bhs + 20, 0xffffffff);
	be_put32(bhs + 44, want - some);
	fake_target_put(l, bhs, data, some);
}

static void
status(struct fake_line *l, const uint8_t *req, uint8_t code, uint8_t key, uint8_t asc)
{
	uint32_t want = be_get32(req + 20);
	uint8_t bhs[48] = { 0x21, want > 0 ? 0x82 : 0x80, 0, code };
	uint8_t sense[20] = { 0, 18, 0x70, 0, key, 0, 0, 0, 0, 10, [14] = asc };

	memcpy(bhs + 16, req + 16, 4);
	be_put32(bhs + 44, want);
	fake_target_put(l, bhs, sense, code == SENSE_STATUS_CHECK_CONDITION ? sizeof sense : 0);
}

/* ---- questions ---- */

static void
inquiry(const struct fake_disk *d, struct fake_line *l, const uint8_t *req)
{
	uint8_t data[64] = { 0, 0, 5, 2, 31 };

	memcpy(data + 8, "FAKE    UNIT            1   ", 28);
	if ((req[33] & 1) == 0) {
		good(l, req, data, 36);
		return;
	}
	memset(data, 0, sizeof data);
	data[1] = req[34];
	if (req[34] == VPD_SUPPORTED) {
		data[3] = 2;
		data[5] = VPD_IDENTIFICATION;
		good(l, req, data, 6);
	} else if (req[34] == VPD_IDENTIFICATION) {
		data[3] = 12;
		data[4] = 1;
		data[5] = 3;
		data[7] = 8;
		be_put64(data + 8, d->is_other ? d->naa + 1 : d->naa);
		good(l, req, data, 16);
	} else {
		status(l, req, SENSE_STATUS_CHECK_CONDITION, SENSE_KEY_ILLEGAL_REQUEST, 0x24);
	}
}

static void
capacity(struct fake_line *l, const uint8_t *req)
{
	uint8_t data[32] = { 0 };

	be_put64(data, FAKE_DISK_BLOCKS - 1);
	be_put32(data + 8, 512);
	good(l, req, data, sizeof data);
}

/* ---- data ---- */

static void
execute(struct fake_disk *d, unsigned slot, uint64_t version)
{
	/* The law of fences: nothing old lands on what was answered. */
	assert(version >= d->answered[slot]);
	assert(!d->is_other);
	d->version[slot] = version;
	d->writes++;
}

static void
held_due(struct agenda_timer *t)
{
	struct held *h = LIST_ENTRY(t, struct held, due);

	execute(h->d, h->slot, h->version);
	if (h->line != NULL)
		good(h->line, h->bhs, NULL, 0);
	else
		h->d->executed_late++;
	list_remove(&h->link);
	free(h);
}

static void
hold(struct fake_disk *d, struct fake_line *l, const uint8_t *req, unsigned slot, uint64_t version)
{
	struct held *h = calloc(1, sizeof *h);

	h->d = d;
	h->line = l;
	h->tpgt = l->tpgt;
	h->slot = slot;
	h->version = version;
	h->due.expired = held_due;
	memcpy(h->bhs, req, sizeof h->bhs);
	list_push_back(&d->held, &h->link);
	agenda_set(&d->w->agenda, &h->due, d->w->agenda.now_us + fake_world_random(d->w, 20000000));
}

static unsigned
slot_of(const uint8_t *req)
{
	bool is_16 = req[32] == CDB_READ_16 || req[32] == CDB_WRITE_16;
	uint64_t lba = is_16 ? be_get64(req + 34) : be_get32(req + 34);

	assert(lba < FAKE_DISK_SLOTS);
	return (unsigned)lba;
}

static void
read_in(struct fake_disk *d, struct fake_line *l, const uint8_t *req)
{
	uint8_t block[512] = { 0 };

	assert(!d->is_other);
	d->reads++;
	be_put64(block, d->version[slot_of(req)]);
	good(l, req, block, sizeof block);
}

static void
write_in(
    struct fake_disk *d, struct fake_line *l, const uint8_t *req, const uint8_t *data, uint32_t n)
{
	assert(n == 512);
	if (d->holds) {
		hold(d, l, req, slot_of(req), be_get64(data));
		return;
	}
	execute(d, slot_of(req), be_get64(data));
	good(l, req, NULL, 0);
}

void
fake_disk_command(
    struct fake_disk *d, struct fake_line *l, const uint8_t *bhs, const uint8_t *data, uint32_t n)
{
	uint8_t opcode = bhs[32];

	if (d->busy > 0) {
		d->busy--;
		status(l, bhs, SENSE_STATUS_BUSY, 0, 0);
		return;
	}
	if (opcode == CDB_INQUIRY) {
		inquiry(d, l, bhs);
		return;
	}
	if (d->attentions > 0) {
		d->attentions--;
		status(l, bhs, SENSE_STATUS_CHECK_CONDITION, SENSE_KEY_UNIT_ATTENTION, 0x29);
		return;
	}
	switch (opcode) {
	case CDB_READ_10:
	case CDB_READ_16:
		read_in(d, l, bhs);
		break;
	case CDB_WRITE_10:
	case CDB_WRITE_16:
		write_in(d, l, bhs, data, n);
		break;
	case CDB_READ_CAPACITY_16:
		capacity(l, bhs);
		break;
	case CDB_TEST_UNIT_READY:
	case CDB_SYNC_CACHE_10:
	case CDB_SYNC_CACHE_16:
		good(l, bhs, NULL, 0);
		break;
	default:
		status(l, bhs, SENSE_STATUS_CHECK_CONDITION, SENSE_KEY_ILLEGAL_REQUEST, 0x20);
		break;
	}
}

/* ---- nexuses ---- */

static void
kill_if(struct fake_disk *d, struct held *h, bool is_dead)
{
	if (!is_dead)
		return;
	agenda_clear(&d->w->agenda, &h->due);
	list_remove(&h->link);
	free(h);
	d->killed++;
}

void
fake_disk_reinstated(struct fake_disk *d, uint32_t tpgt)
{
	LIST_EACH(node, tmp, &d->held)
	{
		struct held *h = LIST_ENTRY(node, struct held, link);

		kill_if(d, h, h->tpgt == tpgt && h->line == NULL);
	}
}

void
fake_disk_logged_out(struct fake_disk *d, struct fake_line *l)
{
	LIST_EACH(node, tmp, &d->held)
	{
		struct held *h = LIST_ENTRY(node, struct held, link);

		kill_if(d, h, h->line == l);
	}
}

void
fake_disk_lost(struct fake_disk *d, struct fake_line *l, uint64_t us)
{
	uint64_t now = d->w->agenda.now_us;

	LIST_EACH(node, tmp, &d->held)
	{
		struct held *h = LIST_ENTRY(node, struct held, link);

		if (h->line != l)
			continue;
		h->line = NULL;
		kill_if(d, h, h->due.at_us > now + us);
	}
}

void
fake_disk_init(struct fake_disk *d, struct fake_world *w, uint64_t naa)
{
	memset(d, 0, sizeof *d);
	d->w = w;
	d->naa = naa;
	list_init(&d->held);
	w->disk = d;
}

void
fake_disk_fini(struct fake_disk *d)
{
	LIST_EACH(node, tmp, &d->held)
	kill_if(d, LIST_ENTRY(node, struct held, link), true);
	d->w->disk = NULL;
}
