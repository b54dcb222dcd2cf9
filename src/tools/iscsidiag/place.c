#include "tools/iscsidiag/place.h"

#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tools/common/say.h"

#define NEXT "name a directory of your own with -t"

static enum status
refuse(const char *dir, const char *why)
{
	say_failure(IPC_ERR_INTERNAL, NULL, NEXT, "%s is not used: %s", dir, why);
	return STATUS_FAILED;
}

/* The directory's parent may be missing in a private root. */
static void
make_parent(const char *dir)
{
	char *copy = say_need(strdup(dir)), *slash = strrchr(copy, '/');

	if (slash != NULL && slash != copy) {
		*slash = '\0';
		/* What goes wrong here shows in the directory itself. */
		(void)mkdir(copy, 0755);
	}
	free(copy);
}

static enum status
check_dir(int fd, const char *dir, bool is_chosen)
{
	bool is_ours, is_open;
	struct stat st;

	if (fstat(fd, &st) != 0)
		return refuse(dir, strerror(errno));
	is_ours = st.st_uid == geteuid();
	is_open = (st.st_mode & (S_IWGRP | S_IWOTH)) != 0;
	if (is_chosen) {
		if (!is_ours && st.st_uid != 0)
			return refuse(dir, "it belongs to another user");
		if (is_open && ((st.st_mode & S_ISVTX) == 0 || st.st_uid != 0))
			return refuse(dir, "others may write to it");
		return STATUS_OK;
	}
	if (!is_ours)
		return refuse(dir, "it belongs to another user");
	if ((st.st_mode & 077) != 0 && fchmod(fd, 0700) != 0)
		return refuse(dir, strerror(errno));
	return STATUS_OK;
}

static enum status
open_dir(const char *dir, bool is_chosen, int *ret_fd)
{
	enum status status;
	int fd;

	if (!is_chosen)
		make_parent(dir);
	if (mkdir(dir, 0700) != 0 && errno != EEXIST) {
		say_failure(
		    IPC_ERR_INTERNAL, NULL, NEXT, "%s cannot be made: %s", dir, strerror(errno));
		return STATUS_FAILED;
	}
	/* ELOOP or ENOTDIR: a link, of somebody who wants our file elsewhere. */
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return refuse(dir, errno == ELOOP || errno == ENOTDIR
				       ? "it is a link, or no directory"
				       : strerror(errno));
	status = check_dir(fd, dir, is_chosen);
	if (status != STATUS_OK)
		(void)close(fd); /* nothing was written */
	else
		*ret_fd = fd;
	return status;
}

/* A file that an earlier process of the same number left: ours, and no link. */
static bool
remove_old(int dir_fd, const char *name)
{
	struct stat st;

	return fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode) &&
	       st.st_uid == geteuid() && st.st_nlink == 1 && unlinkat(dir_fd, name, 0) == 0;
}

enum status
place_open(struct place *ret, const char *dir, const char *name, bool is_chosen)
{
	enum status status;
	int dir_fd, fd;

	status = open_dir(dir, is_chosen, &dir_fd);
	if (status != STATUS_OK)
		return status;
	/* O_EXCL never follows a link. */
	fd = openat(dir_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0 && errno == EEXIST && remove_old(dir_fd, name))
		fd = openat(
		    dir_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0) {
		say_failure(IPC_ERR_INTERNAL, NULL, NEXT, "%s/%s cannot be made: %s", dir, name,
		    strerror(errno));
		(void)close(dir_fd); /* only read */
		return STATUS_FAILED;
	}
	(void)close(dir_fd); /* only read */
	ret->file = say_need(fdopen(fd, "w"));
	ret->path = say_format("%s/%s", dir, name);
	return STATUS_OK;
}

enum status
place_close(struct place *p)
{
	enum status status = STATUS_OK;
	/* fsync() would do no good to a file that is about to be sent away, but for its errors. */
	bool is_bad = ferror(p->file) || fflush(p->file) != 0 || fsync(fileno(p->file)) != 0;
	int err = errno;

	if (fclose(p->file) != 0 && !is_bad) {
		is_bad = true;
		err = errno;
	}
	if (is_bad) {
		say_failure(IPC_ERR_INTERNAL, NULL, "make room, or name another directory with -t",
		    "%s is not complete: %s", p->path, strerror(err));
		status = STATUS_FAILED;
	}
	p->file = NULL;
	return status;
}
