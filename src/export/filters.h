/*
 * Filters in front of a block device: what its user asks for takes longer, fails, is refused or
 * is measured, on its way to the device.  Each disk has one of these, of no filter as a rule: a
 * blk_dev over the unit's that is shown in its place.  On the device's thread; nothing is
 * allocated for a request.
 *
 * Requests pass the filters in the order in which they stand.  What is delayed is so on its way to
 * the device; what fails never gets there.
 *
 * Changing them counts at once, also for a disk in use.  Requests that were delayed go on at once
 * then, past those that had been behind their delay; none is lost, or answered twice.
 */
#ifndef EXPORT_FILTERS_H
#define EXPORT_FILTERS_H

#include "base/agenda.h"
#include "base/hist.h"
#include "export/filterspec.h"
#include "lu/blk.h"

struct filters {
	struct blk_dev dev; /* what is shown */
	struct blk_dev *in; /* the device behind it, borrowed */
	struct agenda *agenda;
	struct filters_chain *chain; /* NULL: there is no filter */
	struct list retired;         /* chains that still time requests */
	bool is_closed;
};

/* What "stats" counted of one kind of request.  Each that was answered is one of the histogram. */
struct filters_kind {
	uint64_t bytes, errors;
	struct hist latency_us;
};

/* What one filter did. */
struct filters_view {
	struct filter filter;
	uint64_t requests; /* that it delayed, failed, refused or counted */
	bool has_kinds;    /* "stats" */
	struct filters_kind kind[FILTERSPEC_KINDS];
};
struct filters_report {
	unsigned n;
	struct filters_view view[]; /* in their order */
};

/* No filter yet.  `in` has its name and size already, and ends later. */
void filters_init(struct filters *f, struct blk_dev *in, struct agenda *agenda);
/* They are idle. */
void filters_fini(struct filters *f);
/*
 * These, instead of those before; counts begin anew, unless they are the same.  The flags of f->dev
 * may be different then.  False: memory is short, and nothing has changed.
 */
bool filters_set(struct filters *f, const struct filterspec *spec);
/* The device's size or flags are different: f->dev has them, too. */
void filters_changed(struct filters *f);
/* "readonly" is one of them; f->dev says so, too. */
bool filters_refuse_writes(const struct filters *f);
/* The device was closed and answers everything: nothing waits here any more, nor will. */
void filters_close(struct filters *f);
/* Closed, and no request is here. */
bool filters_are_idle(const struct filters *f);

/* What they did, for free(); NULL: there is none, or no memory. */
struct filters_report *filters_report(const struct filters *f);
void filters_clear(struct filters *f);

#endif
