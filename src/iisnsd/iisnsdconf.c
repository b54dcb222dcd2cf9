#include "iisnsd/iisnsdconf.h"

#include "sys/conf_table.h"

static struct conf_table
table(struct iisnsdconf *c)
{
	static const struct conf_row rows[IISNSDCONF_IDS] = {
#define IISNSDCONF(id, word, min, max, dflt, values, text) { word, values, min, max, dflt },
#include "iisnsd/iisnsdconf.def"
#undef IISNSDCONF
	};

	return (struct conf_table){ rows, IISNSDCONF_IDS, c->value };
}

void
iisnsdconf_init(struct iisnsdconf *c)
{
	const struct conf_table t = table(c);

	conf_table_init(&t);
}

int
iisnsdconf_read(struct iisnsdconf *c, const char *path, char *why, size_t why_bytes)
{
	const struct conf_table t = table(c);

	return conf_table_read(&t, path, why, why_bytes);
}
