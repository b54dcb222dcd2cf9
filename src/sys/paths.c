#include "sys/paths.h"

#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
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
static int make_path(const char *path, mode_t mode);
static int make_parents(const char *path);
static int open_to(const char *dir, const char *program);

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

int
paths_mkdirs(const struct paths *p, const char **ret_path)
{
	const struct {
		const char *path;
		mode_t mode;
	} dirs[] = {
#define PATH_DIR(id, rel, dir_mode, ...) { p->id, dir_mode },
#include "sys/paths.def"
	};
	const struct {
		const char *dir, *program;
	} daemons[] = {
#define PATH_DAEMON(id, name) { p->id##_dir, name },
#include "sys/paths.def"
	};
	int err = make_path(p->root, 0755);

	if (err < 0) {
		*ret_path = p->root;
		return err;
	}
	for (size_t i = 0; i < sizeof dirs / sizeof dirs[0]; i++) {
		err = make_path(dirs[i].path, dirs[i].mode);
		if (err < 0) {
			*ret_path = dirs[i].path;
			return err;
		}
	}
	for (size_t i = 0; i < sizeof daemons / sizeof daemons[0]; i++) {
		err = make_path(daemons[i].dir, 0700);
		if (err == 0)
			err = open_to(daemons[i].dir, daemons[i].program);
		if (err < 0) {
			*ret_path = daemons[i].dir;
			return err;
		}
	}
	return 0;
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

/* The directory with exactly this mode; its missing parents with 0755. */
static int
make_path(const char *path, mode_t mode)
{
	struct stat st;

	if (stat(path, &st) == 0) {
		if (!S_ISDIR(st.st_mode))
			return -ENOTDIR;
		/* Secrets live here: a mode that somebody opened up is closed again. */
		if (mode == 0700 && (st.st_mode & 0077) != 0 && chmod(path, 0700) < 0)
			return -errno;
		return 0;
	}
	if (mkdir(path, mode) < 0) {
		int err;

		if (errno == EEXIST)
			return 0; /* another daemon of ours was quicker */
		if (errno != ENOENT)
			return -errno;
		err = make_parents(path);
		if (err < 0)
			return err;
		if (mkdir(path, mode) < 0)
			return errno == EEXIST ? 0 : -errno;
	}
	return chmod(path, mode) < 0 ? -errno : 0;
}

static int
make_parents(const char *path)
{
	char *copy = strdup(path);
	int err = 0;

	if (copy == NULL)
		return -ENOMEM;
	for (char *slash = strchr(copy + 1, '/'); slash != NULL && err == 0;
	     slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (mkdir(copy, 0755) == 0)
			err = chmod(copy, 0755) < 0 ? -errno : 0;
		else if (errno != EEXIST)
			err = -errno;
		*slash = '/';
	}
	free(copy);
	return err;
}

/* Root lets the daemon in, by its group: it may enter and not look around. */
static int
open_to(const char *dir, const char *program)
{
	struct daemon_identity who;
	int fd, err = 0;

	if (geteuid() != 0)
		return 0;
	err = identity_of(program, &who);
	if (err < 0)
		return err;
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	/* Where root may not give things away nobody can become the daemon's user either. */
	if (fchown(fd, 0, who.gid) == 0 && fchmod(fd, 0710) < 0)
		err = -errno;
	(void)close(fd); /* only looked at */
	return err;
}
