/* Configuration files whose values are numbers, or yes and no: rows of a table. */
#ifndef SYS_CONF_TABLE_H
#define SYS_CONF_TABLE_H

#include <stddef.h>

struct conf_row {
	const char *word, *values; /* values "yes|no": 1 and 0 */
	long min, max, dflt;
};

/* value[i] is rows[i]'s. */
struct conf_table {
	const struct conf_row *rows;
	size_t n;
	long *value;
};

/* The defaults. */
void conf_table_init(const struct conf_table *t);
/* Read a file over what is there; as conf_read() (sys/conf.h). */
int conf_table_read(const struct conf_table *t, const char *path, char *why, size_t why_bytes);

#endif
