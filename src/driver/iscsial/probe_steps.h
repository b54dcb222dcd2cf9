/*
 * What a probe asks of one LUN, step by step: which command, whether it is
 * wanted, and what to make of its data.  Pure.
 */
#ifndef ISCSIAL_PROBE_STEPS_H
#define ISCSIAL_PROBE_STEPS_H

#include "core/req.h"
#include "driver/iscsial/lun_info.h"

#define PROBE_BUFFER_BYTES 4096
/* SCSI-2 counts the allocation length of INQUIRY in one byte. */
#define PROBE_PAGE_BYTES 255

struct probe_visit {
	struct req *req; /* its data are buf; dir is REQ_READ unless the step says otherwise */
	struct lun_info *info;
	struct vpd_pages pages;
	uint16_t alloc; /* of a page: grows once when the page is longer */
	uint8_t buf[PROBE_BUFFER_BYTES];
};

/* What the failure of a step's command means. */
enum probe_cost {
	PROBE_COSTS_NOTHING,  /* what it would have told is not known */
	PROBE_FAULT_IF_KNOWN, /* the unit has a fault, unless it does not know the command */
	PROBE_FAULT,          /* the unit has a fault */
	PROBE_ENDS            /* the same, and there is no more to ask */
};

struct probe_step {
	bool (*want)(const struct probe_visit *v);     /* NULL: always */
	void (*build)(struct probe_visit *v);          /* cdb and data_len */
	void (*take)(struct probe_visit *v, size_t n); /* n bytes came */
	bool is_page; /* a page of vital product data: may be longer than asked for */
	enum probe_cost cost;
};

extern const struct probe_step probe_steps[];
extern const size_t probe_steps_n;

#endif
