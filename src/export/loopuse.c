#include "export/loopuse.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "export/mounts.h"
#include "sys/sysfs.h"

#define LOOP_MAJOR 7

struct search {
	struct loopuse *devices; /* n of them, by number */
	size_t n;
};

static int
by_number(const void *a, const void *b)
{
	int x = ((const struct loopuse *)a)->number, y = ((const struct loopuse *)b)->number;

	return x < y ? -1 : x > y;
}

/* Is it asked about, and has no user so far? */
static struct loopuse *
find(const struct search *s, int number)
{
	struct loopuse key = { .number = number };
	struct loopuse *found =
	    number < 0 ? NULL : bsearch(&key, s->devices, s->n, sizeof key, by_number);

	return found != NULL && !found->is_used ? found : NULL;
}

void
loopuse_path(int number, char ret_path[32])
{
	bool is_ublk = (number & LOOPUSE_UBLK) != 0;

	(void)snprintf(ret_path, 32, "/dev/%s%d", is_ublk ? "ublkb" : "loop",
	    number & ~LOOPUSE_UBLK); /* fits */
}

/* N behind the prefix, or of a partition of that device ("p1" behind it); -1: it is neither. */
static int
number_behind(const char *path, const char *prefix)
{
	char *end;
	long n;

	if (strncmp(path, prefix, strlen(prefix)) != 0)
		return -1;
	path += strlen(prefix);
	if (!isdigit((unsigned char)*path))
		return -1;
	n = strtol(path, &end, 10);
	if (n >= LOOPUSE_UBLK || (*end != '\0' && (*end != 'p' || !isdigit((unsigned char)end[1]))))
		return -1;
	return (int)n;
}

/* Of what devices, or partitions of devices, are called. */
static int
number_of(const char *path)
{
	int n = number_behind(path, "/dev/ublkb");

	return n >= 0 ? LOOPUSE_UBLK | n : number_behind(path, "/dev/loop");
}

__attribute__((format(printf, 2, 3))) static void
used(struct loopuse *u, const char *format, ...)
{
	va_list ap;

	u->is_used = true;
	va_start(ap, format);
	(void)vsnprintf(u->who, sizeof u->who, format, ap); /* words for people: cut */
	va_end(ap);
}

static bool
see_mount(const struct mounts_row *row, void *user)
{
	struct loopuse *u = find(user, number_of(row->source));

	if (u == NULL && row->major == LOOP_MAJOR)
		u = find(user, (int)row->minor);
	if (u != NULL)
		used(u, "mounted at %s", row->path);
	return false;
}

static void
find_swaps(const struct search *s)
{
	FILE *f = fopen("/proc/swaps", "re");
	char line[512];

	if (f == NULL)
		return;
	while (fgets(line, sizeof line, f) != NULL) {
		struct loopuse *u;

		line[strcspn(line, " \t\n")] = '\0';
		u = find(s, number_of(line));
		if (u != NULL)
			used(u, "swap space");
	}
	fclose(f);
}

/* Device mapper, RAID: they stand in `holders` of the disk and of its partitions. */
static void
see_holders(struct loopuse *u, DIR *d)
{
	struct dirent *e;

	if (d == NULL)
		return;
	while (!u->is_used && (e = readdir(d)) != NULL)
		if (e->d_name[0] != '.')
			used(u, "used by the device %s", e->d_name);
	closedir(d);
}

static void
find_holders(struct loopuse *u)
{
	char path[32];
	const char *name = path + strlen("/dev/");
	struct dirent *e;
	DIR *d;

	loopuse_path(u->number, path);
	see_holders(u, sysfs_dir("block/%s/holders", name));
	d = sysfs_dir("block/%s", name);
	if (d == NULL)
		return;
	while (!u->is_used && (e = readdir(d)) != NULL) {
		if (strncmp(e->d_name, name, strlen(name)) == 0)
			see_holders(u, sysfs_dir("block/%s/%s/holders", name, e->d_name));
	}
	closedir(d);
}

static void
name_process(const char *pid, char *ret, size_t size)
{
	char path[320];
	FILE *f;

	(void)snprintf(ret, size, "a program");
	(void)snprintf(path, sizeof path, "/proc/%s/comm", pid);
	f = fopen(path, "re");
	if (f == NULL)
		return;
	if (fgets(ret, (int)size, f) != NULL)
		ret[strcspn(ret, "\n")] = '\0';
	fclose(f);
}

/* The links in /proc are compared by name: to follow one might wait for a dead mount. */
static void
find_in_process(const struct search *s, const char *pid)
{
	char path[320], link[64], name[64];
	struct dirent *e;
	DIR *d;

	(void)snprintf(path, sizeof path, "/proc/%s/fd", pid);
	d = opendir(path);
	if (d == NULL)
		return; /* it has ended, or is somebody else's */
	while ((e = readdir(d)) != NULL) {
		ssize_t n = readlinkat(dirfd(d), e->d_name, link, sizeof link - 1);
		struct loopuse *u;

		link[n > 0 ? n : 0] = '\0';
		u = find(s, number_of(link));
		if (u == NULL)
			continue;
		name_process(pid, name, sizeof name);
		used(u, "open in %s (process %s)", name, pid);
	}
	closedir(d);
}

static bool
is_own(pid_t pid, pid_t group)
{
	return pid == getpid() || (group != 0 && getpgid(pid) == group);
}

static void
find_processes(const struct search *s, pid_t group)
{
	DIR *d = opendir("/proc");
	struct dirent *e;

	if (d == NULL)
		return;
	while ((e = readdir(d)) != NULL)
		if (isdigit((unsigned char)e->d_name[0]) &&
		    !is_own((pid_t)strtol(e->d_name, NULL, 10), group))
			find_in_process(s, e->d_name);
	closedir(d);
}

/* A mount in another name space leaves no trace here, but it claims the device. */
static void
find_claim(struct loopuse *u)
{
	char node[32];
	int fd;

	loopuse_path(u->number, node);
	fd = open(node, O_RDONLY | O_EXCL | O_NONBLOCK | O_CLOEXEC);
	if (fd >= 0)
		close(fd);
	else if (errno == EBUSY)
		used(u, "claimed by somebody, perhaps in a container");
}

void
loopuse_find(struct loopuse *devices, size_t n, pid_t group)
{
	struct search s = { devices, n };

	if (n == 0)
		return;
	for (size_t i = 0; i < n; i++) {
		devices[i].is_used = false;
		devices[i].who[0] = '\0';
	}
	qsort(devices, n, sizeof *devices, by_number);
	(void)mounts_each(see_mount, &s); /* it sees all of them */
	find_swaps(&s);
	find_processes(&s, group);
	for (size_t i = 0; i < n; i++) {
		if (!devices[i].is_used)
			find_holders(&devices[i]);
		if (!devices[i].is_used)
			find_claim(&devices[i]);
	}
}
