/* What a person should know about a discovery: a few sentences, each once. */
#ifndef ISLPD_NOTES_H
#define ISLPD_NOTES_H

#include <stddef.h>

#define NOTES_MAX  32
#define NOTE_BYTES 320

struct notes {
	size_t n;
	size_t left_out; /* that did not fit */
	char texts[NOTES_MAX][NOTE_BYTES];
};

/* It is logged, too.  What is too long is cut. */
void notes_add(struct notes *n, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
