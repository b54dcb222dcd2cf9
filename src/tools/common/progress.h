/* The progress of a scan, or of waiting, on a terminal: one line that is written over, and gone at
 * the end. */
#ifndef TOOLS_PROGRESS_H
#define TOOLS_PROGRESS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

struct progress {
	FILE *out;
	bool is_on, is_drawn;
	bool is_told; /* to a program: say_progress() */
	int width;
	char counts[3][32]; /* "discovery 1/3", in the scan's order */
};

/* `is_on` false: nothing is ever written.  `width`: the terminal's columns. */
void progress_init(struct progress *p, FILE *out, bool is_on, int width);
/* The same for the standard error: on where that is a terminal. */
void progress_init_stderr(struct progress *p);
/* Every report, for a program that asked for them: an object a line of the standard error. */
void progress_init_told(struct progress *p);
/* One of the driver's reports (doc/control-protocol.md, scan); an ipc_progress. */
void progress_report(void *progress, const json_t *report);
/* The same of session.renew. */
void progress_renew(void *progress, const json_t *report);
/* The same of device.wait. */
void progress_wait(void *progress, const json_t *report);
/* Take the line away, before anything else is written. */
void progress_end(struct progress *p);

#endif
