/* Where the log's lines go: their form, and writing one with or without waiting. */
#ifndef SYS_LOG_OUT_H
#define SYS_LOG_OUT_H

#include "sys/log_ring.h"

struct log_out {
	const char *program; /* borrowed */
	enum log_target target;
	bool to_journal; /* the standard error is the journal's: "<N>text" */
	int fd;          /* for the log daemon, or -1 */
};

/*
 * 0, or a negative errno: the line is lost.  With may_wait it may take for
 * ever; without, -EAGAIN where it would wait.  Any thread.
 */
int log_out_write(const struct log_out *o, const struct log_line *line, bool may_wait);

#endif
