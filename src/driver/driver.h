/*
 * The process iscsi_driverd: what its parts share on the main loop.  Each part
 * owns what is declared here by name only; whatever lives on another thread is
 * reached by mail (engine/mailbox.h).
 */
#ifndef DRIVER_DRIVER_H
#define DRIVER_DRIVER_H

#include <limits.h>
#include <time.h>

#include "base/list.h"
#include "driver/diag/stat.h"
#include "engine/mailbox.h"
#include "registry/registry.h"
#include "sys/paths.h"

struct devfiles;
struct diag;
struct event_log;
struct export_ops;
struct helper_server;
struct holding;
struct ipc_server;
struct isns;
struct isns_apply;
struct isw;
struct keeper;
struct known;
struct loopdev;
struct losses;
struct iothread;
struct registrants;
struct stopping;
struct tree;
struct usage;
struct wanted_ops;
struct wanted_index;

#define DRIVER_WORKERS_MAX 64

struct driver {
	struct loop *loop;
	struct paths paths;
	struct registry *reg; /* in memory: the keeper's copy */
	struct keeper *keeper;
	struct mailbox *box;
	struct mail_slot slot; /* answers to questions of the main loop */
	char host_name[HOST_NAME_MAX + 1];
	time_t started;
	bool is_stopping;
	bool
	    is_handing_over; /* it ends as if it were killed: its disks are held for the next one */
	struct stopping *stopping; /* driver.c's */

	/* isw/ */
	struct isw *isw;
	struct helper_server *islpd;
	struct isns *isns; /* NULL: the driver is beginning, or ends */

	/* iscsi/ */
	struct iothread *iothreads[DRIVER_WORKERS_MAX];
	unsigned n_iothreads, next_iothread;
	uint32_t isid_random;      /* 24 bits, kept in the registry */
	uint32_t discovery_serial; /* discovery sessions so far */
	struct list sessions;      /* wanted.link, by instance */
	struct wanted_index *index;
	const struct wanted_ops *wanted_ops;
	/*
	 * Sessions that were begun on a worker so far: the generation of their addresses, which
	 * never comes twice, also where one of the same instance is made anew.
	 */
	uint32_t generations;
	struct losses *losses;    /* iscsi/losses.h */
	struct list portals;      /* portal.link: what is known of discovery addresses */
	struct known *known;      /* process/known.h */
	struct list scans;        /* scan.link: the first is under way, the others wait for it */
	struct list scans_beside; /* those that wait for nobody */
	struct list visits;       /* of luns_probe.c, that wait for others of their target */
	/*
	 * Statistics: of the driver, and of all discovery sessions together, which
	 * are too short-lived to have their own.
	 */
	struct stat_block stats, discovery_stats;
	struct conn_counts discovery_core;
	struct ini_counts discovery_counts;
	struct stat_base stats_base, swd_base, discovery_base;

	/* iscsial/ */
	struct disks_cfg {
		const struct export_ops *export; /* where a session's settings leave it open */
		char why[160];                   /* why it is that one, or "" */
		const char *dir;         /* where each session has its own directory; borrowed */
		const char *sockets;     /* the same, for NBD, */
		const char *ublks;       /* and for ublk */
		struct holding *holding; /* what outlives this process; NULL: nothing */
	} disks_cfg;
	struct isns_apply *isns_apply;
	struct loopdev *loopdev;
	unsigned loop_jobs; /* of loopdev, that are not done */
	struct devfiles *devfiles;
	struct usage *usage;
	struct registrants *registrants;
	struct tree *tree;

	/* control/ */
	struct ipc_server *dev_iscsi, *dev_isw;
	struct diag *diag;
	struct event_log *events; /* NULL: it could not be opened */
	struct list followers;    /* of events.get */
	struct list waiters;      /* of device.wait */
	struct list captures;     /* of session.capture */
	unsigned n_captures;
	unsigned n_passing;   /* of unit.scsi and unit.reserve, under way */
	uint32_t capture_ids; /* so far */
};

#endif
