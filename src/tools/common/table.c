#include "tools/common/table.h"

#include <stdlib.h>
#include <string.h>

#include "tools/common/say.h"
#include "tools/common/wrap.h"

/* A row of cells, or one line that is not cut into cells. */
struct line {
	char **cells; /* NULL for a line of text */
	char *text;
	size_t indent;
	bool is_wrapped;
};

struct table {
	const struct table_column *columns;
	size_t n_columns;
	struct line *lines;
	size_t n_lines;
	unsigned *widths;
};

static void cut_front(char **name, size_t room);
static struct line *add(struct table *t);
static unsigned width_of(const char *text);
static void put_cells(const struct table *t, FILE *out, char *const *cells);
static void put_line(const struct table *t, FILE *out, const struct line *l);
static void put_blanks(FILE *out, unsigned n);

struct table *
table_new(const struct table_column *columns, size_t n)
{
	struct table *t = say_need(calloc(1, sizeof(*t)));

	t->columns = columns;
	t->n_columns = n;
	t->widths = say_need(calloc(n, sizeof(*t->widths)));
	for (size_t i = 0; i < n; i++) {
		unsigned title = width_of(columns[i].title);

		t->widths[i] = title > columns[i].width_min ? title : columns[i].width_min;
	}
	return t;
}

void
table_free(struct table *t)
{
	for (size_t i = 0; i < t->n_lines; i++) {
		for (size_t j = 0; t->lines[i].cells != NULL && j < t->n_columns; j++)
			free(t->lines[i].cells[j]);
		free(t->lines[i].cells);
		free(t->lines[i].text);
	}
	free(t->lines);
	free(t->widths);
	free(t);
}

void
table_row(struct table *t, const char *const *cells)
{
	struct line *l = add(t);

	l->cells = say_need(calloc(t->n_columns, sizeof(char *)));
	for (size_t i = 0; i < t->n_columns; i++) {
		unsigned width;

		l->cells[i] = say_clean(cells[i]);
		width = width_of(l->cells[i]);
		/* The last column has nothing to its right that would have to line up. */
		if (width > t->widths[i] && i + 1 < t->n_columns)
			t->widths[i] = width;
	}
}

void
table_line(struct table *t, size_t indent, const char *text)
{
	struct line *l = add(t);

	l->indent = indent;
	l->text = say_clean(text);
}

void
table_note(struct table *t, size_t indent, const char *text)
{
	table_line(t, indent, text);
	t->lines[t->n_lines - 1].is_wrapped = true;
}

void
table_fit(struct table *t, size_t width, size_t least)
{
	size_t used = 0, room = least;

	for (size_t i = 0; i + 1 < t->n_columns; i++)
		used += t->widths[i] + t->columns[i].gap;
	if (width > used + least)
		room = width - used;
	for (size_t i = 0; i < t->n_lines && width > 0; i++) {
		char **last =
		    t->lines[i].cells != NULL ? &t->lines[i].cells[t->n_columns - 1] : NULL;

		if (last != NULL)
			cut_front(last, room);
	}
}

void
table_print(const struct table *t, FILE *out)
{
	unsigned rule = 1;

	if (t->n_lines == 0)
		return;
	for (size_t i = 0; i < t->n_columns; i++) {
		const struct table_column *c = &t->columns[i];
		unsigned width = width_of(c->title), fill = t->widths[i] - width;
		bool is_last = i + 1 == t->n_columns;

		put_blanks(out, c->is_right ? fill : 0);
		fputs(c->title, out);
		put_blanks(out, is_last ? 0 : (c->is_right ? 0 : fill) + c->gap);
		rule += is_last ? width : t->widths[i] + c->gap;
	}
	fputc('\n', out);
	for (; rule > 0; rule--)
		fputc('=', out);
	fputc('\n', out);
	for (size_t i = 0; i < t->n_lines; i++) {
		const struct line *l = &t->lines[i];

		if (l->cells != NULL) {
			put_cells(t, out, l->cells);
			continue;
		}
		put_line(t, out, l);
	}
}

/* A name that is too long is what it ends with. */
static void
cut_front(char **name, size_t room)
{
	size_t wide = width_of(*name);
	const char *from = *name;
	char *cut;

	if (wide <= room || room < 4)
		return;
	/* Whole characters of UTF-8. */
	for (size_t n = wide - (room - 3); n > 0; n--)
		do
			from++;
		while (((unsigned char)*from & 0xc0) == 0x80);
	cut = say_format("...%s", from);
	free(*name);
	*name = cut;
}

static struct line *
add(struct table *t)
{
	t->lines = say_need(reallocarray(t->lines, t->n_lines + 1, sizeof(*t->lines)));
	t->lines[t->n_lines] = (struct line){ 0 };
	return &t->lines[t->n_lines++];
}

static void
put_line(const struct table *t, FILE *out, const struct line *l)
{
	unsigned indent = 0;

	for (size_t j = 0; j < l->indent; j++)
		indent += t->widths[j] + t->columns[j].gap;
	put_blanks(out, indent);
	wrap_put(out, l->text, indent, indent, l->is_wrapped ? wrap_width(out) : 0);
}

/* Characters of UTF-8: bytes that do not continue one. */
static unsigned
width_of(const char *text)
{
	unsigned n = 0;

	for (; *text != '\0'; text++)
		n += ((unsigned char)*text & 0xc0) != 0x80;
	return n;
}

/* Blanks are written only before something: no line ends with them. */
static void
put_cells(const struct table *t, FILE *out, char *const *cells)
{
	unsigned blanks = 0;

	for (size_t i = 0; i < t->n_columns; i++) {
		const struct table_column *c = &t->columns[i];
		unsigned width = width_of(cells[i]);
		unsigned fill = t->widths[i] > width ? t->widths[i] - width : 0;

		if (width == 0) {
			blanks += fill + c->gap;
			continue;
		}
		put_blanks(out, blanks + (c->is_right ? fill : 0));
		fputs(cells[i], out);
		blanks = (c->is_right ? 0 : fill) + c->gap;
	}
	fputc('\n', out);
}

static void
put_blanks(FILE *out, unsigned n)
{
	fprintf(out, "%*s", (int)n, "");
}
