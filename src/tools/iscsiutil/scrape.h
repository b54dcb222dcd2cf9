/* What a collector of metrics is answered. */
#ifndef ISCSIUTIL_SCRAPE_H
#define ISCSIUTIL_SCRAPE_H

#include <jansson.h>
#include <stdio.h>

#include "tools/common/status.h"
#include "tools/iscsiutil/metrics.h"
#include "tools/iscsiutil/spec.h"

/*
 * An answer to stats.get as text, with what the sessions that it has and their disks are in now,
 * and the iSNS servers, which the driver is asked for.
 */
enum status scrape_states(
    const struct cmdline *line, FILE *out, enum metrics_format format, const json_t *stats);

#endif
