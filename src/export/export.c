#include "export/export.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "export/align.h"
#include "export/fuse.h"
#include "export/nbd.h"
#include "export/null.h"
#include "export/ublk.h"

static const struct export_ops *const kinds[] = { &fuse_export, &ublk_export, &nbd_export,
	&null_export };

const struct export_ops *
export_find(const char *name)
{
	for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
		if (strcmp(kinds[i]->name, name) == 0)
			return kinds[i];
	return NULL;
}

int
export_check_dev(const struct blk_dev *dev)
{
	uint32_t block = dev->block_bytes;

	if (memchr(dev->name, '\0', sizeof dev->name) == NULL || dev->name[0] == '\0' ||
	    strchr(dev->name, '/') != NULL || strcmp(dev->name, ".") == 0 ||
	    strcmp(dev->name, "..") == 0)
		return -EINVAL;
	if (block < 512 || block > ALIGN_BLOCK_MAX || (block & (block - 1)) != 0 ||
	    block > dev->max_io_bytes || dev->size_bytes > INT64_MAX)
		return -EINVAL;
	return 0;
}

/* ---- what ends with its process ---- */

int
export_mortal_take_over(struct loop *loop, const char *dir, const struct export_held *held,
    const struct export_events *events, void *user, struct export **ret_ex)
{
	(void)loop, (void)dir, (void)events, (void)user, (void)ret_ex;
	close(held->device_fd);
	close(held->state_fd);
	return -EOPNOTSUPP;
}

void
export_mortal_give_up(struct export *ex, const char *name)
{
	(void)ex, (void)name;
}

bool
export_mortal_can_hand_over(void)
{
	return false;
}

void
export_mortal_overdue(struct export *ex)
{
	(void)ex;
}

long
export_mortal_awaited(const struct export *ex, const char *name)
{
	(void)ex, (void)name;
	return -1;
}

bool
export_mortal_had_loss(const struct export *ex, const char *name)
{
	(void)ex, (void)name;
	return false;
}

/* Their users lose their connections with it, and know. */
void
export_mortal_loss(struct export *ex, struct blk_dev *dev, bool is_due)
{
	(void)ex, (void)dev, (void)is_due;
}
