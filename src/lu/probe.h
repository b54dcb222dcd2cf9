/*
 * Looking for logical units behind a path: REPORT LUNS (of LUN 0, else of the
 * well-known logical unit), then for each LUN who it is (ask.h); several LUNs at a
 * time.  A probe belongs to one nexus: a lost connection ends it.  On the
 * path's thread.
 */
#ifndef LU_PROBE_H
#define LU_PROBE_H

#include "lu/lu_info.h"
#include "lu/path.h"

/* So many are named; the rest is counted. */
#define PROBE_OUT_MAX 64

struct probe_result {
	/* Set: it was cut short, and nothing is to be made of the rest. */
	struct fault fault;
	struct lu_info *luns; /* n of them, by number; taken by setting it to NULL */
	size_t n;
	uint32_t unclaimed;                 /* the guide's count: LUNs that were left out */
	struct luns_out out[PROBE_OUT_MAX]; /* the first of them, n_out */
	size_t n_out;
	enum luns_mode primary;
	/* For statistics. */
	uint32_t report_luns, report_luns_failed, inquiries, inquiries_failed;
	/* Of the last REPORT LUNS and the last INQUIRY that failed; for the guide's messages 1
	 * and 2. */
	struct {
		uint8_t status, response;
		enum req_result result;
	} bad_report, bad_inquiry;
};

struct probe;
/* Called once, from the agenda; the probe is gone afterwards. */
typedef void probe_done(void *user, struct probe_result *r);

/* only_primary: the guide's rule; else LUNs of all single-level methods whose numbers differ. */
struct probe *probe_start(struct path *path, bool only_primary, probe_done *done, void *user);
/* The nexus is gone, or time is over: done() follows with this fault. */
void probe_end(struct probe *p, const struct fault *why);

#endif
