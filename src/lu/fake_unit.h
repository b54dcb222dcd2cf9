/* For tests: a target behind fake_port.h that answers what a probe asks. */
#ifndef ISCSIAL_FAKE_UNIT_H
#define ISCSIAL_FAKE_UNIT_H

#include "driver/iscsial/fake_port.h"

struct fake_unit {
	bool is_absent;     /* no such logical unit */
	uint8_t type;       /* peripheral device type */
	const char *serial; /* NULL: the page is not there */
	uint64_t naa;       /* 0: no designator */
	uint64_t blocks;
	bool has_no_capacity_16;
	unsigned attentions; /* unit attentions that are still pending */
	unsigned commands;   /* asked so far */
};

/* Units by number; n of them. */
struct fake_target {
	struct fake_unit *units;
	size_t n;
	bool has_no_report_luns;
};

/* Answer the oldest command; false: it is none that the target knows (it was refused). */
bool fake_target_answer(struct fake_target *t, struct fake_port *f);
/* Until nothing is asked any more. */
void fake_target_run(struct fake_target *t, struct fake_port *f);

#endif
