#include "export/ublkctl.h"

#include <sys/stat.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "export/ublkjob.h"
#include "sys/sysfs.h"

#define CONTROL "/dev/ublk-control"

int
ublkctl_open(struct ublkctl *c)
{
	struct io_uring_params p = { .flags = IORING_SETUP_SQE128 };
	int err;

	c->fd = open(CONTROL, O_RDWR | O_CLOEXEC);
	if (c->fd < 0)
		return errno == ENXIO || errno == ENODEV ? -ENOENT : -errno;
	err = io_uring_queue_init_params(4, &c->ring, &p);
	if (err < 0) {
		close(c->fd);
		c->fd = -1;
		return err == -EINVAL ? -ENOSYS : err; /* Linux before 5.19 */
	}
	return 0;
}

void
ublkctl_close(struct ublkctl *c)
{
	io_uring_queue_exit(&c->ring);
	close(c->fd);
}

static int
submit(struct ublkctl *c, uint32_t op, const struct ublksrv_ctrl_cmd *cmd, uint64_t user)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&c->ring);
	int n;

	if (sqe == NULL)
		return -EAGAIN;
	memset(sqe, 0, 2 * sizeof *sqe);
	sqe->opcode = IORING_OP_URING_CMD;
	sqe->fd = c->fd;
	sqe->off = op; /* cmd_op, which headers of Linux 6.1 and before do not name everywhere */
	sqe->user_data = user;
	/* Behind the entry's own 48 bytes: it is one of 128. */
	memcpy((uint8_t *)sqe + 48, cmd, sizeof *cmd);
	n = io_uring_submit(&c->ring);
	return n < 0 ? n : 0;
}

int
ublkctl_do(struct ublkctl *c, uint32_t op, int number, void *buf, size_t size, uint64_t data)
{
	const struct ublksrv_ctrl_cmd cmd = { .dev_id = (uint32_t)number,
		.queue_id = UINT16_MAX,
		.len = (uint16_t)size,
		.addr = (uintptr_t)buf,
		.data = { data } };
	struct io_uring_cqe *cqe;
	int ret = submit(c, op, &cmd, 0);

	if (ret < 0)
		return ret;
	do
		ret = io_uring_wait_cqe(&c->ring, &cqe);
	while (ret == -EINTR);
	if (ret < 0)
		return ret;
	ret = cqe->res;
	io_uring_cqe_seen(&c->ring, cqe);
	return ret;
}

int
ublkctl_begin(struct ublkctl *c, uint32_t op, int number, uint64_t data, uint64_t user)
{
	const struct ublksrv_ctrl_cmd cmd = {
		.dev_id = (uint32_t)number, .queue_id = UINT16_MAX, .data = { data }
	};

	return submit(c, op, &cmd, user);
}

int
ublkctl_info(struct ublkctl *c, int number, struct ublksrv_ctrl_dev_info *ret)
{
	int err;

	memset(ret, 0, sizeof *ret);
	err = ublkctl_do(c, UBLK_U_CMD_GET_DEV_INFO, number, ret, sizeof *ret, 0);
	return err == -ENODEV || err == -EINVAL ? -ENXIO : err < 0 ? err : 0;
}

static int
look_for(struct ublkctl *c, uint64_t tag, struct ublksrv_ctrl_dev_info *ret)
{
	DIR *d = sysfs_dir("class/ublk-char");
	struct dirent *e;
	int number = -ENXIO;

	if (d == NULL)
		return errno == ENOENT ? -ENXIO : -errno;
	while (number < 0 && (e = readdir(d)) != NULL)
		if (strncmp(e->d_name, "ublkc", 5) == 0 &&
		    ublkctl_info(c, (int)strtol(e->d_name + 5, NULL, 10), ret) == 0 &&
		    ret->ublksrv_flags == tag)
			number = (int)ret->dev_id;
	closedir(d);
	return number;
}

int
ublkctl_find(struct ublkctl *c, int number, uint64_t tag, struct ublksrv_ctrl_dev_info *ret)
{
	int err;

	if (!ublkjob_is_tag(tag))
		return -ENXIO;
	if (number < 0)
		return look_for(c, tag, ret);
	err = ublkctl_info(c, number, ret);
	if (err < 0)
		return err;
	return ret->ublksrv_flags == tag ? number : -ENXIO;
}

static void
name_device(int number, char path[32])
{
	(void)snprintf(path, 32, "/dev/ublkc%d", number); /* fits */
}

int
ublkctl_has_device(int number)
{
	char path[32];
	struct stat st;

	name_device(number, path);
	return stat(path, &st) < 0 ? -errno : 0;
}

int
ublkctl_device(int number)
{
	char path[32];
	int fd;

	name_device(number, path);
	fd = open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK);
	return fd < 0 ? -errno : fd;
}
