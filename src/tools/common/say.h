/*
 * What the commands say to people.  Text that a stranger may have written (a
 * target's strings, an answer from a socket) is made harmless: base/visible.h.
 */
#ifndef TOOLS_SAY_H
#define TOOLS_SAY_H

#include <jansson.h>
#include <stdio.h>

#include "ipc/ops.h"

/* Before anything else.  `program` is borrowed; sentences go to `err`. */
void say_init(const char *program, FILE *err);
const char *say_program(void);
/* From now on each sentence is a line of JSON: {"error":{"code","message","next",…}}, {"note":…}.
 */
void say_as_json(void);
bool say_is_json(void);

/*
 * "program: what happened: why. Next: what to do."  The text is `fmt`, a full
 * stop is added where it has none; `next` may be NULL.  Of a wrong command line or argument: its
 * code is INVALID.
 */
void say_problem(const char *next, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* The same of anything else; members of `extra` (NULL: none) stand beside the JSON's. */
void say_failure(enum ipc_error_code code, const json_t *extra, const char *next, const char *fmt,
    ...) __attribute__((format(printf, 4, 5)));
/* "program: text." that is no complaint. */
void say_note(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* {"progress":report}, a line that is JSON whatever sentences are; at once. */
void say_progress(const json_t *report);

/* Print `text` made harmless. */
void say_text(FILE *out, const char *text);
/* A copy of `text` made harmless; the caller frees it. */
char *say_clean(const char *text);
/* printf() into memory that the caller frees. */
char *say_format(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* A command that has no memory left can only say so: returns p, or ends the process. */
void *say_need(void *p);

#endif
