#include <stdlib.h>

#include "tools/common/say.h"
#include "tools/iscsi_replay/play_impl.h"

static void
done(struct req *r)
{
	(void)r; /* the replay frees it where it is handed back */
}

/* When the initiator gave the command up: milliseconds; 0: it did not. */
static uint32_t
patience(struct player *p, size_t i)
{
	const struct talks_pdu *command = &p->c->pdu[i];

	for (size_t j = 0; j < p->n_task_ends; j++) {
		const struct talks_pdu *t = &p->c->pdu[p->task_end[j]];

		p->sent.work++;
		if (p->task_end[j] > i && memcmp(t->bytes + 20, command->bytes + 16, 4) == 0 &&
		    t->at_us >= command->at_us + 1000 && t->at_us - command->at_us < 1000000000000)
			return (uint32_t)((t->at_us - command->at_us) / 1000);
	}
	return 0;
}

static void
ask_command(struct player *p, const struct talks_pdu *pdu, size_t i)
{
	struct pdu_scsi_command c;
	struct req *r;

	pdu_get_scsi_command(pdu->bytes, &c);
	if (c.expected_data_transfer_length > PLAY_DATA_BYTES) {
		play_stop(p, "a command of %u bytes is more than is replayed",
		    c.expected_data_transfer_length);
		return;
	}
	r = say_need(calloc(1, sizeof *r));
	memcpy(r->cdb, c.cdb, sizeof r->cdb);
	memcpy(r->lun, c.lun, sizeof r->lun);
	r->dir = c.read ? REQ_READ : c.write ? REQ_WRITE : REQ_NONE;
	r->attr = (enum req_attr)c.attr;
	r->data = p->data;
	r->data_len = r->dir == REQ_NONE ? 0 : c.expected_data_transfer_length;
	r->timeout_ms = patience(p, i);
	r->done = done;
	sess_submit(p->s, r, p->now);
}

static void
ask_text(struct player *p, const struct talks_pdu *pdu)
{
	static const char key[] = "SendTargets=";
	size_t head = PDU_BHS_BYTES + (play_has_header_digest(p) ? PDU_DIGEST_BYTES : 0);
	size_t n = pdu->kept > head ? pdu->kept - head : 0;
	char what[LIMIT_ISCSI_NAME_BYTES + 1];

	if (n <= sizeof key - 1 || memcmp(pdu->bytes + head, key, sizeof key - 1) != 0)
		return;
	n -= sizeof key - 1;
	if (n >= sizeof what)
		n = sizeof what - 1;
	memcpy(what, pdu->bytes + head + sizeof key - 1, n);
	what[n] = '\0';
	(void)sess_send_targets(p->s, what, p->now); /* what the core does not send is told */
}

void
play_ask(struct player *p, const struct talks_pdu *pdu, size_t i)
{
	/* What cannot be asked for is not sent, and that is told. */
	switch (pdu_opcode(pdu->bytes)) {
	case PDU_SCSI_COMMAND:
		ask_command(p, pdu, i);
		break;
	case PDU_NOP_OUT:
		if (be_get32(pdu->bytes + 16) != PDU_NO_TAG)
			(void)sess_ping(p->s, pdu_data_bytes(pdu->bytes), NULL, p->now);
		break;
	case PDU_TEXT_REQUEST:
		ask_text(p, pdu);
		break;
	case PDU_LOGOUT_REQUEST:
		(void)sess_logout(p->s, p->now);
		break;
	}
}
