/*
 * What any target may expect of any PDU, whatever the scenario is about:
 * RFC 7143, sections 4.2.2 and 11.
 */
#include "world.h"

static uint32_t
get(const struct wire_pdu *p, const char *field)
{
	return (uint32_t)wire_get_named(p, field);
}

/* Section 4.2.2.1. */
static void
check_cmd_sn(struct world *w, const struct wire_pdu *p)
{
	uint32_t cmd_sn = get(p, "cmd_sn"), max = w->exp_cmd_sn + w->window - 1;

	if (wire_field(p->kind, "cmd_sn") == NULL)
		return;
	if (p->kind->opcode == 0x03) {
		if (!w->full_feature)
			w->exp_cmd_sn = cmd_sn;
		return;
	}
	if (cmd_sn != w->exp_cmd_sn)
		world_fail(
		    w, "%s: CmdSN %u, the next one is %u", p->kind->name, cmd_sn, w->exp_cmd_sn);
	if (get(p, "immediate") != 0)
		return;
	if (w->window_is_fixed)
		max = w->window_closed_at;
	if ((int32_t)(cmd_sn - max) > 0)
		world_fail(w, "%s: CmdSN %u is beyond MaxCmdSN %u", p->kind->name, cmd_sn, max);
	w->exp_cmd_sn++;
}

/* Section 4.2.2.2: an acknowledgement never runs ahead, nor back. */
static void
check_exp_stat_sn(struct world *w, const struct wire_pdu *p)
{
	uint32_t sn = get(p, "exp_stat_sn");

	if (!w->full_feature && p->kind->opcode == 0x03)
		return;
	if ((int32_t)(sn - w->stat_sn) > 0)
		world_fail(w, "%s: ExpStatSN %u, but StatSN %u was not sent yet", p->kind->name, sn,
		    w->stat_sn);
	if (w->last_exp_stat_sn != 0 && (int32_t)(sn - w->last_exp_stat_sn) < 0)
		world_fail(w, "%s: ExpStatSN went back from %u to %u", p->kind->name,
		    w->last_exp_stat_sn, sn);
	w->last_exp_stat_sn = sn;
}

void
law_check(struct world *w, const struct wire_pdu *p)
{
	int reserved = wire_reserved_bit(p);

	if (reserved >= 0)
		world_fail(w, "%s: a reserved bit of byte %d is set", p->kind->name, reserved);
	if (p->bhs[4] != 0)
		world_fail(w, "%s: an additional header segment", p->kind->name);
	if (p->len > (w->full_feature ? w->max_recv_dsl : 8192))
		world_fail(w, "%s: %zu bytes are more than MaxRecvDataSegmentLength", p->kind->name,
		    p->len);
	check_cmd_sn(w, p);
	check_exp_stat_sn(w, p);
	/* Section 11.2.1.8 (login: 11.12.1): only a NOP-Out that answers has no tag. */
	if (get(p, "itt") == WIRE_NO_TAG && p->kind->opcode != 0x00)
		world_fail(w, "%s: no Initiator Task Tag", p->kind->name);
	if ((p->kind->opcode == 0x03) == w->full_feature)
		world_fail(w, "%s: does not belong to this phase", p->kind->name);
}
