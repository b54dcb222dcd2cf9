/*
 * Who has a unit reserved: asked of the unit itself, by READ FULL STATUS, and where it does not
 * know that by READ RESERVATION.  On the main loop.
 */
#ifndef ISCSIAL_HOLDERS_H
#define ISCSIAL_HOLDERS_H

#include "driver/iscsial/passing.h"
#include "scsi/reserve.h"

struct holders {
	bool is_known;                /* else it did not tell */
	bool is_held;                 /* `holder` is valid */
	struct reserve_holder holder; /* the first, where all registrants hold it */
};
typedef void holders_done(void *user, const struct holders *h);
/* done() follows, never from inside. */
void holders_ask(struct driver *d, const struct passing_to *to, holders_done *done, void *user);

/* "it is reserved by iqn.… (ISID 00023d000001) with key 0x…, Write Exclusive", or what else there
 * is to say. */
#define HOLDERS_TEXT_BYTES 512
const char *holders_text(const struct holders *h, char ret_text[HOLDERS_TEXT_BYTES]);

#endif
