/* Statistics and states for collectors, as text. */
#ifndef ISCSIUTIL_METRICS_H
#define ISCSIUTIL_METRICS_H

#include <jansson.h>
#include <stdio.h>

enum metrics_format {
	METRICS_OPEN,       /* OpenMetrics 1.0.0 */
	METRICS_PROMETHEUS, /* Prometheus' text format 0.0.4: files of the node exporter, too */
};

/* The driver's answers (doc/control-protocol.md); NULL: what it says is left out. */
struct metrics_answers {
	const json_t *stats;    /* stats.get */
	const json_t *sessions; /* session.list */
	const json_t *tree;     /* io.tree */
	const json_t *isns;     /* isns.list */
	const json_t *paths;    /* path.list */
};

void metrics_show(FILE *out, enum metrics_format format, const struct metrics_answers *a);

#endif
