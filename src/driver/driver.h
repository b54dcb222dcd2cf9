/*
 * The process iscsi_driverd: what its parts share.  All of it belongs to the
 * main loop; what lives on workers is behind iscsial/seat.h.
 */
#ifndef DRIVER_DRIVER_H
#define DRIVER_DRIVER_H

#include <limits.h>
#include <time.h>

#include "driver/diag/event_log.h"
#include "driver/diag/stat.h"
#include "driver/iscsial/tree.h"
#include "driver/isw/dial.h"
#include "driver/isw/verify.h"
#include "engine/worker.h"
#include "export/export.h"
#include "export/loopdev.h"
#include "ipc/server.h"
#include "registry/registry.h"
#include "sys/paths.h"

struct devfiles;
struct scan;
struct usage;

/* The daemons that work for the driver, sys/paths.def. */
enum driver_daemon {
#define PATH_DAEMON(id, program) DRIVER_##id,
#include "sys/paths.def"
	DRIVER_DAEMONS
};

#define DRIVER_WORKERS_MAX 64

struct driver {
	struct loop *loop;
	struct paths paths;
	struct registry *reg;
	struct helper_server *daemons[DRIVER_DAEMONS];
	struct isw isw;
	struct worker *workers[DRIVER_WORKERS_MAX];
	unsigned n_workers, next_worker;
	const struct export_ops *export;
	struct loopdev *loopdev;
	unsigned loop_jobs; /* of loopdev, that are not done */
	struct devfiles *devfiles;
	struct usage *usage;
	struct ipc_server *dev_iscsi, *dev_isw;
	uint32_t isid_random;      /* 24 bits, kept in the registry */
	uint32_t discovery_serial; /* discovery sessions so far */
	time_t started;
	struct list sessions; /* session.link, by instance */
	struct list portals;  /* portal.link: what is known of discovery addresses */
	struct tree tree;
	struct scan *scan; /* the one under way, or NULL */
	/*
	 * Statistics: of the driver, and of all discovery sessions together, which
	 * are too short-lived to have their own.
	 */
	struct stat_block stats, discovery_stats;
	struct conn_counts discovery_core;
	struct stat_base stats_base, swd_base, discovery_base;
	struct event_log *events; /* NULL: it could not be opened */
	struct list followers;    /* of events.get */
	struct verify_cfg verify;
	char host_name[HOST_NAME_MAX + 1];
	bool is_stopping;
	bool is_stop_forced;
};

struct driver_cfg {
	const char *root; /* NULL: the environment's, or / */
	unsigned workers; /* 1..DRIVER_WORKERS_MAX */
	const char *export;
	bool is_level_given; /* the log's level stays as it is */
};

/*
 * Paths, registry, workers, helpers, control sockets; then known sessions are
 * opened in the background.  False with a sentence in *ret_fault, and
 * driver_fini() is still due.  `d` is zeroed, its paths initialised.
 */
bool driver_init(struct driver *d, const struct driver_cfg *cfg, struct fault *ret_fault);
/*
 * Log out of everything, within a bound; then the loop stops.  Harmless a
 * second time.
 */
void driver_stop(struct driver *d);
/* After the loop has ended. */
void driver_fini(struct driver *d);

#endif
