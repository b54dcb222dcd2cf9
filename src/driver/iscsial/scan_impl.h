/* What scan.c (what is asked and told) and scan_queue.c (what comes when) share; nobody else
 * includes it. */
#ifndef ISCSIAL_SCAN_IMPL_H
#define ISCSIAL_SCAN_IMPL_H

#include <jansson.h>

#include "driver/iscsi/find.h"
#include "driver/iscsi/wanted.h"
#include "driver/iscsial/scan.h"
#include "driver/iscsial/scan_empty.h"
#include "driver/iscsial/scan_told.h"

enum scan_stage { SCAN_DISCOVERY, SCAN_SESSION, SCAN_LUNS, SCAN_STAGES };

struct isns_ask;
struct slp;

struct scan {
	struct list link; /* driver.scans, or driver.scans_beside */
	struct driver *d;
	/*
	 * What was told without having been asked for (scan_found()): it waits for no other scan,
	 * and nobody waits for it; kept() is called when it is written down.
	 */
	bool is_beside;
	void (*kept)(struct driver *d);
	struct hwpath top;                       /* at a session: only that */
	char target[LIMIT_ISCSI_NAME_BYTES + 1]; /* "": all */
	bool is_kept;      /* what cannot be opened is tried again until it can */
	struct list calls; /* struct asker */
	struct list items; /* what is waited for */
	struct {
		unsigned total, done, failed;
	} stages[SCAN_STAGES];
	size_t claimed, unclaimed, failures_left_out;
	json_t *failures, *left_out;
	struct scan_told told;
	struct scan_empty empty;
	uint64_t began_us;
	struct agenda_timer heartbeat, patience;
	unsigned discoveries; /* how many were begun */
	unsigned
	    busy; /* items, and one while the scan is being started; 0: it waits for its turn */

	/* scan_queue.c's. */
	struct list batches, waiting; /* what discovery found; sessions whose turn will come */
	size_t n_waiting;
	unsigned opening;      /* sessions that are being opened for it */
	bool is_impatient;     /* what is found is not kept waiting for its turn any more */
	bool has_targets;      /* those of the registry are being visited */
	int64_t targets_after; /* … after this one */
	struct agenda_work go_on;
};

/* One thing that is waited for. */
struct scan_item {
	struct list link; /* scan.items, or scan.waiting */
	struct scan *scan;
	enum scan_stage stage;
	unsigned order; /* SCAN_DISCOVERY: sessions to what it finds are numbered in this */
	struct registry_address a; /* SCAN_DISCOVERY, and a session that waits */
	char target[LIMIT_ISCSI_NAME_BYTES + 1];
	struct slp *slp;                      /* SCAN_DISCOVERY by SLP */
	struct isns_ask *isns;                /* SCAN_DISCOVERY by iSNS, while it is asked */
	char server[LIMIT_ADDRESS_BYTES + 1]; /* by iSNS */
	char what[LIMIT_ISCSI_NAME_BYTES + LIMIT_ADDRESS_BYTES + 32];
};

struct scan_item *scan_item_new(struct scan *scan, enum scan_stage stage);
/* why NULL or not set: it went well.  May end the scan. */
void scan_item_end(struct scan_item *i, const struct fault *why);
void scan_failed(
    struct scan *scan, enum scan_stage stage, const char *what, const struct fault *why);
/* One reason less for the scan to go on; may end it. */
void scan_one_less(struct scan *scan);
/* Have its session opened, and its LUNs looked at: it is one of those that are waited for now. */
void scan_open(struct scan_item *i, struct wanted *w);

/* Ask each iSNS server that is configured: scan_isns.c. */
void scan_isns_visit(struct scan *scan);

void scan_queue_init(struct scan *scan);
/* Visit what discovery found; takes the list from *r. */
void scan_queue_found(struct scan_item *i, struct discovery_result *r, enum registry_source source);
/* Visit what the registry knows. */
void scan_queue_known(struct scan *scan);
void scan_queue_session(struct scan *scan, const char *target, const struct registry_address *a);
/* From now on whoever has answered is visited. */
void scan_queue_hurry(struct scan *scan);
/* A session that was being opened is, or is not going to be. */
void scan_queue_opened(struct scan *scan);
/* Nothing of what waits is begun any more: it is answered with `why`.  The caller keeps the scan
 * alive. */
void scan_queue_drop(struct scan *scan, const struct fault *why);

#endif
