/*
 * Where a name of the driver's leads is decided by the kernel, below a descriptor; what is
 * found is looked at through its own descriptor; and that is what is used.  Between these steps the
 * driver may put whatever it likes in the place of the name.
 */
#include "export/porter_job.h"

#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cut.h"
#include "base/limits.h"
#include "export/fusemnt.h"
#include "export/loopadopt.h"
#include "export/loopjob.h"
#include "export/mounts.h"
#include "export/ublkjob.h"
#include "sys/sock.h"

/* <linux/major.h> has no minor numbers: Documentation/admin-guide/devices.txt. */
#define FUSE_MAJOR 10
#define FUSE_MINOR 229

static void
send_back(const struct porter_answer *a, int fd)
{
	if (sock_send(PORTER_BACK_FD, a, sizeof *a, fd) < 0)
		_exit(1); /* nobody waits for it */
}

/* Digits, behind this letter. */
static const char *
skip_part(const char *at, char letter)
{
	size_t n = at != NULL && *at == letter ? strspn(at + 1, "0123456789") : 0;

	return n > 0 ? at + 1 + n : NULL;
}

bool
porter_is_disk(const char name[PORTER_NAME_BYTES])
{
	const char *end;

	if (memchr(name, '\0', PORTER_NAME_BYTES) == NULL)
		return false;
	end = skip_part(skip_part(skip_part(name, 'c'), 't'), 'd');
	return end != NULL && *end == '\0';
}

/* One name below a directory, and no link.  `resolve`: what else must not be passed. */
static int
open_below(int dir, const char *name, int flags, uint64_t resolve)
{
	struct open_how how = { .flags = (uint64_t)(flags | O_CLOEXEC | O_NOFOLLOW),
		.resolve =
		    RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | resolve };
	long fd = syscall(SYS_openat2, dir, name, &how, sizeof how);

	/* Older kernels: it is one component, which O_NOFOLLOW is enough for. */
	if (fd < 0 && errno == ENOSYS)
		fd = openat(dir, name, flags | O_CLOEXEC | O_NOFOLLOW);
	return fd < 0 ? -errno : (int)fd;
}

static int
open_session(uint32_t session, uint64_t resolve)
{
	char name[16];

	(void)snprintf(name, sizeof name, "%u", session); /* fits */
	return open_below(PORTER_BASE_FD, name, O_PATH | O_DIRECTORY, resolve);
}

/* ---- mounts ---- */

struct view {
	const char *real;
	char path[PATH_MAX + 16]; /* of the session */
	unsigned count;           /* mounts of ours below base */
	bool is_mounted, is_ours; /* what is seen at `path` */
};

static bool
see(const struct mounts_row *row, void *user)
{
	struct view *v = user;
	bool is_ours = strcmp(row->type, "fuse." FUSEMNT_NAME) == 0;
	size_t n = strlen(v->real);

	v->count += is_ours && strncmp(row->path, v->real, n) == 0 && row->path[n] == '/';
	if (strcmp(row->path, v->path) == 0) {
		v->is_mounted = true; /* the last one is the one that is seen */
		v->is_ours = is_ours;
	}
	return false;
}

static void
look(struct view *v, const struct porter_place *place, uint32_t session)
{
	v->real = place->real;
	(void)snprintf(v->path, sizeof v->path, "%s/%u", place->real, session); /* fits */
	(void)mounts_each(see, v); /* it sees all of them */
}

static int
mount_here(int fuse)
{
	char options[160];

	(void)snprintf(options, sizeof options,
	    "fd=%d,rootmode=40000,user_id=%u,group_id=%u,default_permissions,max_read=%u", fuse,
	    getuid(), getgid(), LIMIT_FUSE_IO_BYTES); /* fits */
	return mount(FUSEMNT_NAME, ".", "fuse." FUSEMNT_NAME, FUSEMNT_FLAGS, options) < 0 ? -errno
											  : 0;
}

/* A connection, on a session's directory. */
static int
mount_on(const struct porter_place *place, uint32_t session, int fuse, uint64_t resolve)
{
	struct view v = { .count = 0 };
	int dir, err;

	look(&v, place, session);
	if (v.count >= LIMIT_PORTER_MOUNTS)
		return -ENOSPC;
	dir = open_session(session, resolve);
	if (dir < 0)
		return dir == -EXDEV ? -EBUSY : dir;
	/* The directory, not its name: that may be another's by now. */
	err = fchdir(dir) < 0 ? -errno : mount_here(fuse);
	close(dir);
	return err;
}

