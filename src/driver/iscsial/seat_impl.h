/* Between seat.c (login, disks, the end) and seat_jobs.c, seat_ask.c (what is asked); nobody else
 * includes it.
 */
#ifndef ISCSIAL_SEAT_IMPL_H
#define ISCSIAL_SEAT_IMPL_H

#include "driver/iscsial/bay.h"
#include "driver/iscsial/seat.h"

enum seat_closing { SEAT_OPEN, SEAT_LOGGING_OUT, SEAT_DRAINING, SEAT_GONE };

struct seat {
	struct loop *main, *loop;
	const struct seat_ops *ops;
	void *user;
	unsigned asked,
	    settled; /* what was posted to the worker, and when it was last seen empty */
	/* The worker's from here on. */
	struct scsi_port port;
	struct nexus_cfg nexus_cfg;
	char label[64];
	struct nexus *nexus;
	struct bay *bay;
	bool is_given_up;
	enum seat_closing closing;
	struct agenda_timer closing_timer;
	struct list probes; /* jobs */
	struct job *ping;   /* under way */
	struct conn_counts final;
};

/* A message to the worker and its answer. */
struct job {
	struct seat *seat;
	struct list link; /* seat.probes */
	void *user;
	/* seat_attach */
	int fd;
	struct nexus_login *login;
	/* seat_probe */
	struct probe *probe;
	struct agenda_timer deadline;
	struct probe_result result;
	probe_done *probed;
	/* seat_show, seat_hide, seat_count_openers */
	struct seat_disk *disks;
	struct seat_openers *openers;
	enum seat_seal seal;
	size_t n;
	void (*shown)(void *user, struct seat_disk *disks, size_t n);
	void (*counted)(void *user, struct seat_openers *list, size_t n);
	/* seat_ping */
	uint32_t bytes;
	struct seat_ping pong;
	void (*pinged)(void *user, const struct seat_ping *ping);
	/* verify, seat_verified */
	struct nexus_query query;
	bool ok;
	/* seat_counts */
	struct seat_counts counts;
	void (*told)(void *user, const struct seat_counts *c);
	/* seat_trace */
	struct seat_trace *trace;
	void (*traced)(void *user, const struct seat_trace *t);
	/* events */
	struct seat_login online;
	struct nexus_down down;
	struct lun_info info;
	struct fault fault;
};

/* seat_jobs.c */
struct job *seat_job_new(struct seat *s, void *user);
void seat_to_worker(struct job *j, void (*fn)(void *job));
void seat_to_main(struct job *j, void (*fn)(void *job));
/* The ping that is under way ends as its pong says. */
void seat_end_ping(struct seat *s);
/* Every probe that is under way ends, for this reason. */
void seat_end_probes(struct seat *s, const char *why);

#endif
