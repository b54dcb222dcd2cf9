#include "iradd/raddconf.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sys/conf.h"

static const struct {
	const char *word, *values;
	long min, max, dflt;
} rows[RADDCONF_IDS] = {
#define RADDCONF(id, word, min, max, dflt, values, text) { word, values, min, max, dflt },
#include "iradd/raddconf.def"
#undef RADDCONF
};

void
raddconf_init(struct raddconf *c)
{
	for (int i = 0; i < RADDCONF_IDS; i++)
		c->value[i] = rows[i].dflt;
}

static bool
parse(int row, const char *text, long *ret)
{
	char *end;

	if (strcmp(rows[row].values, "yes|no") == 0) {
		*ret = strcmp(text, "yes") == 0;
		return *ret != 0 || strcmp(text, "no") == 0;
	}
	errno = 0;
	*ret = strtol(text, &end, 10);
	return errno == 0 && end != text && *end == '\0' && *ret >= rows[row].min &&
	       *ret <= rows[row].max;
}

static int
take(void *user, const char *word, const char *value, char *why, size_t why_bytes)
{
	struct raddconf *c = user;
	long n;

	for (int i = 0; i < RADDCONF_IDS; i++) {
		if (strcmp(rows[i].word, word) != 0)
			continue;
		if (parse(i, value, &n)) {
			c->value[i] = n;
			return 0;
		}
		if (rows[i].max == 1)
			snprintf(why, why_bytes, "\"%.100s\" is neither yes nor no", value);
		else
			snprintf(why, why_bytes, "\"%.100s\" is no number from %ld to %ld", value,
			    rows[i].min, rows[i].max);
		return -EINVAL;
	}
	snprintf(why, why_bytes, "there is no word \"%.100s\"", word);
	return -EINVAL;
}

int
raddconf_read(struct raddconf *c, const char *path, char *why, size_t why_bytes)
{
	return conf_read(path, take, c, why, why_bytes);
}
