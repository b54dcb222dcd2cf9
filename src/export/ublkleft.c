/* What a process before this one left of ublk devices, and nobody has taken over. */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cut.h"
#include "export/exportdir.h"
#include "export/ublk.h"
#include "export/ublkrun.h"
#include "export/ublkstate.h"
#include "sys/log.h"

static void
count(void *user, int dir, const char *name, const struct ublkstate *s)
{
	(void)user, (void)dir, (void)name, (void)s;
}

bool
ublk_has_left(const char *dir)
{
	return ublkstate_each(dir, count, NULL) > 0;
}

static int
by_number(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

uint32_t *
ublk_left_sessions(const char *base, size_t *ret_n)
{
	DIR *d = opendir(base);
	uint32_t *list = NULL, *more;
	char dir[PATH_MAX];
	struct dirent *e;

	*ret_n = 0;
	while (d != NULL && (e = readdir(d)) != NULL) {
		if (strspn(e->d_name, "0123456789") != strlen(e->d_name))
			continue;
		(void)snprintf(dir, sizeof dir, "%s/%s", base, e->d_name); /* paths_init() */
		if (!ublk_has_left(dir))
			continue;
		more = reallocarray(list, *ret_n + 1, sizeof *list);
		if (more == NULL)
			break; /* those are made anew when their session is there */
		list = more;
		list[(*ret_n)++] = (uint32_t)strtoul(e->d_name, NULL, 10);
	}
	if (d != NULL)
		closedir(d);
	if (list != NULL)
		qsort(list, *ret_n, sizeof *list, by_number);
	return list;
}

/* One that nobody waits for any more. */
struct forgetting {
	struct ublkjob job;
	char dir[PATH_MAX];
	void (*done)(void *user);
	void *user;
};

static void
forgotten(struct ublkjob *job)
{
	struct forgetting *f = job->user;
	struct exportdir dir;

	if (job->result < 0 && job->result != -ENXIO && job->result != -ENOENT)
		log_err("disk %s: %s", job->name, job->why);
	else if (exportdir_open(&dir, f->dir) == 0) {
		ublkstate_remove(dir.fd, job->name);
		exportdir_close(&dir);
	}
	f->done(f->user);
	free(f);
}

static void
forget(void *user, int dir, const char *name, const struct ublkstate *s)
{
	const struct forgetting *like = user;
	struct forgetting *f = malloc(sizeof *f);

	(void)dir;
	if (f == NULL)
		return; /* the next process does it */
	*f = *like;
	f->job.number = s->number;
	f->job.tag = s->tag;
	f->job.user = f;
	cut_copy(f->job.name, sizeof f->job.name, name);
	ublkrun(like->job.loop, &f->job);
}

unsigned
ublk_forget(struct loop *loop, const char *dir, void (*done)(void *user), void *user)
{
	struct forgetting like = {
		.job = { .what = UBLKJOB_DELETE, .loop = loop, .done = forgotten },
		.done = done,
		.user = user
	};

	(void)snprintf(like.dir, sizeof like.dir, "%s", dir); /* a path that exists */
	return ublkstate_each(dir, forget, &like);
}
