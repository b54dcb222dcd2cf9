#include "sys/paths.h"

#include <sys/stat.h>

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sys/identity.h"

/* What must still fit behind the root: the longest row is below 60 bytes, names below it are short.
 */
#define PATHS_BELOW_BYTES 256

static char *absolute_root(const char *root, int *ret_err);

/* Where a row's path is in the struct, for what is done to all of them alike. */
static const struct row {
	size_t offset;
	const char *below;
} rows[] = {
#define PATH_DIR(id, rel, ...)  { offsetof(struct paths, id), rel },
#define PATH_FILE(id, rel, ...) { offsetof(struct paths, id), rel },
#define PATH_DAEMON(id, program)                                                               \
	{ offsetof(struct paths, id##_dir), "run/openisw/" program },                          \
	    { offsetof(struct paths, id##_sock), "run/openisw/" program "/" PATHS_SOCK_NAME }, \
	    { offsetof(struct paths, id##_pid), "run/openisw/" program ".pid" },
#include "sys/paths.def"
};
#define ROWS (sizeof rows / sizeof rows[0])

static const struct dir_row {
	const char *below;
	mode_t mode;
	const char *program; /* whose user may enter, or NULL */
} dir_rows[] = {
#define PATH_DIR(id, rel, mode, ...) { rel, mode, NULL },
#define PATH_DAEMON(id, program)     { "run/openisw/" program, 0700, program },
#include "sys/paths.def"
};

static char **
row_in(struct paths *p, const struct row *row)
{
	return (char **)(void *)((char *)p + row->offset);
}

int
paths_init(struct paths *ret, const char *root)
{
	int err = 0;

	*ret = (struct paths){ .root = absolute_root(root, &err) };
	if (ret->root == NULL)
		return err;
	for (size_t i = 0; i < ROWS; i++) {
		const char *slash = ret->root[1] == '\0' ? "" : "/";

		if (asprintf(row_in(ret, &rows[i]), "%s%s%s", ret->root, slash, rows[i].below) <
		    0) {
			*row_in(ret, &rows[i]) = NULL;
			paths_fini(ret);
			return -ENOMEM;
		}
	}
	return 0;
}

void
paths_fini(struct paths *p)
{
	for (size_t i = 0; i < ROWS; i++)
		free(*row_in(p, &rows[i]));
	free(p->root);
	*p = (struct paths){ 0 };
}

/* Root lets the daemon in, by its group: it may enter and not look around. */
static int
open_to(int fd, const char *program)
{
	struct daemon_identity who;
	int err;

	if (geteuid() != 0)
		return 0;
	err = identity_of(program, &who);
	if (err < 0)
		return err;
	/*
	 * Where root may not give things away (EPERM), or that group is nobody's in its namespace
	 * (EINVAL), nobody can become the daemon's user either.
	 */
	if (fchown(fd, 0, who.gid) < 0)
		return errno == EPERM || errno == EINVAL ? 0 : -errno;
	return fchmod(fd, 0710) < 0 ? -errno : 0;
}

static int
make_dir(const struct paths *p, int root_fd, const struct dir_row *row, char *why)
{
	int fd = beneath_dir(root_fd, p->root, row->below, row->mode, why), err = 0;

	if (fd < 0)
		return fd;
	if (row->program != NULL)
		err = open_to(fd, row->program);
	if (err < 0)
		(void)snprintf(why, BENEATH_WHY_BYTES, "%s: cannot let the user of %s in: %s",
		    row->below, row->program, strerror(-err)); /* fits */
	(void)close(fd);                                       /* only looked at */
	return err;
}

int
paths_mkdirs(const struct paths *p, char why[BENEATH_WHY_BYTES])
{
	int root_fd = beneath_root(p->root, why), err = 0;

	if (root_fd < 0)
		return root_fd;
	for (size_t i = 0; i < sizeof dir_rows / sizeof dir_rows[0] && err == 0; i++)
		err = make_dir(p, root_fd, &dir_rows[i], why);
	(void)close(root_fd); /* O_PATH: nothing to lose */
	return err;
}

const char *
paths_daemon_dir(const struct paths *p, const char *program)
{
#define PATH_DAEMON(id, name)           \
	if (strcmp(program, name) == 0) \
		return p->id##_dir;
#include "sys/paths.def"
	return NULL;
}

const char *
paths_daemon_sock(const struct paths *p, const char *program)
{
#define PATH_DAEMON(id, name)           \
	if (strcmp(program, name) == 0) \
		return p->id##_sock;
#include "sys/paths.def"
	return NULL;
}

const char *
paths_daemon_pid(const struct paths *p, const char *program)
{
#define PATH_DAEMON(id, name)           \
	if (strcmp(program, name) == 0) \
		return p->id##_pid;
#include "sys/paths.def"
	return NULL;
}

/* The root without slashes at its end, "/" for the system's. */
static char *
absolute_root(const char *root, int *ret_err)
{
	char *abs = NULL;
	size_t len;

	if (root == NULL || root[0] == '\0')
		root = getenv(PATHS_ENV);
	if (root == NULL || root[0] == '\0')
		root = "/";
	if (root[0] == '/') {
		abs = strdup(root);
	} else {
		char *cwd = getcwd(NULL, 0);

		if (cwd == NULL) {
			*ret_err = -errno;
			return NULL;
		}
		/* "./" is what a shell's completion leaves; it need not stand in every message. */
		while (root[0] == '.' && root[1] == '/')
			for (root += 1; *root == '/';)
				root++;
		if (strcmp(root, ".") == 0)
			root = "";
		if (asprintf(&abs, "%s/%s", strcmp(cwd, "/") == 0 ? "" : cwd, root) < 0)
			abs = NULL;
		free(cwd);
	}
	if (abs == NULL) {
		*ret_err = -ENOMEM;
		return NULL;
	}
	len = strlen(abs);
	while (len > 1 && abs[len - 1] == '/')
		abs[--len] = '\0';
	if (len > PATH_MAX - PATHS_BELOW_BYTES) {
		free(abs);
		*ret_err = -ENAMETOOLONG;
		return NULL;
	}
	return abs;
}
