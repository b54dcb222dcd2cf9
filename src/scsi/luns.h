/*
 * LUN addresses: the eight bytes of SAM-5, section 4.7, their number, REPORT
 * LUNS data, and the guide's map of a LUN to a SCSI-2 bus, target and lun.
 */
#ifndef SCSI_LUNS_H
#define SCSI_LUNS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/limits.h"

#define LUNS_WIRE_BYTES 8

/* The addressing method, the two high bits of the first byte. */
enum luns_mode {
	LUNS_PERIPHERAL,   /* 00b: a number up to 255 (bus identifier 0) */
	LUNS_FLAT,         /* 01b: 14 bits */
	LUNS_LOGICAL_UNIT, /* 10b: target (6), bus (3) and lun (5 bits), taken as one number */
	LUNS_EXTENDED      /* 11b: only extended flat space: 24 bits */
};

enum luns_kind {
	LUNS_SINGLE,     /* mode and number are valid */
	LUNS_MULTI,      /* more than one level: not supported, as in the guide */
	LUNS_WELL_KNOWN, /* C1h: a well-known logical unit */
	LUNS_ODD         /* a format of 11b that nobody uses for a LUN */
};

/* What the eight bytes are; *ret_mode for every kind, *ret_lun for LUNS_SINGLE only. */
enum luns_kind luns_decode(
    const uint8_t wire[LUNS_WIRE_BYTES], enum luns_mode *ret_mode, uint32_t *ret_lun);
/* The reverse; false (and nothing written) when the mode cannot say that number. */
bool luns_encode(enum luns_mode mode, uint32_t lun, uint8_t ret_wire[LUNS_WIRE_BYTES]);

/* A LUN that is claimed: its number, and the form in which the target wrote it. */
struct luns_entry {
	uint32_t number;
	uint8_t wire[LUNS_WIRE_BYTES];
};

/* Why an address is left out. */
enum luns_why {
#define LUNS_WHY(id, text) LUNS_OUT_##id,
#include "scsi/luns_why.def"
};
/* A sentence's end for each; static text. */
const char *luns_why_text(enum luns_why why);
struct luns_out {
	uint8_t wire[LUNS_WIRE_BYTES];
	enum luns_why why;
};

struct luns_report {
	uint32_t claimed;       /* entries written */
	uint32_t unclaimed;     /* left out; the guide's statistic */
	uint32_t doubles;       /* addresses that were there already, and are not left out */
	uint32_t well_known;    /* neither claimed nor unclaimed */
	enum luns_mode primary; /* the mode of most of them */
	uint32_t bytes_wanted;  /* allocation length that would take the whole list */
	bool is_incomplete;     /* ask again with bytes_wanted; what came is good */
};

/*
 * The parameter data of REPORT LUNS (SPC-4, section 6.33).  All single-level
 * LUNs are counted by mode; the mode of most is the primary one (of equals the
 * first in enum luns_mode).  Those of all modes are claimed together; of a
 * number that comes in several modes the first of enum luns_mode counts, and the
 * rest is left out.  only_primary: those of the primary mode alone, as the guide
 * has it.  They go to ret_luns in ascending order, at most luns_most(n); what is
 * left out, in the order of the list, to ret_out, at most out_max.  false: less
 * than the eight bytes of header.
 */
bool luns_parse(const void *bytes, size_t n, bool only_primary, struct luns_entry *ret_luns,
    struct luns_out *ret_out, size_t out_max, struct luns_report *ret_report);
/* So many LUNs can be in n bytes, and are taken. */
size_t luns_most(size_t n);
/* The well-known logical unit that answers REPORT LUNS (SPC-4, section 8.2). */
extern const uint8_t luns_report_luns[LUNS_WIRE_BYTES];

/* The guide, chapter "Hardware path": 128 LUNs a bus, 8 a target. */
struct luns_path {
	uint16_t bus;
	uint8_t target, lun;
};
/* false: beyond LIMIT_TARGET_BUSES buses. */
bool luns_path(uint32_t lun, struct luns_path *ret_path);

#endif
