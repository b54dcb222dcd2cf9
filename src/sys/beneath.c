/*
 * Root would follow whoever can change a name on its way: rename a directory, put a link
 * in its place between two of our calls.  So nothing is decided by a path.  Each component is
 * opened below the one before it, looked at through its descriptor, and what nobody else can
 * change stays what it was found to be.  In a sticky directory of root's others can make names,
 * but not change those of root.
 */
#include "sys/beneath.h"

#include <sys/stat.h>
#include <sys/syscall.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* As the kernel's own limit. */
#define LINKS_MAX 40
/* Groups below are the system's (Debian's policy, 9.2.2): in the system's own root they may write.
 */
#define USER_GIDS 1000

/* Where a walk stands. */
struct walk {
	int fd;               /* the directory it has come to */
	char shown[PATH_MAX]; /* its name */
	char rest[PATH_MAX];  /* what is still to go */
	unsigned links;
	bool is_system; /* the walk's end is "/" itself or below it on the system's own way */
	char *why;
};

static int explain(char *why, int err, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

static int
explain(char *why, int err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	if (vsnprintf(why, BENEATH_WHY_BYTES, fmt, ap) < 0)
		why[0] = '\0';
	va_end(ap);
	return err;
}

/* In a user namespace the owners that are not mapped all look like this one. */
static bool
is_unmapped(uid_t uid)
{
	unsigned long first, outside, count = 0;
	unsigned overflow = 65534;
	FILE *f = fopen("/proc/self/uid_map", "re");

	if (f != NULL) {
		if (fscanf(f, "%lu %lu %lu", &first, &outside, &count) != 3)
			count = UINT_MAX;
		(void)fclose(f); /* only read */
	}
	return f != NULL && count < UINT_MAX && uid == overflow;
}

/* May root go on through this directory (or link)? */
static int
check(const struct stat *st, const char *shown, bool is_system, char *why)
{
	static const char next[] =
	    "use a root below directories that only root can change, or start it as that user";
	bool is_sticky = (st->st_mode & S_ISVTX) != 0;

	if (geteuid() != 0)
		return 0;
	if (st->st_uid != 0 && !is_unmapped(st->st_uid))
		return explain(why, -EPERM,
		    "%s belongs to user %ld, who could lead root astray; %s", shown,
		    (long)st->st_uid, next);
	if (S_ISLNK(st->st_mode) || is_sticky)
		return 0;
	if ((st->st_mode & S_IWOTH) != 0)
		return explain(why, -EPERM,
		    "%s may be written by everybody, who could lead root astray; %s", shown, next);
	if ((st->st_mode & S_IWGRP) != 0 && st->st_gid != 0 &&
	    !(is_system && st->st_gid < USER_GIDS))
		return explain(why, -EPERM,
		    "%s may be written by group %ld, which could lead root astray; %s", shown,
		    (long)st->st_gid, next);
	return 0;
}

/* Nothing but what is below dir_fd, and no link: the kernel sees to it, or the walk does. */
static int
open_below(int dir_fd, const char *name, int flags)
{
	struct open_how how = { .flags = (uint64_t)(flags | O_CLOEXEC | O_NOFOLLOW),
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS };
	long fd = syscall(SYS_openat2, dir_fd, name, &how, sizeof how);

	/* One component, which O_NOFOLLOW is enough for. */
	if (fd < 0 && errno == ENOSYS)
		fd = openat(dir_fd, name, flags | O_CLOEXEC | O_NOFOLLOW);
	return fd < 0 ? -errno : (int)fd;
}

/* The next component of w->rest, cut off; NULL: there is none. */
static char *
next_name(struct walk *w, char name[NAME_MAX + 1])
{
	size_t start = strspn(w->rest, "/"), len = strcspn(w->rest + start, "/");

	if (len == 0 || len > NAME_MAX)
		return NULL;
	memcpy(name, w->rest + start, len);
	name[len] = '\0';
	memmove(w->rest, w->rest + start + len, strlen(w->rest + start + len) + 1);
	return name;
}

static void
step_to(struct walk *w, int fd)
{
	(void)close(w->fd); /* a place on the way */
	w->fd = fd;
}

static void
append(char *shown, const char *name)
{
	size_t len = strlen(shown);

	(void)snprintf(shown + len, PATH_MAX - len, "%s%s",
	    len > 0 && shown[len - 1] == '/' ? "" : "/", name); /* cut: only shown */
}

/* A link of root's: go where it says. */
static int
follow(struct walk *w, int link_fd)
{
	char target[PATH_MAX], rest[PATH_MAX];
	ssize_t n = readlinkat(link_fd, "", target, sizeof target - 1);

	if (n < 0)
		return -errno;
	target[n] = '\0';
	if (++w->links > LINKS_MAX)
		return -ELOOP;
	memcpy(rest, w->rest, strlen(w->rest) + 1);
	if (snprintf(w->rest, sizeof w->rest, "%s/%s", target, rest) >= (int)sizeof w->rest)
		return -ENAMETOOLONG;
	if (target[0] == '/') {
		int fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);

		if (fd < 0)
			return -errno;
		step_to(w, fd);
		(void)snprintf(w->shown, sizeof w->shown, "/"); /* fits */
	}
	return 0;
}

