/*
 * Going on with a connection that a dead process had.  The kernel knows nothing
 * of its death: it has our inode numbers, open files and requests that were
 * received and never answered.  libfuse's session is told what the first one was
 * told (INIT, as it was received), devices get the places they had, and the
 * kernel is asked to send again what was not answered.
 *
 * That again is how a request is dealt with twice: a write that was executed and
 * not answered is executed once more, as one behind a lost connection of iSCSI is.
 */
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/utsname.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "export/fuseint.h"
#include "sys/log.h"

/* Linux 6.9. */
#define NOTIFY_RESEND 7
#define RESEND_MAJOR  6
#define RESEND_MINOR  9
/* /dev/fuse: the kernel's list of devices has it so. */
#define FUSE_MAJOR 10
#define FUSE_MINOR 229

static bool
is_fuse(int fd)
{
	struct stat st;
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0 || fstat(fd, &st) < 0 || !S_ISCHR(st.st_mode) ||
	    st.st_rdev != makedev(FUSE_MAJOR, FUSE_MINOR))
		return false;
	return fcntl(fd, F_SETFL, flags | O_NONBLOCK) == 0;
}

static bool
is_alive(int fd)
{
	struct pollfd p = { .fd = fd };

	return poll(&p, 1, 0) == 0 || (p.revents & (POLLERR | POLLNVAL)) == 0;
}

static int
take_node(struct export *ex, unsigned slot, const struct fusestate_node *kept)
{
	struct fuse_node *node = calloc(1, sizeof *node);

	if (node == NULL)
		return -ENOMEM;
	align_init(&node->disk, NULL);
	memcpy(node->name, kept->name, sizeof node->name);
	node->ino = (fuse_ino_t)slot + 2;
	node->lookups = kept->lookups;
	node->openers = (unsigned)kept->openers;
	node->is_awaited = !kept->is_gone;
	node->is_loss_due = kept->is_loss_due;
	ex->nodes[slot] = node;
	ex->awaited += node->is_awaited;
	fuse_node_release(ex, node);
	return 0;
}

static int
take_nodes(struct export *ex)
{
	unsigned slots = fusestate_slots(ex->state);
	struct fusestate_node kept;
	int err = 0;

	if (slots == 0)
		return 0;
	ex->nodes = calloc(slots, sizeof *ex->nodes);
	if (ex->nodes == NULL)
		return -ENOMEM;
	ex->node_slots = slots;
	for (unsigned i = 0; i < slots && err == 0; i++)
		if (fusestate_get(ex->state, i, &kept))
			err = take_node(ex, i, &kept);
	return err;
}

int
fusetake_begin(struct export *ex, const struct export_held *held)
{
	int err;

	if (!is_fuse(held->device_fd))
		return -EINVAL;
	if (!is_alive(held->device_fd))
		return -ENOTCONN;
	err = fusestate_open(held->state_fd, &ex->state);
	if (err == 0)
		err = take_nodes(ex);
	if (err < 0)
		return err;
	ex->since = fusestate_since(ex->state);
	ex->job.made_dir = fusestate_made_dir(ex->state);
	ex->spill = fusepool_spill(ex->pool);
	ex->taken_fd = held->device_fd;
	return 0;
}

/* Is it what a kernel says first, to an exporter as this one? */
static bool
is_init(const uint8_t *request, size_t bytes)
{
	struct fuse_in_header in;
	struct fuse_init_in init;

	if (bytes < sizeof in + offsetof(struct fuse_init_in, flags2))
		return false;
	memcpy(&in, request, sizeof in);
	memcpy(&init, request + sizeof in, offsetof(struct fuse_init_in, flags2));
	return in.opcode == FUSE_INIT && in.len == bytes && init.major == FUSE_KERNEL_VERSION;
}

/* Let libfuse read INIT, and keep what it answers: the kernel has its answer, or asks again. */
static int
replay_init(struct export *ex, int answers_fd)
{
	uint8_t request[FUSESTATE_INIT_MAX] = { 0 };
	struct fuse_buf buf = { .mem = request };
	ssize_t n;

	buf.size = fusestate_get_init(ex->state, request);
	if (buf.size == 0)
		return 0; /* it was not received, or comes again */
	if (!is_init(request, buf.size))
		return -EINVAL;
	fuse_session_process_buf(ex->se, &buf);
	n = read(answers_fd, ex->init_answer, sizeof ex->init_answer);
	if (n < (ssize_t)sizeof(struct fuse_out_header) || fuse_session_exited(ex->se))
		return -EINVAL;
	ex->init_answer_bytes = (size_t)n;
	return ((struct fuse_out_header *)(void *)ex->init_answer)->error == 0 ? 0 : -EINVAL;
}

int
fusetake_connect(struct export *ex)
{
	char device[32];
	int ends[2], err = 0;

	if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
		return -errno;
	(void)snprintf(device, sizeof device, "/dev/fd/%d", ends[1]); /* fits */
	if (fuse_session_mount(ex->se, device) < 0) {
		close(ends[1]);
		err = -EIO;
	} else {
		err = replay_init(ex, ends[0]);
	}
	if (err == 0 && dup3(ex->taken_fd, ends[1], O_CLOEXEC) < 0)
		err = -errno;
	close(ends[0]);
	if (err < 0)
		return err; /* the session closes ends[1] */
	close(ex->taken_fd);
	ex->taken_fd = -1;
	ex->fd.fd = fuse_session_fd(ex->se);
	return 0;
}

bool
fusetake_init_again(struct export *ex, const uint8_t *request, size_t bytes)
{
	struct fuse_in_header in;
	struct fuse_out_header out;

	if (bytes < sizeof in)
		return false;
	memcpy(&in, request, sizeof in);
	if (in.opcode != FUSE_INIT)
		return false;
	if (ex->init_answer_bytes == 0) {
		fusestate_set_init(ex->state, request, bytes);
		return false;
	}
	memcpy(&out, ex->init_answer, sizeof out);
	out.unique = in.unique;
	memcpy(ex->init_answer, &out, sizeof out);
	(void)!write(ex->fd.fd, ex->init_answer, ex->init_answer_bytes); /* a dead one is read */
	return true;
}

static void
fail_one(uint64_t unique, void *user)
{
	const struct export *ex = user;
	struct fuse_out_header out = { .len = sizeof out, .error = -EIO, .unique = unique };

	(void)!write(ex->fd.fd, &out, sizeof out); /* it may have been answered */
}

bool
fusetake_can_resend(void)
{
	struct utsname u;
	unsigned major, minor;

	if (uname(&u) < 0 || sscanf(u.release, "%u.%u", &major, &minor) != 2)
		return false;
	return major > RESEND_MAJOR || (major == RESEND_MAJOR && minor >= RESEND_MINOR);
}

int
fusetake_resend(struct export *ex)
{
	struct fuse_out_header out = { .len = sizeof out, .error = NOTIFY_RESEND };

	if (write(ex->fd.fd, &out, sizeof out) == sizeof out)
		return 0;
	if (errno != EINVAL)
		return -errno;
	log_warn(
	    "%s: this kernel sends nothing again (Linux 6.9 does): what was under way when the "
	    "process before this one ended fails now",
	    ex->dir);
	fusestate_unanswered(ex->state, fail_one, ex);
	return 0;
}
