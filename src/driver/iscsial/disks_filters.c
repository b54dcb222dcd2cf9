/* What stands between a unit and its exporter, as it is configured for the session. */
#include "driver/iscsial/disks_impl.h"
#include "sys/log.h"

/* What is configured stands in front of the disk from now on. */
static void
set(struct disk *k)
{
	const char *name = lu_blk(k->lu)->name;
	struct filterspec spec;
	char why[FILTERSPEC_WHY_BYTES];

	if (!filterspec_parse(nexus_filters(k->owner->x), lu_info(k->lu)->number, &spec, why)) {
		log_warn("disk %s has the filters that it had: this release does not know those "
			 "that are configured: %s",
		    name, why);
		return;
	}
	if (!filters_set(&k->filters, &spec))
		log_warn("disk %s has the filters that it had: out of memory", name);
}

void
disks_filters_begin(struct disk *k)
{
	filters_init(
	    &k->filters, lu_blk(k->lu), loop_agenda(nexus_iothread(k->owner->x)->thread.loop));
	set(k);
	if (k->filters.chain != NULL)
		log_note("disk %s: filters stand in front of it: %s", lu_blk(k->lu)->name,
		    nexus_filters(k->owner->x));
}

void
disks_filters_configured(void *user)
{
	struct disks *d = user;

	LIST_EACH(node, tmp, &d->all)
	{
		struct disk *k = LIST_ENTRY(node, struct disk, link);

		bool was_read_only = filters_refuse_writes(&k->filters);

		if (!k->is_exported)
			continue;
		set(k);
		if (filters_refuse_writes(&k->filters) == was_read_only)
			continue;
		d->ops->changed(d->export, &k->filters.dev);
		k->is_changed = true;
		disks_tell(k);
	}
}
