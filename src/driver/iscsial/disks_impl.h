/* Between disks.c (units that are shown) and disks_held.c (what outlives the driver); nobody else
 * includes it. */
#ifndef ISCSIAL_DISKS_IMPL_H
#define ISCSIAL_DISKS_IMPL_H

#include <limits.h>

#include "driver/iscsial/disks.h"

struct disk {
	struct list link; /* disks.all */
	struct disks *owner;
	struct lu *lu;
	bool is_exported; /* else it only waits to be idle */
	struct mail_unit *note;
	bool is_due, is_changed; /* of the note: something happened while it was away */
	bool is_gone, is_back, is_new, is_let_go; /* and to its file */
	char why_gone[160];
};

struct disks {
	struct nexus *x;
	const struct disks_cfg *cfg;
	const struct export_ops *ops; /* of the exporter, or of the one that would be started now */
	bool is_ops_set;              /* the session's settings say so */
	char dir[PATH_MAX];
	struct export *export; /* NULL: it has not been started, or has stopped */
	bool is_up, is_stopping;
	struct list shows; /* mail_show: they wait for the exporter */
	struct list all;
	uint64_t failed_before;      /* I/Os that failed offline, of counts that are gone */
	bool is_taken;               /* what a driver before this one left is being taken over */
	struct agenda_timer overdue; /* disks of that one that have not come by then */
};

/* disks.c */
/* The exporter that is started next; none runs. */
void disks_use(struct disks *d, const struct export_ops *ops);

/* disks_held.c */
/* Go on with what a driver before this one left of the session; `events`: of the exporter. */
void disks_held_begin(struct disks *d, const struct export_events *events);
/* The exporter started, or could not: then nothing was taken over. */
void disks_held_started(struct disks *d, int err);
/*
 * Before a disk of this row is shown: does it go on with one that a driver before this one
 * showed?  Only where it is surely that one's unit.
 */
bool disks_held_admit(struct disks *d, const struct mail_show_row *row);
/* Openers of a disk that is not found again yet. */
unsigned disks_held_openers(const struct disks *d, const char *name);
void disks_held_end(struct disks *d);
/* Events of the exporter. */
void disks_hold(void *user, const struct export_held *held);
void disks_drop(void *user);

#endif
