#include "sys/usedby.h"

#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/visible.h"
#include "sys/sysfs.h"

/* The disk itself, its file and its partitions. */
#define NAMES_MAX 20
#define BY_BYTES  600

/* One device or file, by the words that others name it with. */
struct name {
	char path[PATH_MAX];
	char device[24]; /* "7:4", or "" for a file */
};

struct search {
	struct name names[NAMES_MAX];
	size_t n;
	char said[USEDBY_MAX][BY_BYTES];
	size_t n_said;
	ino_t spaces[64]; /* mount namespaces that were looked into */
	size_t n_spaces;
	void (*told)(void *user, const char *by);
	void *user;
};

static void add_disk(struct search *s, const struct paths *paths, const char *disk);
static void look_at_holders(struct search *s);
static void look_at_loops(struct search *s);
static void look_at_swap(struct search *s);
static void look_at_process(struct search *s, const char *pid);
static void say_named(struct search *s, const char *disk);

void
usedby_find(const struct paths *paths, const char *disk, void (*told)(void *user, const char *by),
    void *user)
{
	struct search *s = calloc(1, sizeof *s);
	struct dirent *e;
	DIR *proc;

	if (s == NULL)
		return;
	s->told = told;
	s->user = user;
	add_disk(s, paths, disk);
	say_named(s, disk);
	look_at_holders(s);
	look_at_loops(s);
	look_at_swap(s);
	proc = opendir("/proc");
	while (proc != NULL && (e = readdir(proc)) != NULL)
		if (isdigit((unsigned char)e->d_name[0]))
			look_at_process(s, e->d_name);
	if (proc != NULL)
		(void)closedir(proc); /* only read */
	free(s);
}

struct sentence {
	FILE *out;
	const char *gap;
};

static void
put(void *user, const char *by)
{
	struct sentence *s = user;

	fprintf(s->out, "%s%s", s->gap, by);
	s->gap = ", ";
}

char *
usedby_text(const struct paths *paths, const char *disk)
{
	struct sentence s = { .gap = "" };
	char *text = NULL;
	size_t len;

	s.out = open_memstream(&text, &len);
	if (s.out == NULL)
		return NULL;
	usedby_find(paths, disk, put, &s);
	if (fclose(s.out) == 0)
		return text;
	free(text);
	return NULL;
}

/* Tell of one, made harmless, unless it was told already. */
__attribute__((format(printf, 2, 3))) static void
say(struct search *s, const char *fmt, ...)
{
	char raw[BY_BYTES], text[BY_BYTES * VISIBLE_GROWTH];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(raw, sizeof raw, fmt, ap); /* what is too long is cut */
	va_end(ap);
	for (size_t i = 0; i < s->n_said; i++)
		if (strcmp(s->said[i], raw) == 0)
			return;
	if (s->n_said == USEDBY_MAX)
		return;
	memcpy(s->said[s->n_said++], raw, sizeof raw);
	(void)visible_copy(raw, strlen(raw), text, sizeof text); /* the room is for this */
	s->told(s->user, text);
}

/* ---- what it is called ---- */

static void
add(struct search *s, const char *path)
{
	struct name *n = &s->names[s->n];
	struct stat st;

	if (s->n == NAMES_MAX || strlen(path) >= sizeof n->path)
		return;
	memcpy(n->path, path, strlen(path) + 1);
	n->device[0] = '\0';
	if (lstat(path, &st) == 0 && S_ISBLK(st.st_mode))
		(void)snprintf(n->device, sizeof n->device, "%u:%u", major(st.st_rdev),
		    minor(st.st_rdev)); /* fits */
	s->n++;
}

/* A block device's partitions are directories below its own in sysfs. */
static void
add_partitions(struct search *s, const char *block)
{
	const char *name = strrchr(block, '/') + 1;
	DIR *dir = sysfs_dir("class/block/%s", name);
	char path[PATH_MAX];
	struct dirent *e;

	while (dir != NULL && (e = readdir(dir)) != NULL)
		if (strncmp(e->d_name, name, strlen(name)) == 0 &&
		    snprintf(path, sizeof path, "/dev/%s", e->d_name) < (int)sizeof path)
			add(s, path);
	if (dir != NULL)
		(void)closedir(dir); /* only read */
}