static void
mount_new(
    const struct porter_place *place, const struct porter_question *q, struct porter_answer *a)
{
	int fuse = open("/dev/fuse", O_RDWR | O_CLOEXEC);

	/* Its absence is why nothing can be mounted in nearly all cases. */
	if (fuse < 0)
		a->result = errno == ENOENT || errno == ENXIO ? -ENODEV : -errno;
	else
		a->result = mount_on(place, q->session, fuse, RESOLVE_NO_XDEV);
	send_back(a, a->result == 0 ? fuse : -1);
}

static void
mount_again(
    const struct porter_place *place, const struct porter_question *q, struct porter_answer *a)
{
	struct stat st;

	if (fstat(PORTER_FUSE_FD, &st) < 0)
		a->result = -errno;
	else if (!S_ISCHR(st.st_mode) || st.st_rdev != makedev(FUSE_MAJOR, FUSE_MINOR))
		a->result = -EINVAL;
	else
		a->result = mount_on(place, q->session, PORTER_FUSE_FD, 0);
	send_back(a, -1);
}

static void
unmount(const struct porter_place *place, const struct porter_question *q, struct porter_answer *a)
{
	struct view v = { .count = 0 };
	const char *name;

	look(&v, place, q->session);
	name = strrchr(v.path, '/') + 1;
	if (!v.is_mounted || !v.is_ours)
		a->result = -EINVAL;
	else if (fchdir(PORTER_BASE_FD) < 0 || umount2(name, MNT_DETACH | UMOUNT_NOFOLLOW) < 0)
		a->result = -errno;
	send_back(a, -1);
}

/* ---- loop devices ---- */

/* The disk's file: a plain one, of a file system that a process serves. */
static int
open_disk(const struct porter_question *q, int flags)
{
	int dir = open_session(q->session, 0), fd;
	struct statfs fs;
	struct stat st;

	if (dir < 0)
		return dir;
	fd = open_below(dir, q->name, flags, RESOLVE_NO_XDEV);
	close(dir);
	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0 || fstatfs(fd, &fs) < 0) {
		int err = -errno;

		close(fd);
		return err;
	}
	if (S_ISREG(st.st_mode) && fs.f_type == FUSE_SUPER_MAGIC)
		return fd;
	close(fd);
	return -EPERM;
}

static void
fill(struct loopdev_job *job, const struct porter_place *place, const struct porter_question *q)
{
	static const enum loopdev_what what[PORTER_OPS] = {
		[PORTER_ATTACH] = LOOPDEV_ATTACH,
		[PORTER_CHANGE] = LOOPDEV_CHANGE,
		[PORTER_CHECK] = LOOPDEV_CHECK,
		[PORTER_DETACH] = LOOPDEV_DETACH,
		[PORTER_SWEEP] = LOOPDEV_SWEEP,
		[PORTER_TIDY] = LOOPDEV_TIDY,
		[PORTER_USERS] = LOOPDEV_USERS,
	};

	job->what = what[q->op];
	job->number = q->number;
	job->id = (struct loopdev_id){ q->device, q->inode };
	job->block_bytes = q->block_bytes;
	job->is_read_only = q->is_read_only;
	job->is_forced = q->is_forced;
	job->is_lost = q->is_lost;
	job->group = place->group;
	job->kept = place->kept;
	job->is_crowded = place->is_crowded;
	job->may_adopt = loopadopt_has(&place->kept, q->session);
	if (q->op == PORTER_SWEEP)
		(void)snprintf(job->file, sizeof job->file, "%s/", place->base); /* fits */
	else
		(void)snprintf(job->file, sizeof job->file, "%s/%u/%s", place->base, q->session,
		    q->name); /* fits */
}

/* Free numbers, for the porter to keep. */
static void
send_free(struct porter_answer *a, const struct loopdev_job *job)
{
	for (size_t at = 0; at < job->n_numbers; at += a->count) {
		size_t n = job->n_numbers - at;

		a->kind = PORTER_FREE;
		a->count = (uint32_t)(n < PORTER_NUMBERS ? n : PORTER_NUMBERS);
		memcpy(a->numbers, job->numbers + at, a->count * sizeof *a->numbers);
		send_back(a, -1);
	}
	a->kind = PORTER_LAST;
	a->text[0] = '\0';
}

