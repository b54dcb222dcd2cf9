/*
 * What the commands say to people.  Text that a stranger may have written (a
 * target's strings, an answer from a socket) is made harmless: base/visible.h.
 */
#ifndef TOOLS_SAY_H
#define TOOLS_SAY_H

#include <stdio.h>

/* Before anything else.  `program` is borrowed; sentences go to `err`. */
void say_init(const char *program, FILE *err);
const char *say_program(void);

/*
 * "program: what happened: why. Next: what to do."  The text is `fmt`, a full
 * stop is added where it has none; `next` may be NULL.
 */
void say_problem(const char *next, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* "program: text." that is no complaint. */
void say_note(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Print `text` made harmless. */
void say_text(FILE *out, const char *text);
/* A copy of `text` made harmless; the caller frees it. */
char *say_clean(const char *text);
/* printf() into memory that the caller frees. */
char *say_format(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* A command that has no memory left can only say so: returns p, or ends the process. */
void *say_need(void *p);

#endif
