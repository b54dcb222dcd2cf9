#include "sys/conf.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/limits.h"

/* The next word of a line, ended with a NUL; NULL: none. */
static char *
next_word(char **line)
{
	char *word = *line + strspn(*line, " \t\r\n");
	size_t n = strcspn(word, " \t\r\n");

	if (n == 0 || word[0] == '#')
		return NULL;
	*line = word + n;
	if (**line != '\0')
		*(*line)++ = '\0';
	return word;
}

static int
take_line(char *line,
    int (*take)(void *user, const char *word, const char *value, char *why, size_t why_bytes),
    void *user, char *why, size_t why_bytes)
{
	char *word = next_word(&line), *value = word != NULL ? next_word(&line) : NULL;

	if (word == NULL)
		return 0;
	if (value != NULL && next_word(&line) == NULL)
		return take(user, word, value, why, why_bytes);
	snprintf(why, why_bytes, "a word and one value are needed");
	return -EINVAL;
}

int
conf_read(const char *path,
    int (*take)(void *user, const char *word, const char *value, char *why, size_t why_bytes),
    void *user, char *why, size_t why_bytes)
{
	FILE *f = fopen(path, "re");
	char line[LIMIT_CONFIG_LINE_BYTES], fault[LIMIT_CONFIG_LINE_BYTES];
	int err = 0;

	if (f == NULL && errno == ENOENT)
		return 0;
	if (f == NULL) {
		err = -errno;
		snprintf(why, why_bytes, "cannot read %s: %s", path, strerror(-err));
		return err;
	}
	for (unsigned n = 1; err == 0 && fgets(line, sizeof line, f) != NULL; n++) {
		if (n > LIMIT_CONFIG_LINES || (strchr(line, '\n') == NULL && !feof(f))) {
			snprintf(fault, sizeof fault, "the line is too long, or one too many");
			err = -EINVAL;
		} else {
			err = take_line(line, take, user, fault, sizeof fault);
		}
		if (err < 0)
			snprintf(why, why_bytes, "%s, line %u: %s", path, n, fault);
	}
	if (err == 0 && ferror(f)) {
		err = -EIO;
		snprintf(why, why_bytes, "cannot read %s", path);
	}
	(void)fclose(f); /* it was only read */
	return err;
}
