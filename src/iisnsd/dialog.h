/*
 * The connection to one server: one question at a time, each with its time limit.  On the loop's
 * thread.
 */
#ifndef IISNSD_DIALOG_H
#define IISNSD_DIALOG_H

#include "iisnsd/stream.h"
#include "names/endpoint.h"

struct dialog {
	void (*connected)(struct dialog *d);
	/* The response to the question; `body` begins with its status. */
	void (*answered)(struct dialog *d, struct cursor body);
	/* The server notifies by this connection; it is answered. */
	void (*notified)(struct dialog *d);
	/* It is over: as stream.h's; -ETIMEDOUT: the question was not answered in time. */
	void (*failed)(struct dialog *d, int err, const char *why);

	/* The dialog's, as is all that follows. */
	struct stream stream;
	struct agenda_timer timer;
	uint64_t limit_us;
	uint16_t function, xid; /* of the question that is out, is_asking */
	bool is_asking;
	unsigned strays;
};

/* Before everything else, with the callbacks set; limit_us: for a connection, and for an answer. */
void dialog_init(struct dialog *d, struct loop *loop, uint64_t limit_us);
/* 0 or a negative errno; failed() is not called then. */
int dialog_open(struct dialog *d, const struct endpoint *to);
/* The transaction ID of the next question. */
uint16_t dialog_next_xid(struct dialog *d);
/* Ask: a whole message of this function and transaction ID.  One that cannot be sent fails later.
 */
void dialog_ask(struct dialog *d, uint16_t function, const uint8_t *bytes, size_t n);
/* Nothing is called any more.  Harmless when it is closed. */
void dialog_close(struct dialog *d);
bool dialog_is_open(const struct dialog *d);
/* Our end of it, with its port.  False: there is none. */
bool dialog_local(const struct dialog *d, struct endpoint *ret);

#endif
