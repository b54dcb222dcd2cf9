#include "export/ublkstate.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "export/ublkjob.h"
#include "sys/log.h"

/* "oiswublk", and its version: another one is not read. */
#define MAGIC   0x6b6c627577736f69ull
#define VERSION 1u

struct file {
	uint64_t magic;
	uint32_t version;
	int32_t number;
	uint64_t tag;
	uint32_t had_loss, unused;
};
static_assert(sizeof(struct file) == 32, "no holes");

/* ---- for udev ---- */

#define NUMBER_BYTES 24

static void
number_name(int number, char ret_name[NUMBER_BYTES])
{
	(void)snprintf(ret_name, NUMBER_BYTES, ".ublkb%d", number); /* fits */
}

static void
name_number(int dir, int number, const char *name)
{
	char file[NUMBER_BYTES], line[64];
	int fd, n = snprintf(line, sizeof line, "%s\n", name); /* fits */

	number_name(number, file);
	fd = openat(dir, file, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0 || write(fd, line, (size_t)n) != n)
		log_warn("disk %s gets no names from udev: cannot write %s: %s", name, file,
		    strerror(errno));
	if (fd >= 0)
		close(fd);
}

/* What is known of the disk is to be another device, or none. */
static void
forget_number(int dir, const char *name, int but)
{
	struct ublkstate s;
	char file[NUMBER_BYTES];

	if (!ublkstate_read(dir, name, &s) || s.number == UBLK_ANY || s.number == but)
		return;
	number_name(s.number, file);
	(void)unlinkat(dir, file, 0); /* there may be none */
}

/* ---- for the next process ---- */

int
ublkstate_write(int dir, const char *name, const struct ublkstate *s)
{
	const struct file f = { .magic = MAGIC,
		.version = VERSION,
		.number = s->number,
		.tag = s->tag,
		.had_loss = s->had_loss };
	int fd, err = 0;

	forget_number(dir, name, s->number);
	fd = openat(dir, name, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	/* All of it in one step, for whoever is killed. */
	if (pwrite(fd, &f, sizeof f, 0) != sizeof f)
		err = errno != 0 ? -errno : -EIO;
	close(fd);
	if (err == 0 && s->number != UBLK_ANY)
		name_number(dir, s->number, name);
	return err;
}

bool
ublkstate_read(int dir, const char *name, struct ublkstate *ret)
{
	struct file f;
	int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	bool ok;

	if (fd < 0)
		return false;
	ok = pread(fd, &f, sizeof f, 0) == sizeof f && f.magic == MAGIC && f.version == VERSION &&
	     ublkjob_is_tag(f.tag) && f.number >= UBLK_ANY;
	close(fd);
	if (ok)
		*ret = (struct ublkstate){ f.tag, f.number, f.had_loss != 0 };
	return ok;
}

void
ublkstate_remove(int dir, const char *name)
{
	forget_number(dir, name, UBLK_ANY);
	if (unlinkat(dir, name, 0) < 0 && errno != ENOENT)
		log_warn("what is known of the ublk device of disk %s stays behind: %s", name,
		    strerror(errno));
}

unsigned
ublkstate_each(const char *path,
    void (*each)(void *user, int dir, const char *name, const struct ublkstate *s), void *user)
{
	DIR *d = opendir(path);
	struct ublkstate s;
	struct dirent *e;
	unsigned n = 0;

	while (d != NULL && (e = readdir(d)) != NULL)
		if (e->d_name[0] != '.' && ublkstate_read(dirfd(d), e->d_name, &s)) {
			n++;
			each(user, dirfd(d), e->d_name, &s);
		}
	if (d != NULL)
		closedir(d);
	return n;
}
