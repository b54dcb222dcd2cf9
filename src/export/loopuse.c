#include "export/loopuse.h"

#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "export/mounts.h"

struct search {
	char node[32];    /* "/dev/loop7" */
	const char *name; /* "loop7" */
	dev_t dev;
	char *who;
	size_t size;
};

/* "/dev/loop7" itself, or a partition: "/dev/loop7p1". */
static bool
is_node(const struct search *s, const char *path)
{
	size_t n = strlen(s->node);

	return strncmp(path, s->node, n) == 0 &&
	       (path[n] == '\0' || (path[n] == 'p' && isdigit((unsigned char)path[n + 1])));
}

static bool
see_mount(const struct mounts_row *row, void *user)
{
	struct search *s = user;

	if (!is_node(s, row->source) &&
	    (row->major != major(s->dev) || row->minor != minor(s->dev)))
		return false;
	snprintf(s->who, s->size, "mounted at %s", row->path);
	return true;
}

static bool
find_swap(struct search *s)
{
	FILE *f = fopen("/proc/swaps", "re");
	char line[512];
	bool found = false;

	if (f == NULL)
		return false;
	while (!found && fgets(line, sizeof line, f) != NULL) {
		line[strcspn(line, " \t\n")] = '\0';
		found = is_node(s, line);
	}
	fclose(f);
	if (found)
		snprintf(s->who, s->size, "swap space");
	return found;
}

/* Device mapper, RAID: they stand in `holders` of the disk and of its partitions. */
static bool
find_holder(struct search *s, const char *dir)
{
	struct dirent *e;
	DIR *d = opendir(dir);
	bool found = false;

	if (d == NULL)
		return false;
	while (!found && (e = readdir(d)) != NULL) {
		found = e->d_name[0] != '.';
		if (found)
			snprintf(s->who, s->size, "used by the device %s", e->d_name);
	}
	closedir(d);
	return found;
}

static bool
find_holders(struct search *s)
{
	char path[384];
	struct dirent *e;
	DIR *d;
	bool found;

	snprintf(path, sizeof path, "/sys/block/%s/holders", s->name);
	if (find_holder(s, path))
		return true;
	snprintf(path, sizeof path, "/sys/block/%s", s->name);
	d = opendir(path);
	if (d == NULL)
		return false;
	found = false;
	while (!found && (e = readdir(d)) != NULL) {
		if (strncmp(e->d_name, s->name, strlen(s->name)) != 0)
			continue;
		snprintf(path, sizeof path, "/sys/block/%s/%s/holders", s->name, e->d_name);
		found = find_holder(s, path);
	}
	closedir(d);
	return found;
}

/* The links in /proc are compared by name: to follow one might wait for a dead mount. */
static bool
find_in_process(struct search *s, const char *pid)
{
	char path[320], link[64], name[64] = "a program";
	struct dirent *e;
	bool found = false;
	DIR *d;
	FILE *f;

	snprintf(path, sizeof path, "/proc/%s/fd", pid);
	d = opendir(path);
	if (d == NULL)
		return false; /* it has ended, or is somebody else's */
	while (!found && (e = readdir(d)) != NULL) {
		ssize_t n = readlinkat(dirfd(d), e->d_name, link, sizeof link - 1);

		link[n > 0 ? n : 0] = '\0';
		found = is_node(s, link);
	}
	closedir(d);
	if (!found)
		return false;
	snprintf(path, sizeof path, "/proc/%s/comm", pid);
	f = fopen(path, "re");
	if (f != NULL) {
		if (fgets(name, sizeof name, f) != NULL)
			name[strcspn(name, "\n")] = '\0';
		fclose(f);
	}
	snprintf(s->who, s->size, "open in %s (process %s)", name, pid);
	return true;
}

static bool
find_process(struct search *s)
{
	DIR *d = opendir("/proc");
	struct dirent *e;
	bool found = false;

	if (d == NULL)
		return false;
	while (!found && (e = readdir(d)) != NULL)
		found = isdigit((unsigned char)e->d_name[0]) &&
			strtol(e->d_name, NULL, 10) != getpid() && find_in_process(s, e->d_name);
	closedir(d);
	return found;
}

/* A mount in another name space leaves no trace here, but it claims the device. */
static bool
find_claim(struct search *s)
{
	int fd = open(s->node, O_RDONLY | O_EXCL | O_NONBLOCK | O_CLOEXEC);

	if (fd >= 0)
		close(fd);
	else if (errno == EBUSY)
		snprintf(s->who, s->size, "claimed by somebody, perhaps in a container");
	return fd < 0 && errno == EBUSY;
}

bool
loopuse_find(int number, char *ret_who, size_t size)
{
	struct search s = { .who = ret_who, .size = size };
	struct stat st;

	snprintf(s.node, sizeof s.node, "/dev/loop%d", number);
	s.name = s.node + sizeof "/dev/" - 1;
	if (stat(s.node, &st) < 0 || !S_ISBLK(st.st_mode))
		return false; /* what has no node was not opened by it */
	s.dev = st.st_rdev;
	return mounts_each(see_mount, &s) || find_swap(&s) || find_holders(&s) ||
	       find_process(&s) || find_claim(&s);
}
