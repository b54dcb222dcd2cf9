#include "driver/iscsial/seat.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "driver/call.h"
#include "driver/cut.h"
#include "driver/iscsial/bay.h"
#include "sys/log.h"

/* All LUNs of a session are probed in this time, or the probe has failed. */
#define SEAT_PROBE_US 30000000
/* How long a logout may take; then the connection is simply closed. */
#define SEAT_LOGOUT_US 5000000

enum seat_closing { SEAT_OPEN, SEAT_LOGGING_OUT, SEAT_DRAINING, SEAT_GONE };

struct seat {
	struct loop *main, *loop;
	const struct seat_ops *ops;
	void *user;
	/* The worker's from here on. */
	struct scsi_port port;
	struct nexus_cfg nexus_cfg;
	char label[64];
	struct nexus *nexus;
	struct bay *bay;
	bool is_given_up;
	enum seat_closing closing;
	struct loop_timer closing_timer;
	struct list probes; /* jobs */
	struct job *ping;   /* under way */
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
	struct loop_timer deadline;
	struct probe_result result;
	probe_done *probed;
	/* seat_show, seat_hide, seat_count_openers */
	struct seat_disk *disks;
	struct seat_openers *openers;
	size_t n;
	void (*shown)(void *user, struct seat_disk *disks, size_t n);
	void (*counted)(void *user, struct seat_openers *list, size_t n);
	/* seat_ping */
	uint32_t bytes;
	struct seat_ping pong;
	void (*pinged)(void *user, const struct seat_ping *ping);
	/* seat_trace */
	struct seat_trace *trace;
	void (*traced)(void *user, const struct seat_trace *t);
	/* events */
	struct seat_login online;
	struct nexus_down down;
	struct lun_info info;
	struct fault fault;
};

static struct job *
job_new(struct seat *s, void *user)
{
	struct job *j = call_alloc(sizeof *j);

	j->seat = s;
	j->user = user;
	j->fd = -1;
	list_init(&j->link);
	return j;
}

static void
to_worker(struct job *j, void (*fn)(void *job))
{
	call_post(j->seat->loop, fn, j);
}

static void
to_main(struct job *j, void (*fn)(void *job))
{
	call_post(j->seat->main, fn, j);
}

/* ---- events go to the main loop ---- */

static void
main_online(void *arg)
{
	struct job *j = arg;

	j->seat->ops->online(j->seat->user, &j->online);
	free(j);
}

static void
main_down(void *arg)
{
	struct job *j = arg;

	j->seat->ops->down(j->seat->user, &j->down);
	free(j);
}

static void
main_changed(void *arg)
{
	struct job *j = arg;

	j->seat->ops->changed(j->seat->user, &j->info);
	free(j);
}

static void
main_replaced(void *arg)
{
	struct job *j = arg;

	j->seat->ops->replaced(j->seat->user, j->info.number, &j->fault);
	free(j);
}

static void
main_luns_changed(void *arg)
{
	struct job *j = arg;

	j->seat->ops->luns_changed(j->seat->user);
	free(j);
}

static void
main_gone(void *arg)
{
	struct seat *s = arg;

	s->ops->gone(s->user);
}

/* ---- the worker's side: login, checks, the end of a connection ---- */

static void
port_submit(struct scsi_port *p, struct req *r)
{
	nexus_submit(LIST_ENTRY(p, struct seat, port)->nexus, r);
}

static void
port_fail_unsent(struct scsi_port *p, const uint8_t lun[8])
{
	nexus_fail_unsent(LIST_ENTRY(p, struct seat, port)->nexus, lun);
}

/* Requests may flow: tell it. */
static void
release(struct seat *s)
{
	struct job *j = job_new(s, NULL);
	const struct sess *sess = nexus_sess(s->nexus);

	s->is_given_up = false;
	bay_fail_fast(s->bay, false);
	nexus_release(s->nexus);
	j->online.params = *sess_params(sess);
	j->online.tsih = sess_tsih(sess);
	j->online.tpgt = sess_tpgt(sess);
	cut_copy(j->online.target_alias, sizeof j->online.target_alias, sess_target_alias(sess));
	to_main(j, main_online);
}

static void
nexus_online(void *user)
{
	struct seat *s = user;

	if (s->closing != SEAT_OPEN)
		return;
	if (bay_count(s->bay) > 0)
		bay_check(s->bay);
	else
		release(s);
}

