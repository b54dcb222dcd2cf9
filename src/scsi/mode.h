/* MODE SENSE data of a block device: SPC-4, section 7.5, and SBC-3, section 6.5. */
#ifndef SCSI_MODE_H
#define SCSI_MODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MODE_PAGE_CACHING 0x08
#define MODE_PAGE_ALL     0x3f

struct mode {
	bool is_write_protected;     /* WP */
	bool has_fua;                /* DPOFUA: the FUA and DPO bits are honoured */
	bool has_caching;            /* the page was there; else the two below are false */
	bool is_write_cache_enabled; /* WCE */
	bool is_read_cache_disabled; /* RCD */
};

/* false: less than the header, in fact or by its own word.  Pages that are cut off or malformed are
 * as if absent. */
bool mode_parse_6(const void *bytes, size_t n, struct mode *ret_mode);
bool mode_parse_10(const void *bytes, size_t n, struct mode *ret_mode);

#endif
