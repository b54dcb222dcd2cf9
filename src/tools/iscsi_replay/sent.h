/*
 * What the core sends in a replay: its PDUs, in the capture's numbers, until the capture has
 * them too.
 */
#ifndef ISCSI_REPLAY_SENT_H
#define ISCSI_REPLAY_SENT_H

#include <stddef.h>

#include "core/sess.h"

/* PDUs that wait, and of them so many are looked at for one of the capture. */
#define SENT_MAX  65536u
#define SENT_LOOK 4096u
struct sent_pdu {
	uint8_t bhs[PDU_BHS_BYTES];
	uint32_t core_itt; /* as the core has it */
	uint32_t len;
	uint8_t *data; /* len bytes of a PDU that is no user's data, else NULL; owned */
	bool is_gone;
};

/* Task tags of the core, and those of the capture for the same. */
struct sent_tag {
	uint32_t core, capture;
};

struct sent {
	uint32_t cmd_sn;      /* the capture's first CmdSN: the core's is 0 */
	struct sent_pdu *pdu; /* from `first` to n */
	size_t first, n, cap;
	struct sent_tag *tag;
	size_t n_tags, tags_cap;
	uint64_t work; /* places looked at so far */
};

void sent_free(struct sent *q);
/* The core had so many bytes to send.  False: they are no PDUs, or too many. */
bool sent_take(
    struct sent *q, const uint8_t *bytes, size_t n, bool header_digest, bool data_digest);
/* Takes the PDU that a PDU of the initiator should be, or NULL; valid until the next sent_take().
 */
struct sent_pdu *sent_find(struct sent *q, const uint8_t *bhs);
/* That one is the initiator's: their tags belong together. */
void sent_pair(struct sent *q, const struct sent_pdu *p, const uint8_t *bhs);
/* The next that is left, or NULL. */
const struct sent_pdu *sent_next(struct sent *q);
/* The core's tag for one of the capture; itself where it has none. */
uint32_t sent_core_tag(struct sent *q, uint32_t capture);

#endif
