/* Verdicts on a target's CHAP response, and what a session and its disks counted. */
#include <stdlib.h>

#include "driver/call.h"
#include "base/cut.h"
#include "driver/iscsial/seat_impl.h"

/* ---- verdicts ---- */

static void
on_verified(void *arg)
{
	struct job *j = arg;

	/* Too late: the session is being closed. */
	if (j->seat->nexus != NULL)
		nexus_verified(j->seat->nexus, j->query.stamp, j->ok, &j->fault);
	free(j);
}

void
seat_verified(struct seat *s, unsigned stamp, bool ok, const struct fault *why)
{
	struct job *j = seat_job_new(s, NULL);

	j->query.stamp = stamp;
	j->ok = ok;
	j->fault = *why;
	seat_to_worker(j, on_verified);
}

/* ---- counts ---- */

static void
main_told(void *arg)
{
	struct job *j = arg;

	j->told(j->user, &j->counts);
	free(j->counts.luns);
	free(j);
}

static void
on_counts(void *arg)
{
	struct job *j = arg;
	struct seat *s = j->seat;
	struct disk *d;

	j->counts.core = s->final;
	if (s->nexus != NULL)
		sess_counts(nexus_sess(s->nexus), &j->counts.core);
	if (s->closing == SEAT_OPEN && bay_count(s->bay) > 0)
		j->counts.luns = call_alloc(bay_count(s->bay) * sizeof *j->counts.luns);
	while (j->counts.luns != NULL && (d = bay_disk(s->bay, j->counts.n)) != NULL) {
		struct seat_lun_counts *l = &j->counts.luns[j->counts.n++];

		l->lun = disk_info(d)->number;
		cut_copy(l->name, sizeof l->name, disk_blk(d)->name);
		l->counts = disk_counts(d);
		l->latency = *disk_latency(d);
	}
	seat_to_main(j, main_told);
}

void
seat_counts(struct seat *s, void (*done)(void *user, const struct seat_counts *c), void *user)
{
	struct job *j = seat_job_new(s, user);

	j->told = done;
	seat_to_worker(j, on_counts);
}

static void
on_clear(void *arg)
{
	struct seat *s = arg;
	struct disk *d;

	for (size_t n = 0; s->closing == SEAT_OPEN && (d = bay_disk(s->bay, n)) != NULL; n++)
		disk_clear_counts(d);
}

void
seat_clear_counts(struct seat *s)
{
	s->asked++;
	call_post(s->loop, on_clear, s);
}

const struct conn_counts *
seat_final_counts(const struct seat *s)
{
	return &s->final;
}