/* One component further; the directory is made where it is missing. */
static int
advance(struct walk *w, const char *name)
{
	char shown[PATH_MAX];
	struct stat st;
	int fd, err;

	memcpy(shown, w->shown, sizeof shown);
	append(shown, name);
	if (strcmp(name, "..") == 0) {
		fd = openat(w->fd, name, O_PATH | O_DIRECTORY | O_CLOEXEC);
	} else {
		fd = openat(w->fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
		if (fd < 0 && errno == ENOENT &&
		    (mkdirat(w->fd, name, 0755) == 0 || errno == EEXIST))
			fd = openat(w->fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	}
	if (fd < 0 || fstat(fd, &st) < 0) {
		err = -errno;
		if (fd >= 0)
			(void)close(fd); /* the first error counts */
		return explain(w->why, err, "cannot make %s: %s", shown, strerror(-err));
	}
	err = check(&st, shown, w->is_system, w->why);
	if (err == 0 && S_ISLNK(st.st_mode)) {
		err = follow(w, fd);
		if (err < 0)
			(void)explain(w->why, err, "cannot follow %s: %s", shown, strerror(-err));
	} else if (err == 0 && !S_ISDIR(st.st_mode)) {
		err = explain(w->why, -ENOTDIR, "%s is no directory", shown);
	} else if (err == 0) {
		step_to(w, fd);
		memcpy(w->shown, shown, sizeof shown);
		return 0;
	}
	(void)close(fd); /* only looked at */
	return err;
}

int
beneath_root(const char *path, char why[BENEATH_WHY_BYTES])
{
	char name[NAME_MAX + 1];
	struct walk *w = calloc(1, sizeof *w);
	struct stat st;
	int err;

	why[0] = '\0';
	if (w == NULL)
		return explain(why, -ENOMEM, "there is no memory");
	*w = (struct walk){ .shown = "/", .why = why, .is_system = strcmp(path, "/") == 0 };
	w->fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	err = w->fd < 0 || fstat(w->fd, &st) < 0 ? -errno : check(&st, "/", w->is_system, why);
	if (strlen(path) >= sizeof w->rest)
		err = -ENAMETOOLONG;
	else
		memcpy(w->rest, path, strlen(path) + 1);
	while (err == 0 && next_name(w, name) != NULL)
		err = advance(w, name);
	if (err == 0 && w->rest[strspn(w->rest, "/")] != '\0')
		err = -ENAMETOOLONG;
	if (err < 0 && why[0] == '\0')
		(void)explain(why, err, "cannot use %s: %s", path, strerror(-err));
	if (err < 0 && w->fd >= 0)
		(void)close(w->fd); /* a place on the way */
	if (err == 0)
		err = w->fd;
	free(w);
	return err;
}

/* One component below `dir`, made if need be.  A descriptor or a negative errno. */
static int
enter(int dir, const char *name, mode_t mode, bool is_last, bool is_system, const char *shown,
    char *why)
{
	int made = mkdirat(dir, name, mode) == 0 ? 0 : -errno;
	int fd = open_below(dir, name, O_RDONLY | O_DIRECTORY), err = 0;
	struct stat st;

	/* Others' directories on the way need not be readable. */
	if (fd == -EACCES && !is_last)
		fd = open_below(dir, name, O_PATH | O_DIRECTORY);
	if (fd == -ENOTDIR || fd == -ELOOP) {
		bool is_link =
		    fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(st.st_mode);

		if (is_link)
			return explain(why, -ELOOP,
			    "%s is a symbolic link; put a directory in its place (a mount can lead "
			    "elsewhere)",
			    shown);
		return explain(why, -ENOTDIR, "%s is no directory", shown);
	}
	if (fd == -ENOENT)
		fd = made;
	if (fd < 0)
		return explain(why, fd,
		    "cannot make %s: %s; use --root for a directory of your own", shown,
		    strerror(-fd));
	/* Exactly the mode, whatever the umask is; and secrets that were opened up are closed
	 * again. */
	if (fstat(fd, &st) < 0 ||
	    ((made == 0 ||
		 (is_last && mode == 0700 && (st.st_mode & 0077) != 0 && st.st_uid == geteuid())) &&
		(fchmod(fd, mode) < 0 || fstat(fd, &st) < 0)))
		err = -errno;
	if (err == 0)
		err = check(&st, shown, is_system, why);
	if (err < 0 && why[0] == '\0')
		(void)explain(why, err, "cannot make %s: %s", shown, strerror(-err));
	if (err == 0)
		return fd;
	(void)close(fd); /* only looked at */
	return err;
}

int
beneath_dir(
    int dir_fd, const char *shown, const char *rel, mode_t mode, char why[BENEATH_WHY_BYTES])
{
	bool is_system = strcmp(shown, "/") == 0;
	char name[NAME_MAX + 1], place[PATH_MAX];
	int fd = dir_fd;

	why[0] = '\0';
	(void)snprintf(place, sizeof place, "%s", shown); /* cut: only shown */
	for (const char *p = rel; *p != '\0';) {
		size_t len = strcspn(p, "/");
		bool is_last = p[len] == '\0';
		int below;

		if (len == 0 || len > NAME_MAX)
			below = explain(why, -EINVAL, "%s is no path below %s", rel, shown);
		else {
			memcpy(name, p, len);
			name[len] = '\0';
			append(place, name);
			below =
			    enter(fd, name, is_last ? mode : 0755, is_last, is_system, place, why);
		}
		if (fd != dir_fd)
			(void)close(fd); /* a place on the way */
		if (below < 0)
			return below;
		fd = below;
		p += is_last ? len : len + 1;
	}
	return fd;
}
