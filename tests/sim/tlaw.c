#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/be.h"
#include "target.h"

void
tlaw_broken(struct tconn *c, const char *fmt, ...)
{
	char text[200];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	sim_fail(c->t->w, "protocol", "target %u gets %s", c->t->i, text);
}

static bool
is_zero(const uint8_t *p, uint32_t n)
{
	while (n > 0 && p[n - 1] == 0)
		n--;
	return n == 0;
}

/* Sections 4.2.2.1, 4.2.2.2 and what chapter 11 says of each header. */
static void
check_numbers(struct tconn *c, const uint8_t *bhs)
{
	uint8_t op = bhs[0] & 0x3f;
	uint32_t exp_stat_sn = be_get32(bhs + 28), cmd_sn = be_get32(bhs + 24);

	if ((int32_t)(exp_stat_sn - c->stat_sn) > 0)
		tlaw_broken(c, "ExpStatSN %u of what was never sent (%u)", exp_stat_sn, c->stat_sn);
	if ((int32_t)(exp_stat_sn - c->seen_stat_sn) < 0)
		tlaw_broken(c, "ExpStatSN %u after %u", exp_stat_sn, c->seen_stat_sn);
	c->seen_stat_sn = exp_stat_sn;
	if (op == 0x05)
		return;
	if (cmd_sn != c->exp_cmd_sn)
		tlaw_broken(
		    c, "CmdSN %u instead of %u (opcode %02x)", cmd_sn, c->exp_cmd_sn, bhs[0]);
	if ((bhs[0] & 0x40) == 0 && (int32_t)(cmd_sn - c->max_cmd_sn) > 0)
		tlaw_broken(c, "CmdSN %u beyond MaxCmdSN %u", cmd_sn, c->max_cmd_sn);
}

static void
check_reserved(struct tconn *c, const uint8_t *bhs)
{
	uint8_t op = bhs[0] & 0x3f;
	bool is_odd = (bhs[0] & 0x80) != 0;

	if (op != 0x01 && op != 0x05)
		is_odd |= (bhs[1] & 0x80) == 0; /* always the whole request */
	is_odd |= !is_zero(bhs + 2, op == 0x06 ? 0 : 3);
	if (op == 0x00)
		is_odd |= bhs[1] != 0x80 || !is_zero(bhs + 32, 16);
	if (op == 0x05)
		is_odd |= (bhs[0] & 0x40) != 0 || (bhs[1] & 0x7f) != 0 || !is_zero(bhs + 24, 4) ||
			  !is_zero(bhs + 32, 4) || !is_zero(bhs + 44, 4);
	if (op == 0x01)
		is_odd |= (bhs[1] & 0x18) != 0;
	if (is_odd)
		tlaw_broken(c, "reserved bits, opcode %02x %02x", bhs[0], bhs[1]);
}

void
tlaw_check(struct tconn *c, const uint8_t *bhs, uint32_t n)
{
	uint8_t op = bhs[0] & 0x3f;

	if (c->has_logged_out)
		tlaw_broken(c, "opcode %02x after a logout", bhs[0]);
	if (n > c->p.our_dsl)
		tlaw_broken(c, "%u bytes of data, MaxRecvDataSegmentLength %u", n, c->p.our_dsl);
	check_reserved(c, bhs);
	check_numbers(c, bhs);
	if ((op == 0x02 || op == 0x06) && n > 0)
		tlaw_broken(c, "data of opcode %02x", op);
	if (op != 0x05 && be_get32(bhs + 16) != NO_TAG && ttask_find(c, be_get32(bhs + 16)) != NULL)
		tlaw_broken(c, "tag %x of a task that lives", be_get32(bhs + 16));
}

void
tlaw_login(struct tconn *c, const uint8_t *bhs)
{
	unsigned csg = bhs[1] >> 2 & 3, nsg = bhs[1] & 3;

	if ((bhs[0] & 0xc0) != 0x40)
		tlaw_broken(c, "a login that is not immediate");
	if ((bhs[1] & 0x30) != 0 || bhs[2] != 0 || bhs[3] != 0 || !is_zero(bhs + 14, 2))
		tlaw_broken(c, "a login with reserved bits, another version or a TSIH");
	if (!c->is_first &&
	    (be_get32(bhs + 16) != c->login_itt || memcmp(bhs + 8, c->isid, 6) != 0))
		tlaw_broken(c, "a login with another tag or ISID than it began with");
	if (csg != (unsigned)(c->phase == T_SECURITY ? 0 : 1) && !c->is_first)
		tlaw_broken(c, "a login in stage %u", csg);
	if ((bhs[1] & 0x80) != 0 && ((bhs[1] & 0x40) != 0 || nsg <= csg || nsg == 2))
		tlaw_broken(c, "a login that goes from stage %u to %u", csg, nsg);
	/* Format 10b: what was drawn once for this initiator, and which session it is; the others
	 * are discoveries. */
	if ((bhs[12] & 0x80) == 0 &&
	    memcmp(bhs + 8, (uint8_t[6]){ 0x80, 0x12, 0x34, 0x56, 0, (uint8_t)(c->t->i + 1) }, 6) !=
		0)
		tlaw_broken(c, "somebody else's ISID");
	if (!c->is_first && be_get32(bhs + 28) != c->stat_sn)
		tlaw_broken(
		    c, "ExpStatSN %u in a login, StatSN is %u", be_get32(bhs + 28), c->stat_sn);
	if (!c->is_first && be_get32(bhs + 24) != c->exp_cmd_sn)
		tlaw_broken(c, "another CmdSN in a login");
}

