/*
 * Messages of iSNSP over a TCP connection, both ways.  Never blocks; takes so much in one turn, so
 * that a flood does not stop everything else.  On the loop's thread.
 */
#ifndef IISNSD_STREAM_H
#define IISNSD_STREAM_H

#include "engine/loop.h"
#include "iisnsd/assemble.h"
#include "iisnsd/request.h"

/* What waits to be sent at most: a request, and responses to notifications. */
#define STREAM_OUT_BYTES ((size_t)4 * REQUEST_BYTES)

struct stream {
	/* A message came whole (in->…, until this returns).  May close the stream. */
	void (*message)(struct stream *s, const struct assemble *in);
	/*
	 * It is of no more use, and closed: a negative errno, or 0 where the peer has closed it
	 * between two messages; `why` is a sentence's end.
	 */
	void (*failed)(struct stream *s, int err, const char *why);
	void (*connected)(struct stream *s); /* where it was not when it was started; once */
	void (*amid)(struct stream *s);      /* part of a message has come, the rest has not */

	/* The stream's, as is all that follows. */
	struct loop *loop;
	struct loop_fd sock; /* .fd is -1 where it is closed */
	bool is_connecting;
	struct assemble in;
	uint8_t out[STREAM_OUT_BYTES];
	size_t out_n;
};

/* Before everything else, with the callbacks set; message_bytes: what a message may have. */
void stream_init(struct stream *s, struct loop *loop, size_t message_bytes);
/* A socket that is being connected, or (is_connected) is; it is the stream's from now on, also
 * where that fails.  0 or a negative errno (failed() is not called then). */
int stream_start(struct stream *s, int fd, bool is_connected);
/* False: too much waits, or the stream has failed; failed() was called where it has. */
bool stream_send(struct stream *s, const uint8_t *bytes, size_t n);
/* Nothing is called any more.  Harmless when it is closed. */
void stream_close(struct stream *s);
bool stream_is_open(const struct stream *s);
/* Part of a message has come. */
bool stream_is_amid(const struct stream *s);

#endif