static void
bay_checked(void *user)
{
	struct seat *s = user;

	if (s->closing == SEAT_OPEN && nexus_is_online(s->nexus))
		release(s);
}

static void
main_pinged(void *arg)
{
	struct job *j = arg;

	j->pinged(j->user, &j->pong);
	free(j);
}

static void
end_ping(struct seat *s)
{
	struct job *j = s->ping;

	s->ping = NULL;
	to_main(j, main_pinged);
}

static void drain(struct seat *s);

static void
nexus_went_down(void *user, const struct nexus_down *down)
{
	struct seat *s = user;
	struct job *j;

	bay_uncheck(s->bay);
	if (s->ping != NULL) {
		fault_set(&s->ping->pong.fault, IPC_ERR_OFFLINE, "wait until the session is online",
		    "the connection was lost before the answer came");
		end_ping(s);
	}
	if (s->closing != SEAT_OPEN) {
		if (s->closing == SEAT_LOGGING_OUT)
			drain(s);
		return;
	}
	if (s->is_given_up)
		nexus_fail_all(s->nexus);
	j = job_new(s, NULL);
	j->down = *down;
	to_main(j, main_down);
}

static void
nexus_ponged(void *user, const struct nexus_ping *ping)
{
	struct seat *s = user;

	if (s->ping == NULL)
		return;
	s->ping->pong.bytes = ping->bytes;
	s->ping->pong.bytes_same = ping->bytes_same;
	s->ping->pong.rtt_us = ping->rtt_us;
	if (ping->timed_out)
		fault_set(&s->ping->pong.fault, IPC_ERR_TIMEOUT,
		    "look at the network and the target's log",
		    "the ping was not answered in time");
	end_ping(s);
}

static void
nexus_luns_changed(void *user)
{
	to_main(job_new(user, NULL), main_luns_changed);
}

static const struct nexus_ops nexus_ops = {
	.online = nexus_online,
	.down = nexus_went_down,
	.ping = nexus_ponged,
	.luns_changed = nexus_luns_changed,
};

static void
disk_changed(void *user, const struct lun_info *info)
{
	struct job *j = job_new(user, NULL);

	j->info = *info;
	to_main(j, main_changed);
}

static void
disk_replaced(void *user, uint32_t lun, const struct fault *why)
{
	struct job *j = job_new(user, NULL);

	j->info.number = lun;
	j->fault = *why;
	to_main(j, main_replaced);
}

static const struct bay_ops bay_ops = {
	.changed = disk_changed,
	.replaced = disk_replaced,
	.checked = bay_checked,
};

static void
on_attach(void *arg)
{
	struct job *j = arg;
	struct seat *s = j->seat;
	struct nexus_login *login = j->login;

	if (s->closing == SEAT_OPEN && s->nexus == NULL) {
		s->nexus_cfg.label = s->label;
		s->nexus = nexus_new(s->loop, &s->nexus_cfg, login, &nexus_ops, s);
		login = NULL;
	}
	if (s->closing != SEAT_OPEN || s->nexus == NULL) {
		close(j->fd);
		free(login);
		if (s->closing == SEAT_OPEN) {
			j->login = NULL;
			fault_set(&j->down.fault, IPC_ERR_INTERNAL, "free some memory",
			    "out of memory for another session");
			to_main(j, main_down);
			return;
		}
	} else {
		nexus_attach(s->nexus, j->fd, login);
	}
	free(j);
}

void
seat_attach(struct seat *s, int fd, struct nexus_login *login)
{
	struct job *j = job_new(s, NULL);

	j->fd = fd;
	j->login = login;
	to_worker(j, on_attach);
}

static void
on_give_up(void *arg)
{
	struct seat *s = arg;

	s->is_given_up = true;
	bay_fail_fast(s->bay, true);
	if (s->nexus != NULL && !nexus_is_attached(s->nexus))
		nexus_fail_all(s->nexus);
}

void
seat_give_up(struct seat *s)
{
	call_post(s->loop, on_give_up, s);
}

/* ---- closing ---- */

/*
 * The connection is closed, or never was.  Freeing the nexus hands back all
 * its requests; a command that waits for its next try ends with its timer.
 */