/* How many bytes the CDB moves; UINT32_MAX: it is not known. */
static uint32_t
cdb_bytes(const uint8_t *cdb)
{
	switch (cdb[0]) {
	case 0x28:
	case 0x2a:
		return be_get16(cdb + 7) * SIM_BLOCK;
	case 0x88:
	case 0x8a:
		return be_get32(cdb + 10) * SIM_BLOCK;
	case 0x93:
		return SIM_BLOCK;
	case 0x42:
		return be_get16(cdb + 7);
	case 0x00:
	case 0x35:
	case 0x91:
	case 0x1b:
		return 0;
	}
	return UINT32_MAX;
}

/* Section 11.3, 4.2.5.2 and 13.10 to 13.14. */
void
tlaw_command(struct tconn *c, const uint8_t *bhs, uint32_t n)
{
	bool is_final = (bhs[1] & 0x80) != 0, is_read = (bhs[1] & 0x40) != 0,
	     is_write = (bhs[1] & 0x20) != 0;
	uint32_t edtl = be_get32(bhs + 20), moves = cdb_bytes(bhs + 32);

	if ((bhs[0] & 0x40) != 0)
		tlaw_broken(c, "an immediate command");
	if (be_get32(bhs + 16) == NO_TAG)
		tlaw_broken(c, "a command without a tag");
	if (is_read && is_write)
		tlaw_broken(c, "a command of both directions");
	if (moves != UINT32_MAX && moves != edtl)
		tlaw_broken(c, "%u bytes for a CDB %02x that moves %u", edtl, bhs[32], moves);
	if ((is_read || is_write) != (edtl > 0))
		tlaw_broken(c, "a command of %u bytes and flags %02x", edtl, bhs[1]);
	if (!is_write && (!is_final || n > 0))
		tlaw_broken(c, "data of a command that writes nothing");
	if (n > 0 && !c->p.immediate_data)
		tlaw_broken(c, "immediate data, and ImmediateData is No");
	if (n > edtl || (n > c->p.first_burst && n > 0))
		tlaw_broken(
		    c, "%u bytes of immediate data, FirstBurstLength %u", n, c->p.first_burst);
	if (!is_final && c->p.initial_r2t)
		tlaw_broken(c, "unsolicited data, and InitialR2T is Yes");
	if (!is_final && n >= (edtl < c->p.first_burst ? edtl : c->p.first_burst))
		tlaw_broken(c, "a command without F whose data is all there");
	if ((bhs[1] & 7) != 1 && (bhs[1] & 7) != 0)
		tlaw_broken(c, "task attribute %u", bhs[1] & 7);
	if (bhs[8] != 0 && bhs[8] != 0xc1)
		tlaw_broken(c, "a LUN of %02x", bhs[8]);
}

/* Section 11.7; DataPDUInOrder and DataSequenceInOrder are Yes. */
void
tlaw_data_out(struct tconn *c, const struct ttask *k, const uint8_t *bhs, uint32_t n)
{
	uint32_t ttt = be_get32(bhs + 20), offset = be_get32(bhs + 40), sn = be_get32(bhs + 36);
	uint32_t end = k->edtl < c->p.first_burst ? k->edtl : c->p.first_burst;
	bool is_final = (bhs[1] & 0x80) != 0;

	if (memcmp(bhs + 8, k->lun, 8) != 0)
		tlaw_broken(c, "Data-Out with another LUN");
	if (ttt == NO_TAG) {
		if (!k->is_unsolicited)
			tlaw_broken(c, "unsolicited data that nobody announced");
		if (sn != k->unsol_sn || offset != k->got)
			tlaw_broken(c, "Data-Out %u at %u instead of %u at %u", sn, offset,
			    k->unsol_sn, k->got);
		if (n == 0 || n > end - offset || is_final != (offset + n == end))
			tlaw_broken(c, "%u bytes of unsolicited data at %u of %u, F %u", n, offset,
			    end, is_final);
		return;
	}
	for (unsigned i = 0; i < k->r2ts; i++) {
		const struct tr2t *r = &k->r2t[i];

		if (r->ttt != ttt)
			continue;
		if (sn != r->data_sn || offset != r->offset || n == 0 || n > r->end - offset)
			tlaw_broken(c, "Data-Out %u of %u bytes at %u instead of %u at %u", sn, n,
			    offset, r->data_sn, r->offset);
		if (is_final != (offset + n == r->end))
			tlaw_broken(
			    c, "F %u of Data-Out at %u of %u", is_final, offset + n, r->end);
		return;
	}
	tlaw_broken(c, "Data-Out for an R2T %x that is not outstanding", ttt);
}
