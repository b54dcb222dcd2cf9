/*
 * Filters as a person writes them: "delay=read:5ms,error=write:1/1000,stats".  What
 * they do is filters.h's.  Pure.
 *
 * Words between commas, in any case of letters:
 *
 *   delay=5ms  error=write:1/100:ENOSPC  readonly  stats     filters (filter.def), from whoever
 * uses the disk to the unit lun=3                                                    those behind
 * it, up to the next "lun=", are for this LUN alone none no filter (it stands alone)
 *
 * Parameters, between colons and in any order:
 *
 *   read, write …   kinds of request, several are added up; else all of them
 *   1/100           every hundredth of these requests, the hundredth first
 *   2048-4095       those that touch these blocks of the device
 *   5ms             200us, 5ms, 2s
 *   ENOSPC          else EIO
 */
#ifndef EXPORT_FILTERSPEC_H
#define EXPORT_FILTERSPEC_H

#include "base/limits.h"
#include "lu/blk.h"

enum filterspec_takes { TAKES_WHICH = 1, TAKES_TIME = 2, TAKES_ERRNO = 4 };

enum filter_id {
#define FILTER(id, ...) FILTER_##id,
#include "export/filter.def"
	FILTER_IDS
};

#define FILTERSPEC_KINDS (BLK_WRITE_ZEROES + 1)

struct filter {
	enum filter_id id;
	uint8_t kinds;        /* a bit a blk_op */
	uint32_t every;       /* one of so many, at least 1 */
	uint64_t first, last; /* blocks; 0 and UINT64_MAX: wherever it is, flushes, too */
	uint32_t delay_us;
	int err; /* a negative errno */
};

struct filterspec {
	struct filter filter[LIMIT_FILTERS]; /* from who uses the disk to the unit */
	unsigned n;
};

#define FILTERSPEC_WHY_BYTES  256
#define FILTERSPEC_TEXT_BYTES 128

/*
 * What `text` ("" is none) says for one LUN.  False with a sentence that says what is wrong
 * where it is wrong for any.
 */
bool filterspec_parse(
    const char *text, uint32_t lun, struct filterspec *ret, char ret_why[FILTERSPEC_WHY_BYTES]);
/* One of them, as it would be written. */
void filterspec_print(const struct filter *f, char ret_text[FILTERSPEC_TEXT_BYTES]);
/* "read" */
const char *filterspec_kind(enum blk_op op);

#endif
