/* Which rows of the product's tables were visited. */
#ifndef SIM_VISITS_H
#define SIM_VISITS_H

#include "core/sess_impl.h"
#include "lu/blk.h"

void visits_close(enum conn_result why, const struct conn *c);
/* A connection is made. */
void visits_connected(void);
void visits_violation(enum login_violation v);
/* A command's end below SCSI; a request's end. */
void visits_end(const struct req *r);
void visits_result(enum blk_op op, int result);
void visits_fault(unsigned kind);
/* The table; how many rows of it were never visited and are not exempt. */
unsigned visits_print(void);

/* What came of a login's authentication. */
enum visits_auth {
	VISITS_AUTH_NONE,    /* the target wanted none */
	VISITS_AUTH_ONE,     /* the initiator proved itself */
	VISITS_AUTH_BOTH,    /* and asks the target to */
	VISITS_AUTH_ASKED,   /* somebody else is asked about its answer */
	VISITS_AUTH_REFUSED, /* the secret is another one now */
};
void visits_auth(enum visits_auth what);
/* A discovery ended. */
void visits_seek(bool has_failed);

#endif
