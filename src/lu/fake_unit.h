/* For tests: a target behind fake_path.h that answers what a probe asks. */
#ifndef LU_FAKE_UNIT_H
#define LU_FAKE_UNIT_H

#include "lu/fake_path.h"

/* A question that gets no good answer. */
enum fake_bad {
	FAKE_FINE,
	FAKE_CHECK, /* CHECK CONDITION: bad_key, bad_asc */
	FAKE_BUSY,
	FAKE_RESERVED,
	FAKE_TIMEOUT,
	FAKE_EMPTY, /* GOOD, without a byte */
	FAKE_ZEROS, /* GOOD, all zeros */
	FAKE_SHORT, /* GOOD, a few bytes */
	FAKE_WRONG, /* GOOD, another page */
	FAKE_BADS
};

struct fake_unit {
	bool is_absent;     /* no such logical unit */
	uint8_t type;       /* peripheral device type */
	const char *serial; /* NULL: the page is not there */
	uint64_t naa;       /* 0: no designator */
	uint64_t blocks;
	bool has_no_capacity_16;
	unsigned attentions;   /* unit attentions that are still pending */
	uint8_t ascq;          /* of those: 29h/… */
	uint8_t set_attention; /* 29h/…: SET TARGET PORT GROUPS is answered so, once; or 0 */
	unsigned commands;     /* asked so far */
	bool is_gone;          /* no such logical unit: 25/00 to everything */
	bool has_no_pages;     /* it refuses vital product data */
	bool omits_name;       /* its list of pages lacks the device identification page */
	enum fake_bad bad;     /* what the next bad_times questions of this kind get */
	uint8_t bad_opcode;
	int bad_page; /* INQUIRY: the page, or -1: none */
	uint8_t bad_key, bad_asc;
	unsigned bad_times;
	uint8_t tpgs;           /* ways to change the state of a port; 0: it has none */
	enum alua_state access; /* of the port that this is asked over; group 1 */
	bool is_ready_anyway;   /* TEST UNIT READY is executed in each state of the port */
	bool is_access_untold;  /* REPORT TARGET PORT GROUPS is not known */
	unsigned sets;          /* SET TARGET PORT GROUPS that came */
	bool has_short_report;  /* only without the time of transitions */
	struct mode mode;       /* what MODE SENSE says, if has_mode */
	bool has_mode;
};

/* Units by number, peripheral addressing up to 255, flat beyond; n of them. */
struct fake_target {
	struct fake_unit *units;
	size_t n;
	bool has_no_report_luns;
	bool has_no_lun_0; /* nobody there: REPORT LUNS is for the well-known unit */
};

/* Answer the oldest question; false: there is none. */
bool fake_target_answer(struct fake_target *t, struct fake_path *f);
/* Is it one of those that ask, not that move data? */
bool fake_is_question(const struct req *r);
/* Answer all questions until none is left; what moves data stays where it is. */
void fake_target_run(struct fake_target *t, struct fake_path *f);

#endif
