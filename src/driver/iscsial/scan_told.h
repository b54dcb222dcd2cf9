/*
 * What portals told in a scan, beside the targets that are used: names and
 * addresses that cannot be, and which of the targets that are known no portal
 * names any more.
 */
#ifndef ISCSIAL_SCAN_TOLD_H
#define ISCSIAL_SCAN_TOLD_H

#include <jansson.h>

#include "driver/driver.h"
#include "ini/discovery.h"

struct scan_told {
	json_t *offered;  /* names that a portal told, in normal form */
	json_t *lost;     /* sessions that were not opened, with their place in the failures */
	bool is_not_all;  /* a portal told more than was kept */
	unsigned portals; /* which answered */
};

void scan_told_init(struct scan_told *t);
void scan_told_fini(struct scan_told *t);

/*
 * The whole answer of a portal: what cannot be used becomes a row each of
 * `failures`.  `what`: the portal.
 */
void scan_told_answer(
    struct scan_told *t, const char *what, const struct discovery_result *r, json_t *failures);
/* A session is not open; the next row of the failures says why. */
void scan_told_lost(
    struct scan_told *t, const char *target, uint32_t instance, const json_t *failures);
/*
 * The scan is over; every portal answered.  A target that discovery had found, that no
 * portal names and whose session is not open is gone: its row says that and how to
 * remove it, and its nodes become NO_HW.
 */
void scan_told_end(struct scan_told *t, struct driver *d, json_t *failures);

#endif