static void
add_disk(struct search *s, const struct paths *paths, const char *disk)
{
	char name[64] = "", block[64] = "", path[PATH_MAX], *file;

	(void)sscanf(disk, "%63[^ (] (%63[^)])", name, block);
	if (strncmp(block, "/dev/", 5) == 0) {
		add(s, block);
		add_partitions(s, block);
	}
	if (strchr(name, '/') != NULL ||
	    snprintf(path, sizeof path, "%s/%s", paths->rdsk, name) >= (int)sizeof path)
		return;
	file = realpath(path, NULL);
	if (file != NULL)
		add(s, file);
	free(file);
}

static bool
is_named(const struct search *s, const char *path)
{
	for (size_t i = 0; i < s->n; i++)
		if (strcmp(s->names[i].path, path) == 0)
			return true;
	return false;
}

static bool
is_device(const struct search *s, const char *device)
{
	for (size_t i = 0; i < s->n; i++)
		if (s->names[i].device[0] != '\0' && strcmp(s->names[i].device, device) == 0)
			return true;
	return false;
}

/* ---- who uses it ---- */

static void read_comm(const char *pid, char *ret, size_t cap);

/*
 * A block device that the kernel's nbd made of the disk's socket, for a process that has ended
 * since, as nbd-client does: the disk is what stands on that.
 */
static bool
say_nbd(struct search *s, const char *pid)
{
	char word[32], path[PATH_MAX];
	DIR *dir = sysfs_dir("class/block");
	struct dirent *e;
	bool is_found = false;

	while (dir != NULL && !is_found && (e = readdir(dir)) != NULL) {
		if (strncmp(e->d_name, "nbd", 3) != 0 ||
		    !sysfs_line(word, sizeof word, "class/block/%s/pid", e->d_name) ||
		    strcmp(word, pid) != 0)
			continue;
		(void)snprintf(path, sizeof path, "/dev/%s", e->d_name); /* fits */
		say(s, "block device %s", path);
		add(s, path);
		add_partitions(s, path);
		is_found = true;
	}
	if (dir != NULL)
		(void)closedir(dir); /* only read */
	return is_found;
}

/* Clients of a disk's socket, whom the driver knows: "c1t0d0 (process 4711, process 4712)". */
static void
say_named(struct search *s, const char *disk)
{
	static const char word[] = "process ";
	char pid[16], comm[64];

	while ((disk = strstr(disk, word)) != NULL) {
		size_t n;

		disk += sizeof word - 1;
		n = strspn(disk, "0123456789");
		if (n == 0 || n >= sizeof pid)
			continue;
		memcpy(pid, disk, n);
		pid[n] = '\0';
		read_comm(pid, comm, sizeof comm);
		if (say_nbd(s, pid))
			continue;
		if (comm[0] != '\0')
			say(s, "process %s (%s)", pid, comm);
		else
			say(s, "process %s, which has ended", pid);
	}
}

/* The name of a process, or "". */
static void
read_comm(const char *pid, char *ret, size_t cap)
{
	char path[64];
	FILE *f;

	(void)snprintf(path, sizeof path, "/proc/%.16s/comm", pid); /* fits */
	f = fopen(path, "re");
	if (f == NULL || fgets(ret, (int)cap, f) == NULL)
		ret[0] = '\0';
	ret[strcspn(ret, "\n")] = '\0';
	if (f != NULL)
		(void)fclose(f); /* only read */
}

