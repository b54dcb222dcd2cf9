/* What the files of a replay share: play*.c.  Nobody else includes this. */
#ifndef ISCSI_REPLAY_PLAY_IMPL_H
#define ISCSI_REPLAY_PLAY_IMPL_H

#include "tools/iscsi_replay/guess.h"
#include "tools/iscsi_replay/play.h"
#include "tools/iscsi_replay/sent.h"

/* Users' data of one command: it is read and written nowhere, but has to have a place. */
#define PLAY_DATA_BYTES (64u << 20)

/* Commands given up that are looked for; others are not given up again. */
#define PLAY_TASK_ENDS 1024
/* Places that may be looked at for one PDU, on the average: who made the file may want it to take
 * for ever. */
#define PLAY_WORK 10000u

struct player {
	const struct talks_one *c;
	struct play *ret;
	struct guess guess;
	struct sess *s;
	struct sent sent;
	uint64_t now;
	uint8_t *data;                   /* of all commands: as long as the longest */
	size_t task_end[PLAY_TASK_ENDS]; /* PDUs of the initiator that end a task */
	size_t n_task_ends;
	bool is_closed; /* by the core */
	bool is_stuck;  /* it cannot go on: why is written */
	enum conn_result close_why;
	bool is_login_over; /* it failed, or the target sent it elsewhere */
};

__attribute__((format(printf, 3, 4))) void play_note(
    struct player *p, size_t pdu, const char *fmt, ...);
/* It cannot go on. */
__attribute__((format(printf, 2, 3))) void play_stop(struct player *p, const char *fmt, ...);

/* play_ask.c: have the core want what made the initiator send this. */
void play_ask(struct player *p, const struct talks_pdu *pdu, size_t i);
/* play_target.c: the target's PDU. */
void play_target(struct player *p, const struct talks_pdu *pdu);
/* All that the core has to say. */
void play_drain(struct player *p);
/* All that it has to send. */
void play_pull(struct player *p);
bool play_has_header_digest(const struct player *p);
bool play_has_data_digest(const struct player *p);
/* play_compare.c: a PDU of the initiator with what the core sends. */
void play_compare(struct player *p, const struct talks_pdu *pdu, size_t i);

#endif
