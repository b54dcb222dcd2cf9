/* Where a session's exporter shows disks, and why it cannot be started; block devices that it makes
 * itself.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cut.h"
#include "driver/call.h"
#include "driver/iscsial/disks_impl.h"

void
disks_use(struct disks *d, const struct export_ops *ops)
{
	char dir[PATH_MAX];

	d->ops = ops;
	(void)snprintf(dir, sizeof dir, "%s/%u",
	    ops == export_find("nbd")    ? d->cfg->sockets
	    : ops == export_find("ublk") ? d->cfg->ublks
					 : d->cfg->dir,
	    nexus_cfg(d->x)->instance); /* paths_init() sees to it that this fits */
	if (d->dir != NULL && strcmp(d->dir, dir) == 0)
		return;
	free(d->dir);
	d->dir = call_strdup(dir);
}

static void
set_ublk_fault(int err, struct fault *ret_fault)
{
	const char *why = err == -ENOENT       ? "there is no /dev/ublk-control"
			  : err == -ENOSYS     ? "there was no ublk when the driver was started"
			  : err == -EOPNOTSUPP ? "this kernel's ublk is too old"
					       : strerror(-err);

	fault_set(ret_fault, FAULT_INTERNAL,
	    err == -ENOENT   ? "load the kernel module ublk_drv (Linux 6.8 and later) and start "
			       "iscsi_driverd anew, or choose another Exporter (iscsiutil -t)"
	    : err == -ENOSYS ? "start iscsi_driverd anew, or choose another Exporter (iscsiutil -t)"
			     : "choose another Exporter (iscsiutil -t)",
	    "disks cannot be ublk devices: %s", why);
}

void
disks_start_fault(const struct disks *d, int err, struct fault *ret_fault)
{
	if (err == -ENOMEM)
		stat_add(nexus_cfg(d->x)->stats, STAT_SWD_CONNECTION_io_streams);
	if (d->ops == export_find("ublk") && err != -EPIPE) {
		set_ublk_fault(err, ret_fault);
		return;
	}
	if (err == -EPIPE) {
		fault_set(ret_fault, FAULT_INTERNAL,
		    "start iscsi_driverd anew when its disks are not in use",
		    "disks cannot be shown at %s: the process that mounts them has ended", d->dir);
		return;
	}
	fault_set(ret_fault, FAULT_INTERNAL,
	    err == -ENOENT || err == -ENODEV || err == -EPERM || err == -EACCES
		? "make /dev/fuse available and usable for the driver's user (fusermount3)"
	    : err == -EMFILE ? "raise the driver's limit of open files"
			     : "look at the system's log",
	    "disks cannot be shown at %s: %s", d->dir, strerror(-err));
}

/* ---- block devices that the exporter makes ---- */

struct block_asked {
	struct export_block block;
	struct mail_block *mail;
};

static void
block_done(struct export_block *b)
{
	struct block_asked *a = LIST_ENTRY(b, struct block_asked, block);
	struct mail_block *q = a->mail;

	q->result = b->result;
	q->number = b->number;
	cut_copy(q->why, sizeof q->why, b->why);
	free(a);
	mail_answer(&q->base.mail);
}

void
disks_refuse_block(struct mail *m)
{
	struct mail_block *q = LIST_ENTRY(m, struct mail_block, base.mail);

	q->result = -ENXIO;
	cut_copy(q->why, sizeof q->why, "the disk is not shown any more");
}

void
disks_take_block(void *owner, struct mail *m)
{
	struct disks *d = nexus_user(owner);
	struct mail_block *q = LIST_ENTRY(m, struct mail_block, base.mail);
	struct disk *k = disks_find(d, q->lun);
	struct block_asked *a;

	if (k == NULL || d->is_stopping || d->ops->block == NULL) {
		disks_refuse_block(m);
		mail_answer(m);
		return;
	}
	a = call_alloc(sizeof *a);
	a->mail = q;
	a->block = (struct export_block){
		.what = q->is_end ? EXPORT_BLOCK_END : EXPORT_BLOCK_MAKE,
		.is_forced = q->is_forced,
		.is_lost = q->is_lost,
		.done = block_done,
	};
	d->ops->block(d->export, &k->filters.dev, &a->block);
}
