/*
 * A worker's part of captures (control/op_capture.c): listeners (core/tap.h) on its connections,
 * a ring for each capture, and what sends it to whoever captures.  The socket takes
 * what it takes: nothing waits for it.  On the worker's thread.
 */
#ifndef ISCSI_TAPPING_H
#define ISCSI_TAPPING_H

#include "base/tapring.h"
#include "core/sess.h"
#include "engine/loop.h"

/* One a worker; embedded, zeroed. */
struct tapping {
	struct loop *loop;
	struct list lines;    /* tapping_line.link */
	struct list captures; /* those that listen */
	uint32_t connections; /* so far: their numbers */
};

/* A connection that can be listened to; embedded in whoever has it, zeroed. */
struct tapping_line {
	struct list link;
	struct list listeners;
	struct sess *sess; /* NULL: there is no connection */
	uint32_t connection;
	struct tapring_open open;
};

void tapping_init(struct tapping *t, struct loop *loop);
/* All captures end: their questions are answered. */
void tapping_fini(struct tapping *t);

/* A connection of session `instance` (-1: a discovery) begins; nothing was sent on it. */
void tapping_open(struct tapping *t, struct tapping_line *line, struct sess *s, int32_t instance,
    const char *local, const char *peer);
/* It ended; harmless where there is none. */
void tapping_close(struct tapping *t, struct tapping_line *line, bool is_reset);

struct mail_capture;
/* Listen from now on.  The question is answered when that has ended. */
void tapping_begin(struct tapping *t, struct mail_capture *q);
/* The capture of this number ends as soon as it is told what was recorded. */
void tapping_end(struct tapping *t, uint32_t id);

#endif
