/* What a probe learned of a LUN; plain data that crosses threads by copy. */
#ifndef ISCSIAL_LUN_INFO_H
#define ISCSIAL_LUN_INFO_H

#include "base/fault.h"
#include "registry/registry.h"
#include "scsi/capacity.h"
#include "scsi/inquiry.h"
#include "scsi/luns.h"
#include "scsi/mode.h"
#include "scsi/vpd.h"

struct lun_info {
	uint32_t number;
	uint8_t wire[LUNS_WIRE_BYTES];
	bool is_present; /* a device answers there: inquiry is valid */
	bool is_disk;    /* what follows `id` counts */
	struct inquiry inquiry;
	struct registry_identity id; /* its size too */
	bool is_sized;               /* capacity is valid; else `fault` says why not */
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
bool lun_info_is_same(const struct registry_identity *a, const struct registry_identity *b);
/* For sentences: the designator, else the serial number, else "without a name". */
const char *lun_info_name(const struct registry_identity *id);

#endif
