#include "sys/conf_table.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sys/conf.h"

void
conf_table_init(const struct conf_table *t)
{
	for (size_t i = 0; i < t->n; i++)
		t->value[i] = t->rows[i].dflt;
}

static bool
is_yes_or_no(const struct conf_row *row)
{
	return strcmp(row->values, "yes|no") == 0;
}

static bool
parse(const struct conf_row *row, const char *text, long *ret)
{
	char *end;

	if (is_yes_or_no(row)) {
		*ret = strcmp(text, "yes") == 0;
		return *ret != 0 || strcmp(text, "no") == 0;
	}
	errno = 0;
	*ret = strtol(text, &end, 10);
	return errno == 0 && end != text && *end == '\0' && *ret >= row->min && *ret <= row->max;
}

static int
take(void *user, const char *word, const char *value, char *why, size_t why_bytes)
{
	const struct conf_table *t = user;
	long n;

	for (size_t i = 0; i < t->n; i++) {
		const struct conf_row *row = &t->rows[i];

		if (strcmp(row->word, word) != 0)
			continue;
		if (parse(row, value, &n)) {
			t->value[i] = n;
			return 0;
		}
		if (is_yes_or_no(row))
			snprintf(why, why_bytes, "\"%.100s\" is neither yes nor no", value);
		else
			snprintf(why, why_bytes, "\"%.100s\" is no number from %ld to %ld", value,
			    row->min, row->max);
		return -EINVAL;
	}
	snprintf(why, why_bytes, "there is no word \"%.100s\"", word);
	return -EINVAL;
}

int
conf_table_read(const struct conf_table *t, const char *path, char *why, size_t why_bytes)
{
	struct conf_table to = *t;

	return conf_read(path, take, &to, why, why_bytes);
}
