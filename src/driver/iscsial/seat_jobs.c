/*
 * What the main loop asks of a seat: each question is a job that goes to the
 * worker, is answered there, now or later, and comes back with its answer.
 */
#include <errno.h>
#include <stdlib.h>

#include "driver/call.h"
#include "driver/iscsial/seat_impl.h"

/* All LUNs of a session are probed in this time, or the probe has failed. */
#define SEAT_PROBE_US 30000000

struct job *
seat_job_new(struct seat *s, void *user)
{
	struct job *j = call_alloc(sizeof *j);

	j->seat = s;
	j->user = user;
	j->fd = -1;
	list_init(&j->link);
	return j;
}

void
seat_to_worker(struct job *j, void (*fn)(void *job))
{
	j->seat->asked++;
	call_post(j->seat->loop, fn, j);
}

void
seat_to_main(struct job *j, void (*fn)(void *job))
{
	call_post(j->seat->main, fn, j);
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
		fault_set(&j->result.fault, FAULT_OFFLINE, "scan again",
		    "the LUNs could not be probed: %s", why);
	}
	list_remove(&j->link);
	agenda_clear(loop_agenda(j->seat->loop), &j->deadline);
	seat_to_main(j, main_probed);
}

void
seat_end_probes(struct seat *s, const char *why)
{
	while (!list_empty(&s->probes))
		end_probe(LIST_ENTRY(s->probes.next, struct job, link), why);
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
probe_deadline(struct agenda_timer *t)
{
	end_probe(LIST_ENTRY(t, struct job, deadline), "the target took too long");
}

static void
on_probe(void *arg)
{
	struct job *j = arg;
	struct seat *s = j->seat;

	if (s->closing != SEAT_OPEN || s->nexus == NULL || !nexus_is_online(s->nexus)) {
		fault_set(&j->result.fault, FAULT_OFFLINE, "scan again",
		    "the LUNs could not be probed: the session is not online");
		seat_to_main(j, main_probed);
		return;
	}
	list_push_back(&s->probes, &j->link);
	j->deadline.expired = probe_deadline;
	agenda_set(loop_agenda(s->loop), &j->deadline, loop_now_update(s->loop) + SEAT_PROBE_US);
	j->probe = probe_start(&s->port, probed, j);
}

void
seat_probe(struct seat *s, probe_done *done, void *user)
{
	struct job *j = seat_job_new(s, user);

	j->probed = done;
	seat_to_worker(j, on_probe);
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
			fault_set(&d->fault, FAULT_OFFLINE, "", "the session was closed");
		else if (d->is_refused)
			bay_refuse(j->seat->bay, &d->info);
		else
			(void)bay_show(j->seat->bay, &d->info, d->name,
			    &d->fault); /* the fault is the answer */
	}
	seat_to_main(j, main_shown);
}

void
seat_show(struct seat *s, struct seat_disk *disks, size_t n,
    void (*done)(void *user, struct seat_disk *disks, size_t n), void *user)
{
	struct job *j = seat_job_new(s, user);

	j->disks = disks;
	j->n = n;
	j->shown = done;
	seat_to_worker(j, on_show);
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
	struct job *j = seat_job_new(s, NULL);

	j->info.number = lun;
	seat_to_worker(j, on_hide);
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

	for (size_t i = 0; i < j->n && j->seat->closing == SEAT_OPEN; i++) {
		j->openers[i].openers = bay_openers(j->seat->bay, j->openers[i].lun);
		if (j->seal != SEAT_SEAL_STAYS)
			bay_seal(j->seat->bay, j->openers[i].lun, j->seal == SEAT_SEAL);
	}
	seat_to_main(j, main_counted);
}

void
seat_count_openers(struct seat *s, struct seat_openers *list, size_t n, enum seat_seal seal,
    void (*done)(void *user, struct seat_openers *list, size_t n), void *user)
{
	struct job *j = seat_job_new(s, user);

	j->openers = list;
	j->n = n;
	j->seal = seal;
	j->counted = done;
	seat_to_worker(j, on_count);
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
	seat_to_main(j, main_traced);
}

void
seat_trace(struct seat *s, struct seat_trace *t,
    void (*done)(void *user, const struct seat_trace *t), void *user)
{
	struct job *j = seat_job_new(s, user);

	j->trace = t;
	j->traced = done;
	seat_to_worker(j, on_trace);
}

/* ---- ping ---- */

static void
main_pinged(void *arg)
{
	struct job *j = arg;

	j->pinged(j->user, &j->pong);
	free(j);
}

void
seat_end_ping(struct seat *s)
{
	struct job *j = s->ping;

	s->ping = NULL;
	seat_to_main(j, main_pinged);
}

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
		fault_set(&j->pong.fault, FAULT_BUSY, "try again",
		    "another ping of this session is not answered yet");
	else
		fault_set(&j->pong.fault, FAULT_OFFLINE, "wait until the session is online",
		    "the session is not online, so nothing can be sent");
	seat_to_main(j, main_pinged);
}

void
seat_ping(struct seat *s, uint32_t bytes, void (*done)(void *user, const struct seat_ping *ping),
    void *user)
{
	struct job *j = seat_job_new(s, user);

	j->bytes = bytes;
	j->pinged = done;
	seat_to_worker(j, on_ping);
}