/* Device mapper, MD and their like. */
static void
look_at_holders(struct search *s)
{
	char word[256];
	struct dirent *e;

	for (size_t i = 0; i < s->n; i++) {
		DIR *dir;

		if (s->names[i].device[0] == '\0')
			continue;
		dir = sysfs_dir("dev/block/%s/holders", s->names[i].device);
		while (dir != NULL && (e = readdir(dir)) != NULL) {
			if (e->d_name[0] == '.')
				continue;
			if (sysfs_line(word, sizeof word, "class/block/%s/dm/name", e->d_name))
				say(s, "device %s (%s)", e->d_name, word);
			else
				say(s, "device %s", e->d_name);
		}
		if (dir != NULL)
			(void)closedir(dir); /* only read */
	}
}

/* Loop devices on it; its own is one of its names. */
static void
look_at_loops(struct search *s)
{
	char path[PATH_MAX], word[PATH_MAX];
	DIR *dir = sysfs_dir("class/block");
	struct dirent *e;

	while (dir != NULL && (e = readdir(dir)) != NULL) {
		if (strncmp(e->d_name, "loop", 4) != 0)
			continue;
		(void)snprintf(path, sizeof path, "/dev/%s", e->d_name); /* fits */
		if (is_named(s, path))
			continue;
		if (sysfs_line(word, sizeof word, "class/block/%s/loop/backing_file", e->d_name) &&
		    is_named(s, word))
			say(s, "loop device /dev/%s", e->d_name);
	}
	if (dir != NULL)
		(void)closedir(dir); /* only read */
}

static void
look_at_swap(struct search *s)
{
	FILE *f = fopen("/proc/swaps", "re");
	char line[PATH_MAX + 128], path[PATH_MAX];

	while (f != NULL && fgets(line, sizeof line, f) != NULL)
		if (sscanf(line, "%4095s", path) == 1 && is_named(s, path))
			say(s, "swap");
	if (f != NULL)
		(void)fclose(f); /* only read */
}

/* Each mount namespace once, through whoever is in it. */
static bool
is_new_space(struct search *s, const char *pid)
{
	char path[64];
	struct stat st;

	(void)snprintf(path, sizeof path, "/proc/%.16s/ns/mnt", pid); /* fits */
	if (stat(path, &st) != 0)
		return false;
	for (size_t i = 0; i < s->n_spaces; i++)
		if (s->spaces[i] == st.st_ino)
			return false;
	if (s->n_spaces == sizeof s->spaces / sizeof *s->spaces)
		return false;
	s->spaces[s->n_spaces++] = st.st_ino;
	return true;
}

static void
look_at_mounts(struct search *s, const char *pid)
{
	char line[2 * PATH_MAX + 256], device[24], where[PATH_MAX];
	FILE *f;

	(void)snprintf(line, sizeof line, "/proc/%.16s/mountinfo", pid); /* fits */
	f = fopen(line, "re");
	while (f != NULL && fgets(line, sizeof line, f) != NULL)
		if (sscanf(line, "%*s %*s %23s %*s %4095s", device, where) == 2 &&
		    is_device(s, device))
			say(s, "mounted at %s", where);
	if (f != NULL)
		(void)fclose(f); /* only read */
}

/*
 * What the kernel calls the files it has open is compared, and no file is touched: one of another
 * file system might hang.
 */
static void
look_at_process(struct search *s, const char *pid)
{
	char path[64], word[64], where[PATH_MAX];
	struct dirent *e;
	DIR *dir;

	if (is_new_space(s, pid))
		look_at_mounts(s, pid);
	(void)snprintf(path, sizeof path, "/proc/%.16s/fd", pid); /* fits */
	dir = opendir(path);
	while (dir != NULL && (e = readdir(dir)) != NULL) {
		ssize_t n = readlinkat(dirfd(dir), e->d_name, where, sizeof where - 1);

		if (n <= 0)
			continue;
		where[n] = '\0';
		if (!is_named(s, where))
			continue;
		read_comm(pid, word, sizeof word);
		say(s, "process %s (%s)", pid, word);
	}
	if (dir != NULL)
		(void)closedir(dir); /* only read */
}
