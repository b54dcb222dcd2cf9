#include "iradd/raddconf.h"

#include "sys/conf_table.h"

static struct conf_table
table(struct raddconf *c)
{
	static const struct conf_row rows[RADDCONF_IDS] = {
#define RADDCONF(id, word, min, max, dflt, values, text) { word, values, min, max, dflt },
#include "iradd/raddconf.def"
#undef RADDCONF
	};

	return (struct conf_table){ rows, RADDCONF_IDS, c->value };
}

void
raddconf_init(struct raddconf *c)
{
	const struct conf_table t = table(c);

	conf_table_init(&t);
}

int
raddconf_read(struct raddconf *c, const char *path, char *why, size_t why_bytes)
{
	const struct conf_table t = table(c);

	return conf_table_read(&t, path, why, why_bytes);
}
