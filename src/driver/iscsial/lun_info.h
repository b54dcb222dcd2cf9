/* What a probe learned of a LUN; plain data that crosses threads by copy. */
#ifndef ISCSIAL_LUN_INFO_H
#define ISCSIAL_LUN_INFO_H

#include "base/fault.h"
#include "scsi/capacity.h"
#include "scsi/identity.h"
#include "scsi/inquiry.h"
#include "scsi/luns.h"
#include "scsi/mode.h"
#include "scsi/vpd.h"

/* What tells this LUN from others ("" where it has none). */
struct lun_id {
	char designator[IDENTITY_BYTES];
	char serial[VPD_SERIAL_BYTES];
	uint64_t size_bytes;
};

struct lun_info {
	uint32_t number;
	uint8_t wire[LUNS_WIRE_BYTES];
	bool is_present; /* a device answers there: inquiry is valid */
	bool is_disk;    /* what follows `id` counts */
	struct inquiry inquiry;
	struct lun_id id; /* its size too */
	bool is_sized;    /* capacity is valid; else `fault` says why not */
	struct capacity capacity;
	bool has_mode; /* mode is valid */
	struct mode mode;
	struct vpd_limits limits;          /* zeros: none are named */
	struct vpd_provisioning provision; /* zeros: not provisioned thinly */
	struct fault fault;                /* why it cannot be used as it should, if so */
};

/* May the write cache hold what was written? */
bool lun_info_may_cache(const struct lun_info *i);
/* Could a and b be the same logical unit?  Decided by the best name that both have. */
bool lun_info_is_same(const struct lun_id *a, const struct lun_id *b);
/* For sentences: the designator, else the serial number, else "without a name". */
const char *lun_info_name(const struct lun_id *id);

#endif
