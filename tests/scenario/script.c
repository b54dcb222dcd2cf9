#include "script.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *
grow(void *p, size_t n, size_t size)
{
	p = reallocarray(p, n, size);
	if (p == NULL)
		abort();
	return p;
}

static int
hex(char c)
{
	const char *digits = "0123456789abcdef", *at = c != '\0' ? strchr(digits, c) : NULL;

	return at != NULL ? (int)(at - digits) : -1;
}

/* A backslash was read; returns what it stands for, or -1. */
static int
escape(const char **p)
{
	char c = *(*p)++;
	int high, low;

	switch (c) {
	case '0':
		return '\0';
	case 'n':
		return '\n';
	case '\\':
	case '"':
		return c;
	case 'x':
		high = hex((*p)[0]);
		low = high >= 0 ? hex((*p)[1]) : -1;
		if (low < 0)
			return -1;
		*p += 2;
		return high << 4 | low;
	}
	return -1;
}

/* "{a*9000}": that many of that character.  Returns how many, and moves behind it; 0: it is
 * something else. */
static size_t
repeat(const char **p)
{
	char c;
	unsigned n;
	int used = 0;

	if (sscanf(*p, "{%c*%u}%n", &c, &n, &used) != 2 || used == 0)
		return 0;
	*p += used;
	return n;
}

/* The next word of a line: 1, 0 at the end, -1 when it is malformed. */
static int
next_word(const char **p, struct word *ret_word)
{
	bool quoted = false;
	char *out;
	size_t n = 0;

	*p += strspn(*p, " \t");
	if (**p == '\0' || **p == '#')
		return 0;
	out = grow(NULL, strlen(*p) + 1, 1);
	while (**p != '\0' && (quoted || strchr(" \t", **p) == NULL)) {
		char of = (*p)[0] == '{' ? (*p)[1] : '\0';
		size_t many = repeat(p);
		int c;

		if (many > 0) {
			out = grow(out, n + many + strlen(*p) + 1, 1);
			memset(out + n, of, many);
			n += many;
			continue;
		}
		c = (unsigned char)*(*p)++;
		if (c == '"') {
			quoted = !quoted;
			continue;
		}
		if (quoted && c == '\\' && (c = escape(p)) < 0)
			return -1;
		out[n++] = (char)c;
	}
	out[n] = '\0';
	*ret_word = (struct word){ .text = out, .len = n };
	return quoted ? -1 : 1;
}

static int
split(const char *text, struct line *ret_line)
{
	struct word w;
	int got;

	while ((got = next_word(&text, &w)) > 0) {
		ret_line->word = grow(ret_line->word, ret_line->words + 1, sizeof w);
		ret_line->word[ret_line->words++] = w;
	}
	return got;
}

static bool
add_line(struct script *s, const char *path, struct line *line)
{
	struct scenario *sc;

	if (strcmp(line->word[0].text, "scenario") == 0) {
		if (line->words != 2) {
			fprintf(stderr, "%s:%u: a scenario has one name\n", path, line->number);
			return false;
		}
		s->scenario = grow(s->scenario, s->scenarios + 1, sizeof *sc);
		s->scenario[s->scenarios++] =
		    (struct scenario){ .file = path, .name = line->word[1].text };
		free(line->word[0].text);
		free(line->word);
		return true;
	}
	if (s->scenarios == 0 || strcmp(s->scenario[s->scenarios - 1].file, path) != 0) {
		fprintf(stderr, "%s:%u: this belongs to no scenario\n", path, line->number);
		return false;
	}
	sc = &s->scenario[s->scenarios - 1];
	sc->line = grow(sc->line, sc->lines + 1, sizeof *line);
	sc->line[sc->lines++] = *line;
	return true;
}

bool
script_read(struct script *s, const char *path)
{
	FILE *f = fopen(path, "r");
	char *text = NULL;
	size_t size = 0;
	ssize_t n;
	bool ok = true;

	if (f == NULL) {
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
		return false;
	}
	for (unsigned number = 1; ok && (n = getline(&text, &size, f)) >= 0; number++) {
		struct line line = { .number = number };

		text[strcspn(text, "\n")] = '\0';
		if (split(text, &line) < 0) {
			fprintf(stderr, "%s:%u: a quote or a backslash is wrong\n", path, number);
			ok = false;
		} else if (line.words > 0)
			ok = add_line(s, path, &line);
	}
	free(text);
	fclose(f);
	return ok;
}

const char *
word_value(const struct word *w, const char *key)
{
	size_t n = strlen(key);

	return strncmp(w->text, key, n) == 0 && w->text[n] == '=' ? w->text + n + 1 : NULL;
}
