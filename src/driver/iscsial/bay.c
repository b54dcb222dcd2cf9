#include "driver/iscsial/bay.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "driver/call.h"
#include "driver/iscsial/probe.h"
#include "sys/log.h"

/*
 * A target that is being restarted may know its LUNs a little later than its
 * name: a unit that is missing is looked for again, so often.
 */
#define BAY_MISSING_US    2000000
#define BAY_MISSING_LOOKS 30

struct berth {
	struct list link;
	struct bay *bay;
	struct disk *disk;
	struct probe *look; /* under way because the disk asked for it, or is missing */
	struct agenda_timer again;
	unsigned missing; /* looks that found nothing, in a row */
	bool is_exported; /* the exporter has it; else it only waits to be idle */
	bool is_off;      /* its unit was replaced */
};

struct bay {
	struct scsi_port *port;
	const struct export_ops *ops_export;
	char *dir;
	const struct bay_ops *ops;
	void *user;
	unsigned slots;
	struct iopool *pool; /* made with the first disk: a session without one costs little */
	struct export *export;
	struct probe *check;
	bool is_failing;
	struct list berths;
};

static void look(void *user, struct disk *d);
static void again(struct agenda_timer *t);

static const struct disk_ops disk_ops = { .look = look };

struct bay *
bay_new(struct scsi_port *port, unsigned slots, const struct export_ops *export, const char *dir,
    const struct bay_ops *ops, void *user)
{
	struct bay *b = calloc(1, sizeof *b);

	if (b == NULL)
		return NULL;
	b->port = port;
	b->ops_export = export;
	b->ops = ops;
	b->user = user;
	list_init(&b->berths);
	b->dir = strdup(dir);
	b->slots = slots;
	if (b->dir == NULL) {
		free(b);
		return NULL;
	}
	return b;
}

static struct berth *
find(const struct bay *b, uint32_t lun)
{
	LIST_EACH(node, tmp, &b->berths)
	{
		struct berth *h = LIST_ENTRY(node, struct berth, link);

		if (h->is_exported && disk_info(h->disk)->number == lun)
			return h;
	}
	return NULL;
}

static void
berth_free(struct berth *h)
{
	probe_abandon(h->look);
	agenda_clear(loop_agenda(h->bay->port->loop), &h->again);
	list_remove(&h->link);
	disk_free(h->disk);
	free(h);
}

/* Disks that were hidden and whose last command has come back. */
static void
sweep(struct bay *b)
{
	LIST_EACH(node, tmp, &b->berths)
	{
		struct berth *h = LIST_ENTRY(node, struct berth, link);

		if (!h->is_exported && disk_is_idle(h->disk))
			berth_free(h);
	}
}

void
bay_free(struct bay *b)
{
	if (b == NULL)
		return;
	sweep(b);
	iopool_free(b->pool);
	free(b->dir);
	free(b);
}

/* ---- showing ---- */

static bool
start_export(struct bay *b, struct fault *ret_fault)
{
	int err;

	if (b->export != NULL)
		return true;
	if (b->pool == NULL)
		b->pool = iopool_new(b->slots);
	if (b->pool == NULL) {
		stat_add(b->port->account.session, STAT_SWD_CONNECTION_io_alloc);
		stat_add(b->port->account.session, STAT_SWD_CONNECTION_io_streams);
		fault_set(ret_fault, FAULT_INTERNAL, "free some memory", "out of memory for disks");
		return false;
	}
	err = b->ops_export->start(b->port->loop, b->dir, &b->export);
	if (err == 0)
		return true;
	if (err == -ENOMEM)
		stat_add(b->port->account.session, STAT_SWD_CONNECTION_io_streams);
	b->export = NULL;
	fault_set(ret_fault, FAULT_INTERNAL,
	    err == -ENOENT || err == -ENODEV || err == -EPERM || err == -EACCES
		? "make /dev/fuse available and usable for the driver's user (fusermount3)"
		: "look at the system's log",
	    "disks cannot be shown at %s: %s", b->dir, strerror(-err));
	return false;
}

static void
update(struct berth *h, const struct lun_info *info)
{
	bool is_changed = disk_update(h->disk, info);

	h->is_off = false;
	h->missing = 0;
	agenda_clear(loop_agenda(h->bay->port->loop), &h->again);
	if (is_changed) {
		h->bay->ops_export->changed(h->bay->export, disk_blk(h->disk));
		h->bay->ops->changed(h->bay->user, info);
	}
}