static void
send_used(struct porter_answer *a, const struct loopdev_job *job)
{
	for (size_t i = 0; i < job->n_numbers; i++) {
		if (!job->users[i].is_used)
			continue;
		a->kind = PORTER_USED;
		a->number = job->users[i].number;
		cut_copy(a->text, sizeof a->text, job->users[i].who);
		send_back(a, -1);
	}
	a->kind = PORTER_LAST;
	a->text[0] = '\0';
}

/* The numbers that the porter gave us, as the job wants them. */
static bool
take_numbers(struct loopdev_job *job, const struct porter_place *place)
{
	job->n_numbers = place->n_numbers;
	job->numbers = calloc(place->n_numbers + 1, sizeof *job->numbers);
	job->users = calloc(place->n_numbers + 1, sizeof *job->users);
	for (size_t i = 0; i < place->n_numbers && job->numbers != NULL && job->users != NULL; i++)
		job->users[i].number = job->numbers[i] = place->numbers[i];
	return job->numbers != NULL && job->users != NULL;
}

static void
run_loop(const struct porter_place *place, const struct porter_question *q, struct porter_answer *a)
{
	struct loopdev_job job = { .result = 0 };

	fill(&job, place, q);
	if (q->op == PORTER_ATTACH || q->op == PORTER_CHANGE) {
		job.has_fd = true;
		job.fd = open_disk(q, q->op == PORTER_ATTACH ? O_RDWR : O_PATH);
	} else if ((q->op == PORTER_TIDY || q->op == PORTER_USERS) && !take_numbers(&job, place)) {
		a->result = -ENOMEM;
		send_back(a, -1);
		return;
	}
	loopjob_run(&job);
	if (q->op == PORTER_SWEEP)
		send_free(a, &job);
	if (q->op == PORTER_USERS)
		send_used(a, &job);
	a->device = job.id.device;
	a->inode = job.id.inode;
	a->number = job.number;
	a->count = job.count;
	a->left = (uint32_t)job.n_numbers;
	a->is_direct = job.is_direct;
	a->result = job.result;
	cut_copy(a->text, sizeof a->text, job.why);
	if (job.has_fd && job.fd >= 0)
		close(job.fd); /* before the answer: who has it counts as a user of the disk */
	send_back(a, -1);
}

/* ---- ublk devices ---- */

static void
run_ublk(const struct porter_place *place, const struct porter_question *q, struct porter_answer *a)
{
	struct ublkjob job = { .what = (enum ublkjob_what)q->what,
		.number = q->number,
		.tag = q->device,
		.size_bytes = q->size_bytes,
		.block_bytes = q->block_bytes,
		.physical_bytes = q->physical_bytes,
		.discard_bytes = q->discard_bytes,
		.optimal_bytes = q->optimal_bytes,
		.is_read_only = q->is_read_only,
		.can_discard = q->can_discard,
		.can_write_zeroes = q->can_write_zeroes,
		.is_recovery = q->is_recovery,
		.is_forced = q->is_forced,
		.is_lost = q->is_lost,
		.server = place->group,
		.is_opened_later = true,
		.group = place->group };

	ublkjob_run(&job);
	a->number = job.number;
	a->result = job.result;
	cut_copy(a->text, sizeof a->text, job.why);
	send_back(a, -1);
}

void
porter_job_run(const struct porter_place *place, const struct porter_question *q)
{
	struct porter_answer a = { .id = q->id, .kind = PORTER_LAST, .number = -1 };

	switch ((enum porter_op)q->op) {
	case PORTER_MOUNT:
		mount_new(place, q, &a);
		break;
	case PORTER_AGAIN:
		mount_again(place, q, &a);
		break;
	case PORTER_UNMOUNT:
		unmount(place, q, &a);
		break;
	case PORTER_LOOPS:
		a.result = loopdev_check(a.text, sizeof a.text);
		send_back(&a, -1);
		break;
	case PORTER_ATTACH:
	case PORTER_CHANGE:
	case PORTER_CHECK:
	case PORTER_DETACH:
	case PORTER_SWEEP:
	case PORTER_TIDY:
	case PORTER_USERS:
		run_loop(place, q, &a);
		break;
	case PORTER_UBLK:
		run_ublk(place, q, &a);
		break;
	case PORTER_OPS:
		break;
	}
}
