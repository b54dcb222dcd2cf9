/*
 * The disks of one session and the exporter that shows them, on the session's
 * thread.  The exporter starts with the first disk and stops with the bay.
 */
#ifndef ISCSIAL_BAY_H
#define ISCSIAL_BAY_H

#include "driver/iscsial/disk.h"
#include "export/export.h"

struct bay;

/* Called from the loop, never from inside a call of the bay's owner. */
struct bay_ops {
	/* The disk's size or flags are different now. */
	void (*changed)(void *user, const struct lun_info *info);
	/* It is not the unit that it was: it gets no I/O any more. */
	void (*replaced)(void *user, uint32_t lun, const struct fault *why);
	/* bay_check() is done. */
	void (*checked)(void *user);
};

/* `dir` is copied.  NULL when memory is short. */
struct bay *bay_new(struct scsi_port *port, unsigned slots, const struct export_ops *export,
    const char *dir, const struct bay_ops *ops, void *user);
/* Nothing may be under way (bay_is_idle()).  NULL is fine. */
void bay_free(struct bay *b);

/*
 * Show a disk under this name; one that is shown already is brought up to
 * date, and runs again if it had been taken off.  False with *ret_fault.
 */
bool bay_show(
    struct bay *b, const struct lun_info *info, const char *name, struct fault *ret_fault);
/* What stands there now is not the unit that the disk is installed for: no I/O. */
void bay_refuse(struct bay *b, const struct lun_info *now);
/* Take a disk away; I/O that is not done fails.  No error when it is not shown. */
void bay_hide(struct bay *b, uint32_t lun);
size_t bay_count(const struct bay *b);
/* Who has it open; 0 for a LUN that is not shown. */
unsigned bay_openers(const struct bay *b, uint32_t lun);

/* While it is sealed, nobody else gets it open. */
void bay_seal(struct bay *b, uint32_t lun, bool is_sealed);

/* The n-th disk that is shown, or NULL behind the last. */
struct disk *bay_disk(const struct bay *b, size_t n);

/*
 * After a login: see that every disk is still the unit it was.  Those that
 * are not are taken off.  checked() follows, unless bay_uncheck() comes first:
 * the connection was lost again.
 */
void bay_check(struct bay *b);
void bay_uncheck(struct bay *b);
/* disk_fail_fast() for all. */
void bay_fail_fast(struct bay *b, bool fail);

/* No I/O from now on; the exporter stops. */
void bay_stop(struct bay *b);
bool bay_is_idle(const struct bay *b);

#endif
