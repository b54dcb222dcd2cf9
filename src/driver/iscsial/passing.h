/*
 * Commands that somebody else wrote, from the main loop to the worker that has the unit, and
 * back (lu/pass.h).  Where no disk is shown for the LUN, but it is known which unit stands there,
 * that is asked first.
 */
#ifndef ISCSIAL_PASSING_H
#define ISCSIAL_PASSING_H

#include "driver/iscsi/wanted.h"
#include "driver/iscsial/tree.h"

/* Whom a command is for: a LUN of a session, and who must stand there where that is known. */
struct passing_to {
	uint32_t instance, lun;
	uint8_t wire[LUNS_WIRE_BYTES];
	bool has_id;
	struct identity id;
	bool is_here; /* over this session's path only; else over any of the disk's */
};
void passing_to_node(const struct node *n, struct passing_to *ret);
/* A LUN that is not in the tree; false: no such number. */
bool passing_to_lun(uint32_t instance, uint32_t lun, struct passing_to *ret);

/* A command with room for so many bytes of data (zeros), or none; done() frees it. */
struct mail_pass *passing_new(uint32_t data_bytes, void (*done)(struct question *q), void *user);
struct mail_pass *passing_of(struct question *q);
void passing_free(struct mail_pass *q);
/*
 * Send it.  cdb, dir and timeout_ms of q->pass.req are set; so long it may wait as it may take.
 * done() follows, never from inside: what became of it is q->pass.req.result and q->pass.why.
 */
void passing_send(struct driver *d, const struct passing_to *to, struct mail_pass *q);

#endif
