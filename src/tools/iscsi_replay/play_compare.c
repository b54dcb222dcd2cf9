#include <stdlib.h>

#include "base/seq.h"
#include "core/pdu_field.h"
#include "core/tapmask.h"
#include "tools/common/say.h"
#include "tools/iscsi_replay/play_impl.h"

/* Numbers that each has by itself, or that may be behind: Data-Out that was made earlier. */
static bool
may_differ(uint8_t opcode, const struct pdu_field *mine, const struct pdu_field *theirs)
{
	if (strcmp(mine->name, "itt") == 0)
		return true;
	return opcode == PDU_DATA_OUT && strcmp(mine->name, "exp_stat_sn") == 0 &&
	       !seq_lt(theirs->number, mine->number);
}

static void
compare_fields(struct player *p, const uint8_t *mine, const uint8_t *theirs, size_t i)
{
	struct pdu_field a[PDU_FIELDS_MAX], b[PDU_FIELDS_MAX];
	size_t n = pdu_fields(mine, a);
	uint8_t opcode = pdu_opcode(mine);

	(void)pdu_fields(theirs, b); /* the same opcode, the same fields */
	for (size_t j = 0; j < n; j++) {
		if (a[j].kind == PDU_FIELD_BYTES) {
			if (memcmp(a[j].bytes, b[j].bytes, a[j].len) != 0)
				play_note(
				    p, i, "%s: %s is another one", pdu_name(opcode), a[j].name);
		} else if (a[j].number != b[j].number && !may_differ(opcode, &a[j], &b[j])) {
			play_note(p, i, "%s: %s is %u, and the core sends %u", pdu_name(opcode),
			    a[j].name, b[j].number, a[j].number);
		}
	}
	if (((mine[0] ^ theirs[0]) & 0x40) != 0)
		play_note(p, i, "%s: one is immediate, the other is not", pdu_name(opcode));
	if (pdu_data_bytes(mine) != pdu_data_bytes(theirs))
		play_note(p, i, "%s: its data segment has %u bytes, and the core's has %u",
		    pdu_name(opcode), pdu_data_bytes(theirs), pdu_data_bytes(mine));
}

/* The first pair of a text in which two texts differ: its key alone, for its value may be a secret.
 */
static const char *
key_at(const char *text, size_t at, char buf[static LIMIT_KEY_NAME_BYTES + 1])
{
	size_t from = at, n;

	while (from > 0 && text[from - 1] != '\0')
		from--;
	n = strcspn(text + from, "=");
	if (n > LIMIT_KEY_NAME_BYTES)
		n = LIMIT_KEY_NAME_BYTES;
	memcpy(buf, text + from, n);
	buf[n] = '\0';
	return buf;
}

/* Secrets are in neither of them. */
static void
compare_text(struct player *p, const struct sent_pdu *mine, const struct talks_pdu *pdu, size_t i)
{
	size_t head = PDU_BHS_BYTES + (play_has_header_digest(p) ? PDU_DIGEST_BYTES : 0);
	uint32_t n = mine->len, at = 0;
	char key[LIMIT_KEY_NAME_BYTES + 1];
	struct tapmask mask[2] = { { 0 }, { 0 } };
	uint8_t *theirs;

	if (n == 0 || n != pdu_data_bytes(pdu->bytes) || pdu->kept < head + n)
		return;
	theirs = say_need(malloc((size_t)n + 1));
	memcpy(theirs, pdu->bytes + head, n);
	theirs[n] = '\0';
	tapmask_apply(&mask[0], theirs, n);
	tapmask_apply(&mask[1], mine->data, n);
	while (at < n && theirs[at] == mine->data[at])
		at++;
	if (at < n)
		play_note(p, i, "%s: the core sends another text, from the key %s on",
		    pdu_name(pdu_opcode(mine->bhs)), key_at((const char *)theirs, at, key));
	free(theirs);
}

void
play_compare(struct player *p, const struct talks_pdu *pdu, size_t i)
{
	uint8_t opcode = pdu_opcode(pdu->bytes);
	struct sent_pdu *mine = sent_find(&p->sent, pdu->bytes);

	if (mine == NULL) {
		play_note(p, i, "%s: the core does not send it", pdu_name(opcode));
		return;
	}
	compare_fields(p, mine->bhs, pdu->bytes, i);
	if (opcode == PDU_LOGIN_REQUEST || opcode == PDU_TEXT_REQUEST)
		compare_text(p, mine, pdu, i);
	sent_pair(&p->sent, mine, pdu->bytes);
	(void)sent_next(&p->sent); /* those that are gone make room */
}