static void
drain(struct seat *s)
{
	s->closing = SEAT_DRAINING;
	loop_timer_set(s->loop, &s->closing_timer, loop_now(s->loop));
}

static void
closing_timer(struct loop_timer *t)
{
	struct seat *s = LIST_ENTRY(t, struct seat, closing_timer);

	if (s->closing == SEAT_LOGGING_OUT)
		s->closing = SEAT_DRAINING;
	nexus_free(s->nexus);
	s->nexus = NULL;
	if (!bay_is_idle(s->bay)) {
		loop_timer_set(s->loop, t, loop_now(s->loop) + 50000);
		return;
	}
	bay_free(s->bay);
	s->bay = NULL;
	s->closing = SEAT_GONE;
	call_post(s->main, main_gone, s);
}

static void end_probe(struct job *j, const char *why);

static void
on_close(void *arg)
{
	struct seat *s = arg;

	while (!list_empty(&s->probes))
		end_probe(LIST_ENTRY(s->probes.next, struct job, link), "the session was closed");
	bay_stop(s->bay);
	if (s->nexus != NULL && nexus_is_online(s->nexus) && nexus_logout(s->nexus) == 0) {
		s->closing = SEAT_LOGGING_OUT;
		loop_timer_set(
		    s->loop, &s->closing_timer, loop_now_update(s->loop) + SEAT_LOGOUT_US);
	} else {
		if (s->ping != NULL) {
			fault_set(
			    &s->ping->pong.fault, IPC_ERR_OFFLINE, "", "the session was closed");
			end_ping(s);
		}
		drain(s);
	}
}

void
seat_close(struct seat *s)
{
	call_post(s->loop, on_close, s);
}

/* ---- probes ---- */

static void
main_probed(void *arg)
{
	struct job *j = arg;

	j->probed(j->user, &j->result);
	free(j->result.luns);
	free(j);
}

static void
end_probe(struct job *j, const char *why)
{
	if (why != NULL) {
		probe_abandon(j->probe);
		fault_set(&j->result.fault, IPC_ERR_OFFLINE, "scan again",
		    "the LUNs could not be probed: %s", why);
	}
	list_remove(&j->link);
	loop_timer_clear(j->seat->loop, &j->deadline);
	to_main(j, main_probed);
}

static void
probed(void *user, struct probe_result *r)
{
	struct job *j = user;

	j->result = *r;
	r->luns = NULL;
	end_probe(j, NULL);
}

static void
probe_deadline(struct loop_timer *t)
{
	end_probe(LIST_ENTRY(t, struct job, deadline), "the target took too long");
}

static void
on_probe(void *arg)
{
	struct job *j = arg;
	struct seat *s = j->seat;

	if (s->closing != SEAT_OPEN || s->nexus == NULL || !nexus_is_online(s->nexus)) {
		fault_set(&j->result.fault, IPC_ERR_OFFLINE, "scan again",
		    "the LUNs could not be probed: the session is not online");
		to_main(j, main_probed);
		return;
	}
	list_push_back(&s->probes, &j->link);
	j->deadline.expired = probe_deadline;
	loop_timer_set(s->loop, &j->deadline, loop_now_update(s->loop) + SEAT_PROBE_US);
	j->probe = probe_start(&s->port, probed, j);
}

void
seat_probe(struct seat *s, probe_done *done, void *user)
{
	struct job *j = job_new(s, user);

	j->probed = done;
	to_worker(j, on_probe);
}

/* ---- disks ---- */

static void
main_shown(void *arg)
{
	struct job *j = arg;

	j->shown(j->user, j->disks, j->n);
	free(j);
}

static void
on_show(void *arg)
{
	struct job *j = arg;

	for (size_t i = 0; i < j->n; i++) {
		struct seat_disk *d = &j->disks[i];

		if (j->seat->closing != SEAT_OPEN)
			fault_set(&d->fault, IPC_ERR_OFFLINE, "", "the session was closed");
		else if (d->is_refused)
			bay_refuse(j->seat->bay, &d->info);
		else
			(void)bay_show(j->seat->bay, &d->info, d->name,
			    &d->fault); /* the fault is the answer */
	}
	to_main(j, main_shown);
}

