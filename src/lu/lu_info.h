/* What was learned of a LUN by asking it; plain data that is copied from thread to thread. */
#ifndef LU_LU_INFO_H
#define LU_LU_INFO_H

#include "base/fault.h"
#include "scsi/capacity.h"
#include "scsi/identity.h"
#include "scsi/inquiry.h"
#include "scsi/luns.h"
#include "scsi/mode.h"
#include "scsi/vpd.h"

/* Who stands there, as far as it told. */
enum lu_answer {
	LU_NO_ANSWER, /* a question failed: `fault` says which and why */
	LU_NOBODY,    /* no logical unit there: INQUIRY's qualifier, or 25/00 */
	LU_SOMEBODY,  /* `id` is complete */
};

struct lu_info {
	uint32_t number;
	uint8_t wire[LUNS_WIRE_BYTES]; /* the form in which the target reported it */
	uint64_t nexus, doubts;        /* path's, when it was asked */
	enum lu_answer answer;
	struct inquiry inquiry; /* LU_SOMEBODY */
	struct identity id;     /* the same; its sizes when is_sized */
	bool is_disk;           /* a disk by its type: what follows counts */
	bool is_sized;          /* capacity is valid; else `fault` says why not */
	struct capacity capacity;
	/* A question about what it is like had no answer for now: its fields are of before, or
	 * empty. */
	bool is_incomplete;
	bool has_mode; /* mode is valid */
	struct mode mode;
	struct vpd_limits limits;          /* zeros: none are named */
	struct vpd_provisioning provision; /* zeros: not provisioned thinly */
	struct fault fault;                /* why it cannot be used as it should, if so */
};

/* May the write cache hold what was written? */
bool lu_info_may_cache(const struct lu_info *i);

#endif
