#include "tools/iscsi_replay/sent.h"

#include <stdlib.h>

#include "tools/common/say.h"

/* Tags of the past that are looked through. */
#define TAGS_LOOK 4096u

void
sent_free(struct sent *q)
{
	for (size_t i = q->first; i < q->n; i++)
		free(q->pdu[i].data);
	free(q->pdu);
	free(q->tag);
	*q = (struct sent){ 0 };
}

static bool
is_user_data(uint8_t opcode)
{
	return opcode == PDU_SCSI_COMMAND || opcode == PDU_DATA_OUT;
}

/* The capture's tag of one of the core's; false: it has none yet. */
static bool
capture_tag(struct sent *q, uint32_t core, uint32_t *ret)
{
	for (size_t i = q->n_tags, left = TAGS_LOOK; i > 0 && left > 0; i--, left--, q->work++)
		if (q->tag[i - 1].core == core) {
			*ret = q->tag[i - 1].capture;
			return true;
		}
	return false;
}

uint32_t
sent_core_tag(struct sent *q, uint32_t capture)
{
	for (size_t i = q->n_tags, left = TAGS_LOOK; i > 0 && left > 0; i--, left--, q->work++)
		if (q->tag[i - 1].capture == capture)
			return q->tag[i - 1].core;
	return capture;
}

/* Numbers that the capture has another beginning of. */
static void
translate(struct sent *q, uint8_t *bhs)
{
	uint8_t opcode = pdu_opcode(bhs);
	uint32_t tag;

	if (capture_tag(q, be_get32(bhs + 16), &tag) && opcode == PDU_DATA_OUT)
		be_put32(bhs + 16, tag);
	if (opcode != PDU_DATA_OUT)
		be_put32(bhs + 24, be_get32(bhs + 24) + q->cmd_sn);
	if (opcode != PDU_TMF_REQUEST)
		return;
	if (capture_tag(q, be_get32(bhs + 20), &tag))
		be_put32(bhs + 20, tag);
	if ((bhs[1] & 0x7f) == SESS_TMF_ABORT_TASK)
		be_put32(bhs + 32, be_get32(bhs + 32) + q->cmd_sn);
}

static struct sent_pdu *
append(struct sent *q)
{
	if (q->first > SENT_LOOK && q->first > q->n / 2) {
		memmove(q->pdu, q->pdu + q->first, (q->n - q->first) * sizeof *q->pdu);
		q->n -= q->first;
		q->first = 0;
	}
	if (q->n == q->cap) {
		q->cap = q->cap * 2 + 64;
		q->pdu = say_need(realloc(q->pdu, q->cap * sizeof *q->pdu));
	}
	return &q->pdu[q->n++];
}

bool
sent_take(struct sent *q, const uint8_t *bytes, size_t n, bool header_digest, bool data_digest)
{
	while (n > 0) {
		size_t head = PDU_BHS_BYTES + (header_digest ? PDU_DIGEST_BYTES : 0), whole;
		struct sent_pdu *p;
		uint32_t len;

		if (n < head || q->n - q->first >= SENT_MAX)
			return false;
		len = pdu_data_bytes(bytes);
		whole = head + len + pdu_pad(len) + (data_digest && len > 0 ? PDU_DIGEST_BYTES : 0);
		if (n < whole)
			return false;
		p = append(q);
		*p = (struct sent_pdu){ .core_itt = be_get32(bytes + 16), .len = len };
		memcpy(p->bhs, bytes, PDU_BHS_BYTES);
		if (!is_user_data(pdu_opcode(bytes)) && len > 0) {
			p->data = say_need(malloc(len));
			memcpy(p->data, bytes + head, len);
		}
		bytes += whole;
		n -= whole;
	}
	return true;
}

static bool
is_it(struct sent *q, const struct sent_pdu *p, const uint8_t *bhs)
{
	uint8_t mine[PDU_BHS_BYTES], opcode = pdu_opcode(bhs);

	if (p->is_gone || pdu_opcode(p->bhs) != opcode)
		return false;
	if (opcode == PDU_DATA_OUT && be_get32(p->bhs + 40) != be_get32(bhs + 40))
		return false;
	memcpy(mine, p->bhs, sizeof mine);
	translate(q, mine);
	if (opcode == PDU_DATA_OUT)
		return be_get32(mine + 16) == be_get32(bhs + 16);
	if (opcode == PDU_SCSI_COMMAND)
		return be_get32(mine + 24) == be_get32(bhs + 24);
	return true;
}

struct sent_pdu *
sent_find(struct sent *q, const uint8_t *bhs)
{
	struct sent_pdu *p;

	for (size_t i = q->first; i < q->n && i < q->first + SENT_LOOK; i++, q->work++) {
		p = &q->pdu[i];
		if (!is_it(q, p, bhs))
			continue;
		translate(q, p->bhs);
		p->is_gone = true;
		return p;
	}
	return NULL;
}

void
sent_pair(struct sent *q, const struct sent_pdu *p, const uint8_t *bhs)
{
	uint32_t known;

	if (p->core_itt == PDU_NO_TAG || pdu_opcode(bhs) == PDU_DATA_OUT ||
	    (capture_tag(q, p->core_itt, &known) && known == be_get32(bhs + 16)))
		return;
	if (q->n_tags == q->tags_cap) {
		q->tags_cap = q->tags_cap * 2 + 64;
		q->tag = say_need(realloc(q->tag, q->tags_cap * sizeof *q->tag));
	}
	q->tag[q->n_tags++] = (struct sent_tag){ p->core_itt, be_get32(bhs + 16) };
}

const struct sent_pdu *
sent_next(struct sent *q)
{
	for (; q->first < q->n; q->first++) {
		if (!q->pdu[q->first].is_gone)
			return &q->pdu[q->first];
		free(q->pdu[q->first].data);
		q->pdu[q->first].data = NULL;
	}
	return NULL;
}