void
seat_show(struct seat *s, struct seat_disk *disks, size_t n,
    void (*done)(void *user, struct seat_disk *disks, size_t n), void *user)
{
	struct job *j = job_new(s, user);

	j->disks = disks;
	j->n = n;
	j->shown = done;
	to_worker(j, on_show);
}

static void
on_hide(void *arg)
{
	struct job *j = arg;

	if (j->seat->closing == SEAT_OPEN)
		bay_hide(j->seat->bay, j->info.number);
	free(j);
}

void
seat_hide(struct seat *s, uint32_t lun)
{
	struct job *j = job_new(s, NULL);

	j->info.number = lun;
	to_worker(j, on_hide);
}

static void
main_counted(void *arg)
{
	struct job *j = arg;

	j->counted(j->user, j->openers, j->n);
	free(j);
}

static void
on_count(void *arg)
{
	struct job *j = arg;

	for (size_t i = 0; i < j->n; i++)
		j->openers[i].openers = j->seat->closing == SEAT_OPEN
					    ? bay_openers(j->seat->bay, j->openers[i].lun)
					    : 0;
	to_main(j, main_counted);
}

void
seat_count_openers(struct seat *s, struct seat_openers *list, size_t n,
    void (*done)(void *user, struct seat_openers *list, size_t n), void *user)
{
	struct job *j = job_new(s, user);

	j->openers = list;
	j->n = n;
	j->counted = done;
	to_worker(j, on_count);
}

/* ---- trace ---- */

static void
main_traced(void *arg)
{
	struct job *j = arg;

	j->traced(j->user, j->trace);
	free(j);
}

static void
on_trace(void *arg)
{
	struct job *j = arg;
	struct seat *s = j->seat;

	j->trace->now_us = loop_now_update(s->loop);
	j->trace->n = 0;
	if (s->closing == SEAT_OPEN && s->nexus != NULL)
		j->trace->n =
		    trace_copy(sess_trace(nexus_sess(s->nexus)), j->trace->entry, TRACE_ENTRIES);
	to_main(j, main_traced);
}

void
seat_trace(struct seat *s, struct seat_trace *t,
    void (*done)(void *user, const struct seat_trace *t), void *user)
{
	struct job *j = job_new(s, user);

	j->trace = t;
	j->traced = done;
	to_worker(j, on_trace);
}

/* ---- ping ---- */

static void
on_ping(void *arg)
{
	struct job *j = arg;
	struct seat *s = j->seat;
	int err = -ENOTCONN;

	if (s->ping != NULL)
		err = -EBUSY;
	else if (s->closing == SEAT_OPEN && s->nexus != NULL)
		err = nexus_ping(s->nexus, j->bytes, NULL);
	if (err == 0) {
		s->ping = j;
		return;
	}
	if (err == -EBUSY)
		fault_set(&j->pong.fault, IPC_ERR_BUSY, "try again",
		    "another ping of this session is not answered yet");
	else
		fault_set(&j->pong.fault, IPC_ERR_OFFLINE, "wait until the session is online",
		    "the session is not online, so nothing can be sent");
	to_main(j, main_pinged);
}

void
seat_ping(struct seat *s, uint32_t bytes, void (*done)(void *user, const struct seat_ping *ping),
    void *user)
{
	struct job *j = job_new(s, user);

	j->bytes = bytes;
	j->pinged = done;
	to_worker(j, on_ping);
}

/* ---- making and freeing ---- */

struct seat *
seat_new(const struct seat_cfg *cfg)
{
	struct seat *s = call_alloc(sizeof *s);

	s->main = cfg->main;
	s->loop = cfg->worker;
	s->ops = cfg->ops;
	s->user = cfg->user;
	s->port = (struct scsi_port){
		.loop = cfg->worker, .submit = port_submit, .fail_unsent = port_fail_unsent
	};
	s->nexus_cfg = cfg->nexus;
	cut_copy(s->label, sizeof s->label, cfg->nexus.label);
	s->closing_timer.expired = closing_timer;
	list_init(&s->probes);
	s->bay = bay_new(&s->port, cfg->nexus.slots, cfg->export, cfg->dir, &bay_ops, s);
	if (s->bay == NULL) {
		free(s);
		return NULL;
	}
	return s;
}

void
seat_free(struct seat *s)
{
	if (s == NULL)
		return;
	bay_free(s->bay);
	free(s);
}
