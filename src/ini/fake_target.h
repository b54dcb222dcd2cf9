/* The target at the far end of a line of fake_world.h. */
#ifndef INI_FAKE_TARGET_H
#define INI_FAKE_TARGET_H

#include "ini/fake_world.h"

/* A PDU that the target will send, or the end of the line. */
struct fake_pdu {
	struct list link;
	uint64_t at_us;
	bool is_end;
	size_t n;
	uint8_t bytes[];
};

struct fake_line {
	struct list link;
	struct fake_world *w;
	struct login_run *run;
	struct agenda_timer dialed, tick;
	struct agenda_work flush;
	struct sess *sess; /* NULL: not connected */
	bool is_closing;
	int err;
	enum conn_result why;
	char host[64];
	uint32_t tpgt; /* of its login */
	/* The target. */
	uint8_t in[65536];
	size_t n_in;
	struct agenda_timer send;
	struct list out; /* struct fake_pdu, by time */
	uint32_t stat_sn, exp_cmd_sn;
	bool is_online;                      /* as the target sees it */
	bool is_welcome;                     /* its last login response has arrived */
	uint32_t time2wait_s, time2retain_s; /* negotiated, or announced and arrived */
};

void fake_line_kick(struct fake_line *l);
void fake_line_deliver(struct fake_line *l, const uint8_t *bytes, size_t n);
void fake_line_end(struct fake_line *l, int err);
void fake_line_dialed(struct agenda_timer *t);

void fake_target_init(struct fake_line *l);
void fake_target_reset(struct fake_line *l);
void fake_target_fini(struct fake_line *l);
/* Send a PDU with a StatSN; the lengths and sequence numbers are filled in. */
void fake_target_put(struct fake_line *l, uint8_t *bhs, const void *data, uint32_t n);
#define FAKE_TEXT_BYTES 8192
/* A Login Request with its text. */
void fake_target_login(struct fake_line *l, const uint8_t *req, const char *text, size_t n);
/* The target closes, in order, when what it sent before has arrived. */
void fake_target_hang_up(struct fake_line *l);
/* The initiator sent these. */
void fake_target_bytes(struct fake_line *l, const void *bytes, size_t n);
void fake_target_async(
    struct fake_line *l, uint8_t event, const uint16_t parameter[3], uint16_t asc);

#endif
