/*
 * A seat's life on its worker: login and the check of its disks, what ends a
 * connection, and the close.  What is asked of it meanwhile is seat_jobs.c.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "driver/call.h"
#include "driver/cut.h"
#include "driver/iscsial/seat_impl.h"

/* How long a logout may take; then the connection is simply closed. */
#define SEAT_LOGOUT_US (NEXUS_LOGOUT_MS * 1000ull + 500000)

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

static void main_gone(void *arg);

static void
on_settle(void *arg)
{
	struct seat *s = arg;

	call_post(s->main, main_gone, s);
}

/*
 * What was asked meanwhile still lies in the worker's queue, and its answer in
 * ours: the seat stays until nothing was asked for a whole turn of both.
 */
static void
main_gone(void *arg)
{
	struct seat *s = arg;

	if (s->settled != s->asked) {
		s->settled = s->asked;
		call_post(s->loop, on_settle, s);
		return;
	}
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
	struct job *j = seat_job_new(s, NULL);
	const struct sess *sess = nexus_sess(s->nexus);

	s->is_given_up = false;
	bay_fail_fast(s->bay, false);
	nexus_release(s->nexus);
	j->online.params = *sess_params(sess);
	j->online.tsih = sess_tsih(sess);
	j->online.tpgt = sess_tpgt(sess);
	cut_copy(j->online.target_alias, sizeof j->online.target_alias, sess_target_alias(sess));
	seat_to_main(j, main_online);
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

static void drain(struct seat *s);

static void
nexus_went_down(void *user, const struct nexus_down *down)
{
	struct seat *s = user;
	struct job *j;

	bay_uncheck(s->bay);
	if (s->ping != NULL) {
		fault_set(&s->ping->pong.fault, FAULT_OFFLINE, "wait until the session is online",
		    "the connection was lost before the answer came");
		seat_end_ping(s);
	}
	if (s->closing != SEAT_OPEN) {
		if (s->closing == SEAT_LOGGING_OUT)
			drain(s);
		return;
	}
	if (s->is_given_up)
		nexus_fail_all(s->nexus);
	j = seat_job_new(s, NULL);
	j->down = *down;
	seat_to_main(j, main_down);
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
		fault_set(&s->ping->pong.fault, FAULT_TIMEOUT,
		    "look at the network and the target's log",
		    "the ping was not answered in time");
	seat_end_ping(s);
}

static void
nexus_luns_changed(void *user)
{
	seat_to_main(seat_job_new(user, NULL), main_luns_changed);
}

static void
main_verify(void *arg)
{
	struct job *j = arg;

	j->seat->ops->verify(j->seat->user, &j->query);
	free(j);
}

static void
nexus_verify(void *user, const struct nexus_query *q)
{
	struct job *j = seat_job_new(user, NULL);

	j->query = *q;
	seat_to_main(j, main_verify);
}

static const struct nexus_ops nexus_ops = {
	.verify = nexus_verify,
	.online = nexus_online,
	.down = nexus_went_down,
	.ping = nexus_ponged,
	.luns_changed = nexus_luns_changed,
};

static void
disk_changed(void *user, const struct lun_info *info)
{
	struct job *j = seat_job_new(user, NULL);

	j->info = *info;
	seat_to_main(j, main_changed);
}

static void
disk_replaced(void *user, uint32_t lun, const struct fault *why)
{
	struct job *j = seat_job_new(user, NULL);

	j->info.number = lun;
	j->fault = *why;
	seat_to_main(j, main_replaced);
}

static void
bay_started(void *user, const struct fault *why)
{
	seat_end_shows(user, why);
}

static void
main_file(void *arg)
{
	struct job *j = arg;

	j->seat->ops->file(j->seat->user, j->info.number, j->file, j->fault.message);
	free(j);
}

static void
disk_file(void *user, uint32_t lun, enum bay_file what, const char *why)
{
	struct job *j = seat_job_new(user, NULL);

	j->info.number = lun;
	j->file = what;
	cut_copy(j->fault.message, sizeof j->fault.message, why);
	seat_to_main(j, main_file);
}

static void
bay_stopped(void *user)
{
	struct seat *s = user;

	if (s->closing == SEAT_DRAINING)
		agenda_set(loop_agenda(s->loop), &s->closing_timer, loop_now(s->loop));
}

static const struct bay_ops bay_ops = {
	.changed = disk_changed,
	.replaced = disk_replaced,
	.checked = bay_checked,
	.started = bay_started,
	.file = disk_file,
	.stopped = bay_stopped,
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
		nexus_login_free(login);
		if (s->closing == SEAT_OPEN) {
			j->login = NULL;
			fault_set(&j->down.fault, FAULT_INTERNAL, "free some memory",
			    "out of memory for another session");
			seat_to_main(j, main_down);
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
	struct job *j = seat_job_new(s, NULL);

	j->fd = fd;
	j->login = login;
	seat_to_worker(j, on_attach);
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
	s->asked++;
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
	agenda_set(loop_agenda(s->loop), &s->closing_timer, loop_now(s->loop));
}

static void
closing_timer(struct agenda_timer *t)
{
	struct seat *s = LIST_ENTRY(t, struct seat, closing_timer);

	if (s->closing == SEAT_LOGGING_OUT)
		s->closing = SEAT_DRAINING;
	if (s->nexus != NULL)
		sess_counts(nexus_sess(s->nexus), &s->final);
	nexus_free(s->nexus);
	s->nexus = NULL;
	if (!bay_is_idle(s->bay)) {
		agenda_set(loop_agenda(s->loop), t, loop_now(s->loop) + 50000);
		return;
	}
	bay_free(s->bay);
	s->bay = NULL;
	s->closing = SEAT_GONE;
	call_post(s->main, main_gone, s);
}

static void
on_close(void *arg)
{
	struct seat *s = arg;

	struct fault why = { 0 };

	fault_set(&why, FAULT_OFFLINE, "scan again", "the session was closed");
	seat_end_probes(s, "the session was closed");
	seat_end_shows(s, &why);
	bay_stop(s->bay);
	if (s->nexus != NULL && nexus_is_online(s->nexus) && nexus_logout(s->nexus) == 0) {
		s->closing = SEAT_LOGGING_OUT;
		agenda_set(loop_agenda(s->loop), &s->closing_timer,
		    loop_now_update(s->loop) + SEAT_LOGOUT_US);
	} else {
		if (s->ping != NULL) {
			fault_set(
			    &s->ping->pong.fault, FAULT_OFFLINE, "", "the session was closed");
			seat_end_ping(s);
		}
		drain(s);
	}
}

void
seat_close(struct seat *s)
{
	s->asked++;
	call_post(s->loop, on_close, s);
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
	s->port = (struct scsi_port){ .loop = cfg->worker,
		.account = cfg->nexus.account,
		.submit = port_submit,
		.fail_unsent = port_fail_unsent };
	s->nexus_cfg = cfg->nexus;
	cut_copy(s->label, sizeof s->label, cfg->nexus.label);
	s->closing_timer.expired = closing_timer;
	list_init(&s->probes);
	list_init(&s->shows);
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