static void
replaced(struct berth *h, const struct lun_info *now)
{
	const struct lun_info *was = disk_info(h->disk);
	struct fault why = { 0 };

	if (h->is_off)
		return;
	fault_set(&why, FAULT_OFFLINE,
	    "restore the unit on the target; or remove the device (rmsf) and scan again",
	    "LUN %u is not the unit that it was: it was %s, now there is %s; it gets no I/O",
	    was->number, lun_info_name(&was->id),
	    now->is_present ? lun_info_name(&now->id) : "nothing");
	log_err("disk %s: %s", disk_blk(h->disk)->name, why.message);
	h->is_off = true;
	disk_off(h->disk, -EIO);
	h->bay->ops->replaced(h->bay->user, was->number, &why);
}

/*
 * A scan accepts another unit at the old place, but not under the feet of
 * somebody who has the old one open.
 */
static bool
show_again(struct berth *h, const struct lun_info *info, struct fault *ret_fault)
{
	struct bay *b = h->bay;

	if (lun_info_is_same(&disk_info(h->disk)->id, &info->id) ||
	    b->ops_export->openers(b->export, disk_blk(h->disk)) == 0) {
		update(h, info);
		return true;
	}
	replaced(h, info);
	fault_set(ret_fault, FAULT_BUSY, "close it, then scan again",
	    "disk %s is another unit now, but the old one is still in use",
	    disk_blk(h->disk)->name);
	return false;
}

bool
bay_show(struct bay *b, const struct lun_info *info, const char *name, struct fault *ret_fault)
{
	struct berth *h = find(b, info->number);
	int err;

	sweep(b);
	if (h != NULL)
		return show_again(h, info, ret_fault);
	if (!start_export(b, ret_fault))
		return false;
	h = call_alloc(sizeof *h);
	h->bay = b;
	h->again.expired = again;
	h->disk = disk_new(b->port, b->pool, info, name, &disk_ops, h);
	err = h->disk != NULL ? b->ops_export->add(b->export, disk_blk(h->disk)) : -ENOMEM;
	if (err != 0) {
		if (err == -ENOMEM)
			stat_add(b->port->account.session, h->disk == NULL
							       ? STAT_SWD_CONNECTION_io_alloc
							       : STAT_SWD_CONNECTION_io_streams);
		disk_free(h->disk);
		free(h);
		fault_set(ret_fault, FAULT_INTERNAL, "look at the driver's log",
		    "disk %s cannot be shown: %s", name, strerror(-err));
		return false;
	}
	h->is_exported = true;
	disk_fail_fast(h->disk, b->is_failing);
	list_push_back(&b->berths, &h->link);
	return true;
}

static void
take_off(struct berth *h, int err)
{
	probe_abandon(h->look);
	h->look = NULL;
	agenda_clear(loop_agenda(h->bay->port->loop), &h->again);
	disk_off(h->disk, err);
}

void
bay_hide(struct bay *b, uint32_t lun)
{
	struct berth *h = find(b, lun);
	int err;

	if (h == NULL)
		return;
	err = b->ops_export->remove(b->export, disk_blk(h->disk), true);
	if (err != 0)
		log_warn(
		    "disk %s could not be taken away: %s", disk_blk(h->disk)->name, strerror(-err));
	h->is_exported = false;
	take_off(h, -ENXIO);
	sweep(b);
}

void
bay_refuse(struct bay *b, const struct lun_info *now)
{
	struct berth *h = find(b, now->number);

	if (h != NULL)
		replaced(h, now);
}

size_t
bay_count(const struct bay *b)
{
	size_t n = 0;

	LIST_EACH(node, tmp, &b->berths)
	n += LIST_ENTRY(node, struct berth, link)->is_exported;
	return n;
}

struct disk *
bay_disk(const struct bay *b, size_t n)
{
	LIST_EACH(node, tmp, &b->berths)
	{
		struct berth *h = LIST_ENTRY(node, struct berth, link);

		if (h->is_exported && n-- == 0)
			return h->disk;
	}
	return NULL;
}

unsigned
bay_openers(const struct bay *b, uint32_t lun)
{
	struct berth *h = find(b, lun);

	return h != NULL ? b->ops_export->openers(b->export, disk_blk(h->disk)) : 0;
}

