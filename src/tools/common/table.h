/*
 * A table whose columns grow with their content, with a header, a line of
 * '=' under it, and lines that belong to the row above them.
 */
#ifndef TOOLS_TABLE_H
#define TOOLS_TABLE_H

#include <stdbool.h>
#include <stdio.h>

struct table_column {
	const char *title;
	unsigned width_min; /* gap to the next column not counted */
	unsigned gap;
	bool is_right; /* aligned to the right */
};

struct table;

/* `columns` is borrowed.  Never NULL. */
struct table *table_new(const struct table_column *columns, size_t n);
void table_free(struct table *t);
/* n cells, copied and made harmless. */
void table_row(struct table *t, const char *const *cells);
/* A line under the last row, indented to where the column `indent` starts. */
void table_line(struct table *t, size_t indent, const char *text);
/* The same of a sentence, which goes on where it began when a terminal is too narrow for it. */
void table_note(struct table *t, size_t indent, const char *text);
/*
 * Lines of cells are no wider than `width` (0: as wide as they are): the last column's cells lose
 * their beginning, for names differ at their ends, but keep `least` characters.
 */
void table_fit(struct table *t, size_t width, size_t least);
/* Nothing at all where there is no row. */
void table_print(const struct table *t, FILE *out);

#endif
