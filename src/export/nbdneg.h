/*
 * How a client gets its disk: the fixed newstyle negotiation of the NBD protocol, on the
 * server's side.  Pure: bytes in, bytes out, a message at a time.
 */
#ifndef EXPORT_NBDNEG_H
#define EXPORT_NBDNEG_H

#include "export/nbdwire.h"

enum nbdneg_state {
	NBDNEG_FLAGS,  /* the client's flags come next */
	NBDNEG_OPTION, /* an option */
	NBDNEG_OPEN,   /* it has its disk: requests follow */
	NBDNEG_END     /* it does not get one: the connection ends when what is said is sent */
};

struct nbdneg {
	enum nbdneg_state state;
	bool has_no_zeroes; /* EXPORT_NAME is answered without 124 zeros */
	bool is_structured;
	uint32_t skip; /* of an option that is too long: so many bytes are passed over */
};

/* The most that one message may have, and that may be said about it. */
#define NBDNEG_IN_BYTES  (16u + 4096u + 64u)
#define NBDNEG_OUT_BYTES 256u
#define NBDNEG_GREETING  18u

/* What is said first. */
size_t nbdneg_greet(uint8_t out[NBDNEG_OUT_BYTES]);
/*
 * Take the next message of the n bytes at `in`: how many bytes it has, and what is said about it,
 * *ret_n bytes of `out`.  0: more must come, or (NBDNEG_OPEN, NBDNEG_END) nothing is taken
 * any more; with NBDNEG_IN_BYTES something is always taken.  `v` is the one disk there is.
 */
size_t nbdneg_take(struct nbdneg *g, const struct nbd_view *v, const uint8_t *in, size_t n,
    uint8_t out[NBDNEG_OUT_BYTES], size_t *ret_n);

#endif