void
bay_seal(struct bay *b, uint32_t lun, bool is_sealed)
{
	struct berth *h = find(b, lun);

	if (h != NULL)
		b->ops_export->seal(b->export, disk_blk(h->disk), is_sealed);
}

/* ---- identity ---- */

static void
wait_for_it(struct berth *h)
{
	if (h->missing++ == 0)
		log_warn("disk %s: the target has no LUN %u now; waiting for it",
		    disk_blk(h->disk)->name, disk_info(h->disk)->number);
	if (!h->is_off)
		disk_pause(h->disk);
	agenda_set(loop_agenda(h->bay->port->loop), &h->again,
	    loop_now(h->bay->port->loop) + BAY_MISSING_US);
}

/*
 * What a probe found of a disk.  A unit that answers but is not ready, or did
 * not answer INQUIRY, keeps what is known of it: its commands will tell.
 */
static void
found(struct berth *h, const struct lun_info *now)
{
	struct lun_info was = *disk_info(h->disk);
	bool is_silent = !now->is_present && now->fault.is_set;

	if (!is_silent && !now->is_present && h->missing < BAY_MISSING_LOOKS) {
		wait_for_it(h);
	} else if (!is_silent && (!now->is_present || !lun_info_is_same(&was.id, &now->id))) {
		replaced(h, now);
	} else if (!is_silent && now->is_sized) {
		update(h, now);
	} else if (!h->is_off) {
		update(h, &was);
	}
}

static void
looked(void *user, struct probe_result *r)
{
	struct berth *h = user;

	h->look = NULL;
	/* The connection is lost: the check after the next login answers instead. */
	if (!r->fault.is_set)
		found(h, &r->luns[0]);
}

static void
again(struct agenda_timer *t)
{
	struct berth *h = LIST_ENTRY(t, struct berth, again);

	look(h, h->disk);
}

static void
add_lun(struct probe_lun *to, const struct disk *d)
{
	to->number = disk_info(d)->number;
	memcpy(to->wire, disk_info(d)->wire, sizeof to->wire);
}

static void
look(void *user, struct disk *d)
{
	struct berth *h = user;
	struct probe_lun lun;

	if (h->look != NULL || h->bay->check != NULL)
		return;
	add_lun(&lun, d);
	h->look = probe_start_luns(h->bay->port, &lun, 1, looked, h);
}

static void
checked(void *user, struct probe_result *r)
{
	struct bay *b = user;

	b->check = NULL;
	if (r->fault.is_set)
		return;
	for (size_t i = 0; i < r->n; i++) {
		struct berth *h = find(b, r->luns[i].number);

		if (h != NULL)
			found(h, &r->luns[i]);
	}
	b->ops->checked(b->user);
}

void
bay_check(struct bay *b)
{
	struct probe_lun *luns = call_alloc((bay_count(b) + 1) * sizeof *luns);
	size_t n = 0;

	bay_uncheck(b);
	LIST_EACH(node, tmp, &b->berths)
	{
		struct berth *h = LIST_ENTRY(node, struct berth, link);

		if (!h->is_exported)
			continue;
		probe_abandon(h->look);
		h->look = NULL;
		add_lun(&luns[n++], h->disk);
	}
	b->check = probe_start_luns(b->port, luns, n, checked, b);
	free(luns);
}

void
bay_uncheck(struct bay *b)
{
	probe_abandon(b->check);
	b->check = NULL;
}

void
bay_fail_fast(struct bay *b, bool fail)
{
	b->is_failing = fail;
	LIST_EACH(node, tmp, &b->berths)
	disk_fail_fast(LIST_ENTRY(node, struct berth, link)->disk, fail);
}

/* ---- the end ---- */

void
bay_stop(struct bay *b)
{
	bay_uncheck(b);
	LIST_EACH(node, tmp, &b->berths)
	{
		struct berth *h = LIST_ENTRY(node, struct berth, link);

		take_off(h, -ENXIO);
		h->is_exported = false;
	}
	if (b->export != NULL)
		b->ops_export->stop(b->export);
	b->export = NULL;
}

bool
bay_is_idle(const struct bay *b)
{
	if (b->export != NULL || b->check != NULL)
		return false;
	LIST_EACH(node, tmp, &b->berths)
	if (!disk_is_idle(LIST_ENTRY(node, struct berth, link)->disk))
		return false;
	return true;
}
