/* Commands of /dev/ublk-control (linux/ublk_cmd.h), one at a time; they wait. */
#ifndef EXPORT_UBLKCTL_H
#define EXPORT_UBLKCTL_H

#include <liburing.h>
#include <stddef.h>
#include <stdint.h>

#include "export/ublkabi.h"

struct ublkctl {
	int fd;
	struct io_uring ring;
};

/* 0 or a negative errno: -ENOENT where there is no ublk, -ENOSYS or -EPERM no io_uring. */
int ublkctl_open(struct ublkctl *c);
void ublkctl_close(struct ublkctl *c);
/* What the command gave: 0 or more, or a negative errno. */
int ublkctl_do(struct ublkctl *c, uint32_t op, int number, void *buf, size_t size, uint64_t data);
/* The same, begun only: its completion carries `user`. */
int ublkctl_begin(struct ublkctl *c, uint32_t op, int number, uint64_t data, uint64_t user);
/* What stands there.  0 or a negative errno: -ENXIO, nothing. */
int ublkctl_info(struct ublkctl *c, int number, struct ublksrv_ctrl_dev_info *ret);
/* The number of the device with this tag, `number` where it is not UBLK_ANY; -ENXIO: there is none.
 */
int ublkctl_find(struct ublkctl *c, int number, uint64_t tag, struct ublksrv_ctrl_dev_info *ret);
/* Open /dev/ublkcN.  A descriptor or a negative errno. */
int ublkctl_device(int number);
/* Is it there?  0 or a negative errno. */
int ublkctl_has_device(int number);

#endif
