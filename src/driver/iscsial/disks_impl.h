/* What the files of a session's disks share; nobody else includes it. */
#ifndef ISCSIAL_DISKS_IMPL_H
#define ISCSIAL_DISKS_IMPL_H

#include <limits.h>

#include "driver/iscsial/disks.h"
#include "export/filters.h"

struct disk {
	struct list link; /* disks.all */
	struct disks *owner;
	struct lu *lu;
	struct filters filters;  /* in front of it: filters.dev is what is shown */
	struct list ways;        /* struct way: paths over other sessions */
	bool is_exported;        /* else it only waits to be idle */
	struct mail_unit *note;  /* on its way, or NULL */
	bool is_due, is_changed; /* of the note: something happened while it was away */
	bool is_gone, is_back, is_new, is_let_go; /* and to its file */
	char why_gone[160];
};

struct disks {
	struct nexus *x;
	const struct disks_cfg *cfg;
	const struct export_ops *ops; /* of the exporter, or of the one that would be started now */
	bool is_ops_set;              /* the session's settings say so */
	char *dir;
	struct export *export; /* NULL: it has not been started, or has stopped */
	bool is_up, is_stopping;
	struct list shows; /* mail_show: they wait for the exporter */
	struct list all;
	struct list ways;            /* of disks of other sessions, over this one */
	bool is_out;                 /* a person took this path out of use */
	uint64_t failed_before;      /* I/Os that failed offline, of counts that are gone */
	unsigned passing;            /* commands that others wrote, under way (passing.c) */
	bool is_taken;               /* what a driver before this one left is being taken over */
	struct agenda_timer overdue; /* disks of that one that have not come by then */
};

/* disks.c */
/* The disk that is shown at this LUN, or NULL. */
struct disk *disks_find(const struct disks *d, uint32_t lun);
/* What happened to it, to the main loop. */
void disks_tell(struct disk *k);
extern const struct lu_ops disks_lu_ops;
/* What its unit has, and what waits in front of it, is answered: it is gone. */
void disks_close(struct disk *k);
/* Disks that were hidden and whose last command has come back are freed. */
void disks_sweep(struct disks *d);
/* Nobody has it open.  `k` may be gone. */
void disks_take_away(struct disk *k);
/* The exporter runs, or is started; false: it cannot be. */
bool disks_start(struct disks *d, struct fault *ret_fault);
/* The exporter that is started next; none runs. */
void disks_use(struct disks *d, const struct export_ops *ops);

/* disks_show.c */
/* What waits for the exporter is answered: shown, or not for this reason. */
void disks_end_shows(struct disks *d, const struct fault *why);

/* disks_ways.c */
/* The session is being closed: nothing goes over it any more. */
void disks_ways_close(struct disks *d);
/* A disk begins, before its first request: what is known to lead to it, too, joins. */
void disks_join_known(struct disk *k, const struct mail_show_row *row);
bool disks_ways_are_idle(const struct disks *d);
/* Closed and idle: it is no path of others' disks any more. */
void disks_ways_leave(struct disks *d);
/* Its unit ends. */
void disks_ways_forget(struct disk *k);
/* lu_ops.path_moved() of a disk. */
void disks_path_moved(void *user, struct lu *u, struct lunpath *lp, enum path_state from);

/* disks_filters.c */
/* A disk begins: what is configured stands in front of its unit. */
void disks_filters_begin(struct disk *k);
/* nexus_ops.configured() */
void disks_filters_configured(void *user);

/* disks_block.c */
void disks_start_fault(const struct disks *d, int err, struct fault *ret_fault);

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
/* Nothing waits any longer for a disk that has not come, nor will. */
void disks_held_end(struct disks *d);
/* Events of the exporter. */
void disks_hold(void *user, const struct export_held *held);
void disks_drop(void *user);
void disks_hold_socket(void *user, const char *name, const struct export_socket *socket);
void disks_drop_socket(void *user, const char *name);
bool disks_take_socket(void *user, const char *name, struct export_socket *ret);

#endif
