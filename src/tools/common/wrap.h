/* Lines that are no wider than the terminal. */
#ifndef TOOLS_WRAP_H
#define TOOLS_WRAP_H

#include <stdio.h>

/* The columns that may be used of a terminal's line; 0: the stream goes to no terminal. */
size_t wrap_width(FILE *out);
/*
 * A text that begins in `column`, and the end of its line; what does not fit in `width` (0:
 * anything does) goes on at `indent`.  What stands in brackets is kept together.  The text is
 * harmless already.
 */
void wrap_put(FILE *out, const char *text, size_t column, size_t indent, size_t width);

#endif
