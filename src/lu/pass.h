/*
 * A SCSI command that somebody else wrote, on its way to a unit (pass-through).
 *
 * It is sent at the most once, over one path that serves: what comes back REQ_UNSENT never left,
 * and waits for its turn again; anything else is the end, and with REQ_LOST nobody knows what
 * became of it.  To a unit that is a disk it goes as I/O does: only in SAME, else it waits; OTHER
 * and CLOSED refuse it. What writes waits for shadows, and casts one when it is lost, so that what
 * is sent later is never overtaken by it.  What its answer says of the unit, the unit hears.
 *
 * Embedded in whoever passes it; nothing is allocated.  On the path's thread.
 */
#ifndef LU_PASS_H
#define LU_PASS_H

#include "lu/lu.h"
#include "scsi/effect.h"

struct pass {
	/* Set by whoever passes it: cdb, dir, data, data_len, timeout_ms; lun without a unit. */
	struct req req;
	/* So long it may wait until it is sent, from pass_start() on. */
	uint64_t patience_us;
	/* To a unit, and not NULL: over this one of its paths, also where that does not serve. */
	const struct path *only;
	/* Without a unit: who stands there is known of this nexus, and before more doubts. */
	bool is_bound;
	uint64_t nexus, doubts; /* nexus: under which it was sent */
	/*
	 * Its end.  req.result, and what it makes valid; `why` is set where it was not sent:
	 * then req.result is REQ_UNSENT and nothing has happened.
	 */
	struct fault why;
	/* Called once, never from inside pass_start(). */
	void (*done)(struct pass *p);

	/* Its own. */
	struct list link;   /* the unit's, while it waits or is under way */
	struct lu *lu;      /* NULL: a LUN without a unit */
	struct lunpath *lp; /* of the unit, over which it was sent */
	struct path *path;  /* of that; or the LUN's */
	struct agenda *agenda;
	enum effect effect;
	bool is_out; /* with the path */
	uint64_t until_us;
	struct agenda_timer timer;
};

/* To a unit. */
void pass_start(struct pass *p, struct lu *u);
/* To a LUN that is nobody's disk (req.lun): only while the path is up. */
void pass_start_raw(struct pass *p, struct path *path);

/* Sense data that a LUN without a unit gave to somebody: the units of the path are told. */
void pass_heard(struct path *path, const uint8_t lun[LUNS_WIRE_BYTES], const struct sense *s);

/* lu.c's: the state, a shadow or the path has changed. */
void pass_pump(struct lu *u);

#endif
