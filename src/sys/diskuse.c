#include "sys/diskuse.h"

#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cut.h"
#include "sys/diskuse_impl.h"
#include "sys/sysfs.h"

/* What is made of one device, and of that one, … */
#define DEVICES_MAX 65536

/* ---- devices ---- */

static int
add_device(struct diskuse *u, const char *name, const char *disk, const char *kind)
{
	char word[DISKUSE_NAME_BYTES];
	struct diskuse_device new = { 0 }, *d;
	unsigned a, b;

	if (!sysfs_line(word, sizeof word, "class/block/%s/dev", name) ||
	    sscanf(word, "%u:%u", &a, &b) != 2 || u->n_devices == DEVICES_MAX)
		return 0;
	for (size_t i = 0; i < u->n_devices; i++)
		if (u->devices[i].dev == makedev(a, b))
			return 0;
	new.dev = makedev(a, b);
	cut_copy(new.name, sizeof new.name, name);
	cut_copy(new.disk, sizeof new.disk, disk); /* it may be in what is moved now */
	d = reallocarray(u->devices, u->n_devices + 1, sizeof *d);
	if (d == NULL)
		return -ENOMEM;
	u->devices = d;
	d += u->n_devices++;
	*d = new;
	if (kind == NULL)
		return 0;
	(void)sysfs_line(word, sizeof word, "class/block/%s/dm/name", name); /* none: "" */
	(void)snprintf(d->what, sizeof d->what, "%s %.16s%s%.30s%s", kind, name,
	    word[0] != '\0' ? " (" : "", word, word[0] != '\0' ? ")" : ""); /* cut, at worst */
	return 0;
}

/* Loop devices on a file of a disk, whoever made them; or on a device of the list. */
static int
add_loops(struct diskuse *u)
{
	DIR *dir = sysfs_dir("class/block");
	size_t len = strlen(u->files);
	char file[PATH_MAX];
	struct dirent *e;
	int err = 0;

	while (err == 0 && dir != NULL && (e = readdir(dir)) != NULL) {
		if (strncmp(e->d_name, "loop", 4) != 0)
			continue;
		(void)sysfs_line(file, sizeof file, "class/block/%s/loop/backing_file", e->d_name);
		if (strncmp(file, u->files, len) == 0 && file[len] == '/')
			err = add_device(u, e->d_name, strrchr(file, '/') + 1, NULL);
		for (size_t i = 0; err == 0 && i < u->n_devices; i++)
			if (strncmp(file, "/dev/", 5) == 0 &&
			    strcmp(file + 5, u->devices[i].name) == 0)
				err = add_device(u, e->d_name, u->devices[i].disk, "device");
	}
	if (dir != NULL)
		(void)closedir(dir); /* only read */
	return err;
}

/* A mount that was taken away lazily leaves a file without its directory: the driver's own links
 * know better. */
static int
add_links(struct diskuse *u, const char *dsk)
{
	DIR *dir = opendir(dsk);
	char to[PATH_MAX];
	struct dirent *e;
	int err = 0;

	while (err == 0 && dir != NULL && (e = readdir(dir)) != NULL) {
		ssize_t n = readlinkat(dirfd(dir), e->d_name, to, sizeof to - 1);

		if (n <= 0)
			continue;
		to[n] = '\0';
		if (strncmp(to, "/dev/loop", 9) == 0 || strncmp(to, "/dev/ublkb", 10) == 0)
			err = add_device(u, to + 5, e->d_name, NULL);
	}
	if (dir != NULL)
		(void)closedir(dir); /* only read */
	return err;
}

/* What lies in a directory of the device in sysfs: its holders; or, beside other things, its
 * partitions. */
static int
add_below(struct diskuse *u, size_t i, const char *below)
{
	char name[DISKUSE_NAME_BYTES], disk[DISKUSE_NAME_BYTES];
	bool is_holder = below[0] != '\0';
	struct dirent *e;
	int err = 0;
	DIR *dir;

	memcpy(name, u->devices[i].name, sizeof name);
	memcpy(disk, u->devices[i].disk, sizeof disk);
	dir = sysfs_dir("class/block/%s/%s", name, below);
	while (err == 0 && dir != NULL && (e = readdir(dir)) != NULL)
		if (e->d_name[0] != '.' &&
		    (is_holder || strncmp(e->d_name, name, strlen(name)) == 0))
			err = add_device(u, e->d_name, disk,
			    is_holder                    ? "device"
			    : u->devices[i].what[0] != 0 ? "partition"
							 : NULL);
	if (dir != NULL)
		(void)closedir(dir); /* only read */
	return err;
}

static void
note_swap(struct diskuse *u)
{
	FILE *f = fopen("/proc/swaps", "re");
	char line[PATH_MAX + 128], path[PATH_MAX];

	while (f != NULL && fgets(line, sizeof line, f) != NULL)
		for (size_t i = 0; sscanf(line, "/dev/%4095s", path) == 1 && i < u->n_devices; i++)
			if (strcmp(path, u->devices[i].name) == 0)
				u->devices[i].is_swap = true;
	if (f != NULL)
		(void)fclose(f); /* only read */
}

static int
find_devices(struct diskuse *u, const struct paths *paths)
{
	size_t before;
	int err = add_links(u, paths->dsk);

	do {
		before = u->n_devices;
		if (err == 0)
			err = add_loops(u);
	} while (err == 0 && u->n_devices > before);
	for (size_t i = 0; err == 0 && i < u->n_devices; i++) {
		err = add_below(u, i, "");
		if (err == 0)
			err = add_below(u, i, "holders");
	}
	note_swap(u);
	return err;
}

/* ---- mounts ---- */

