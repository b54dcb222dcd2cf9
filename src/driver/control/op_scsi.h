/*
 * A command that somebody else wrote, from its request to its answer: what is asked for
 * (op_scsi_check.c), its way (op_scsi.c), what is told of it (op_scsi_answer.c).
 */
#ifndef CONTROL_OP_SCSI_H
#define CONTROL_OP_SCSI_H

#include <jansson.h>

#include "driver/control/later.h"
#include "driver/iscsial/holders.h"
#include "driver/iscsial/registrants.h"

struct passing {
	struct later later; /* first: freed as one */
	struct passing_to to;
	struct hwpath path; /* n is 0 where it has no node */
	char name[32];
	uint8_t cdb[CDB_BYTES];
	uint8_t *data; /* owned until the command has it */
	uint32_t out, in, timeout_ms, got;
	bool is_forced;
	struct loop_fd fd; /* its data come by it; -1: they do not */
	struct agenda_timer patience;
	struct agenda_timer tick; /* progress: it is still under way */
	struct mail_pass *answer;
	size_t paths, failed;
};

/*
 * What the request says of the command: cdb, data, in, out, timeout_ms, is_forced; for unit.reserve
 * it is one of two commands.  *ret_f is set where it cannot be done.
 */
void op_scsi_check(struct passing *p, bool is_reserve, struct fault *ret_f);
/* For which unit: to, path, name. */
void op_scsi_find(struct passing *p, bool is_reserve, struct fault *ret_f);

/* The answer, but for who has the unit reserved.  The command is borrowed. */
json_t *op_scsi_show(const struct mail_pass *q);
/* "conflict": who holds the reservation. */
json_t *op_scsi_show_holders(const struct holders *h);

#endif
