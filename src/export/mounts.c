#include "export/mounts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* "\040" is a space; the kernel writes space, tab, newline and backslash so. */
static void
unescape(char *s)
{
	char *to = s;

	for (; *s != '\0'; s++) {
		if (s[0] == '\\' && s[1] >= '0' && s[1] <= '3' && s[2] >= '0' && s[2] <= '7' &&
		    s[3] >= '0' && s[3] <= '7') {
			*to++ = (char)((s[1] - '0') << 6 | (s[2] - '0') << 3 | (s[3] - '0'));
			s += 3;
		} else {
			*to++ = *s;
		}
	}
	*to = '\0';
}

/* The next word of the line, unescaped, or NULL. */
static char *
next_word(char **rest)
{
	char *word = strsep(rest, " \n");

	if (word != NULL)
		unescape(word);
	return word;
}

/* "36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue" */
static bool
parse(char *line, struct mounts_row *ret)
{
	char *word = NULL;

	for (int i = 0; i < 3; i++)
		word = next_word(&line);
	if (word == NULL || sscanf(word, "%u:%u", &ret->major, &ret->minor) != 2)
		return false;
	(void)next_word(&line); /* the part of the file system that is mounted */
	ret->path = next_word(&line);
	do
		word = next_word(&line);
	while (word != NULL && strcmp(word, "-") != 0);
	ret->type = next_word(&line);
	ret->source = next_word(&line);
	return ret->source != NULL;
}

bool
mounts_each(bool (*see)(const struct mounts_row *row, void *user), void *user)
{
	FILE *f = fopen("/proc/self/mountinfo", "re");
	char *line = NULL;
	size_t size = 0;
	bool found = false;

	if (f == NULL)
		return false;
	while (!found && getline(&line, &size, f) > 0) {
		struct mounts_row row;

		found = parse(line, &row) && see(&row, user);
	}
	free(line);
	fclose(f);
	return found;
}
