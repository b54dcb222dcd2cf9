/*
 * What a scan asked and got nothing from, although nothing failed: a portal without targets, a
 * target without LUNs, a host without a network, an initiator that knows nobody to ask.  A person
 * who sees no disk has to be told why.  Main loop.
 */
#ifndef ISCSIAL_SCAN_EMPTY_H
#define ISCSIAL_SCAN_EMPTY_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

/* Rows at most; one more says how many others there are. */
#define SCAN_EMPTY_MAX 100

struct scan_empty {
	json_t *rows;       /* [{"what","why","next"}], owned */
	size_t more;        /* that are not in it */
	unsigned unreached; /* addresses that were not reached because there is no network yet */
};

void scan_empty_init(struct scan_empty *e);
void scan_empty_fini(struct scan_empty *e);

/* `what`: who was asked, as scans name it. */
void scan_empty_portal(struct scan_empty *e, const char *what);
void scan_empty_slp(struct scan_empty *e, const char *what);
void scan_empty_isns(struct scan_empty *e, const char *what);
void scan_empty_target(struct scan_empty *e, const char *what);
void scan_empty_unreached(struct scan_empty *e);
/* At the end.  has_asked: somebody was asked, or was to be. */
void scan_empty_end(struct scan_empty *e, bool has_asked);

#endif
