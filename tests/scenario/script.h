/*
 * Scenario scripts (*.scn): lines of words; README.md has the commands.
 *
 *   # a comment
 *   scenario "name"
 *   	command word key=value key="a text with \0, \n, \xNN" key={a*9000}
 *
 * A scenario reaches to the next one.
 */
#ifndef SCENARIO_SCRIPT_H
#define SCENARIO_SCRIPT_H

#include <stdbool.h>
#include <stddef.h>

/* A word may hold NULs; it is NUL-terminated all the same. */
struct word {
	char *text;
	size_t len;
};
struct line {
	unsigned number;
	struct word *word;
	size_t words;
};
struct scenario {
	const char *file;
	const char *name;
	struct line *line;
	size_t lines;
};
struct script {
	struct scenario *scenario;
	size_t scenarios;
};

/* Adds a file's scenarios; the memory lasts as long as the process.  False, with a message on
 * stderr. */
bool script_read(struct script *s, const char *path);
/* The value of "key=value" where the word has this key, else NULL. */
const char *word_value(const struct word *w, const char *key);

#endif