/* mountinfo writes blanks and backslashes as \ooo. */
static char *
unescaped(const char *text)
{
	char *out = strdup(text), *to = out;

	for (const char *p = text; out != NULL && *p != '\0'; to++) {
		unsigned code;

		if (sscanf(p, "\\%3o", &code) == 1 && strspn(p + 1, "01234567") >= 3) {
			*to = (char)code;
			p += 4;
		} else {
			*to = *p++;
		}
	}
	if (out != NULL)
		*to = '\0';
	return out;
}

/* The device of one line, by its number or, where file systems have their own numbers, by its
 * source. */
static size_t
device_of(const struct diskuse *u, unsigned a, unsigned b, const char *line)
{
	const char *end = strstr(line, " - ");
	char source[PATH_MAX] = "";

	if (end != NULL)
		(void)sscanf(end, " - %*s %4095s", source); /* none: "" */
	for (size_t i = 0; i < u->n_devices; i++)
		if (u->devices[i].dev == makedev(a, b) ||
		    (strncmp(source, "/dev/", 5) == 0 &&
			strcmp(source + 5, u->devices[i].name) == 0))
			return i;
	return SIZE_MAX;
}

static const struct diskuse_mount *
mount_of(const struct diskuse *u, int id)
{
	for (size_t i = 0; i < u->n_mounts; i++)
		if (u->mounts[i].id == id)
			return &u->mounts[i];
	return NULL;
}

/* One line: it counts if it is on a disk, or mounted in what is. */
static int
add_mount(struct diskuse *u, const char *line, pid_t via)
{
	struct diskuse_mount m = { .via = via }, *all;
	const struct diskuse_mount *in;
	char where[PATH_MAX];
	unsigned a, b;

	if (sscanf(line, "%d %d %u:%u %*s %4095s", &m.id, &m.parent, &a, &b, where) != 5 ||
	    mount_of(u, m.id) != NULL)
		return 0;
	in = mount_of(u, m.parent);
	m.device = device_of(u, a, b, line);
	if (m.device == SIZE_MAX && in != NULL)
		m.device = in->device;
	if (m.device == SIZE_MAX)
		return 0;
	all = reallocarray(u->mounts, u->n_mounts + 1, sizeof m);
	if (all == NULL)
		return -ENOMEM;
	u->mounts = all;
	m.where = unescaped(where);
	if (m.where == NULL)
		return -ENOMEM;
	u->mounts[u->n_mounts++] = m;
	return 0;
}

/* What one process sees; what is mounted later stands behind what it is mounted in. */
static int
add_mounts(struct diskuse *u, pid_t via)
{
	char path[64], *line = NULL;
	size_t cap = 0;
	int err = 0;
	FILE *f;

	if (via == 0)
		cut_copy(path, sizeof path, "/proc/self/mountinfo");
	else
		(void)snprintf(path, sizeof path, "/proc/%d/mountinfo", (int)via); /* fits */
	f = fopen(path, "re");
	while (err == 0 && f != NULL && getline(&line, &cap, f) >= 0)
		err = add_mount(u, line, via);
	free(line);
	if (f != NULL)
		(void)fclose(f); /* only read */
	return err;
}

struct spaces {
	ino_t *known;
	size_t n;
};

/* Each mount namespace once, through whoever is in it; false: known, or nobody's any more. */
static bool
is_new_space(struct spaces *s, const char *pid, int *ret_err)
{
	char path[64];
	struct stat st;
	ino_t *more;

	(void)snprintf(path, sizeof path, "/proc/%.16s/ns/mnt", pid); /* fits */
	if (stat(path, &st) != 0)
		return false;
	for (size_t i = 0; i < s->n; i++)
		if (s->known[i] == st.st_ino)
			return false;
	more = reallocarray(s->known, s->n + 1, sizeof *more);
	if (more == NULL) {
		*ret_err = -ENOMEM;
		return false;
	}
	s->known = more;
	s->known[s->n++] = st.st_ino;
	return true;
}

static int
find_mounts(struct diskuse *u)
{
	struct spaces s = { 0 };
	struct dirent *e;
	DIR *proc;
	int err = 0;

	if (is_new_space(&s, "self", &err))
		err = add_mounts(u, 0);
	proc = opendir("/proc");
	while (err == 0 && proc != NULL && (e = readdir(proc)) != NULL)
		if (isdigit((unsigned char)e->d_name[0]) && is_new_space(&s, e->d_name, &err))
			err = add_mounts(u, (pid_t)strtol(e->d_name, NULL, 10));
	if (proc != NULL)
		(void)closedir(proc); /* only read */
	free(s.known);
	return err;
}

/* ---- all of it ---- */

size_t
diskuse_mount_device(const struct diskuse *u, int id)
{
	const struct diskuse_mount *m = mount_of(u, id);

	return m == NULL ? SIZE_MAX : m->device;
}

int
diskuse_find(struct diskuse *ret, const struct paths *paths, pid_t driver)
{
	int err;

	*ret = (struct diskuse){ .files = realpath(paths->disks, NULL) };
	if (ret->files == NULL)
		ret->files = strdup(paths->disks);
	if (ret->files == NULL)
		return -ENOMEM;
	err = find_devices(ret, paths);
	if (err == 0)
		err = find_mounts(ret);
	if (err == 0)
		err = diskuse_find_sockets(ret, paths);
	return err == 0 ? diskuse_find_users(ret, driver) : err;
}

void
diskuse_fini(struct diskuse *u)
{
	for (size_t i = 0; i < u->n_mounts; i++)
		free(u->mounts[i].where);
	free(u->mounts);
	free(u->devices);
	free(u->users);
	free(u->sockets);
	free(u->files);
	*u = (struct diskuse){ 0 };
}
