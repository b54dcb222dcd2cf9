#include "driver/iscsial/devblock.h"

#include <errno.h>

#include "base/cut.h"
#include "driver/call.h"
#include "driver/iscsi/wanted.h"
#include "export/export.h"

bool
devblock_is(const struct node *n)
{
	return n->export != NULL && n->export->block != NULL;
}

static void
done(void *arg)
{
	struct loopdev_job *job = arg;

	job->done(job);
}

static void
end(struct driver *d, struct loopdev_job *job, int result, const char *why)
{
	job->result = result;
	cut_copy(job->why, sizeof job->why, why);
	call_post(d->loop, done, job);
}

static void
answered(struct question *question)
{
	struct mail_block *q = LIST_ENTRY(question, struct mail_block, base);
	struct loopdev_job *job = question->user;

	job->result = q->result;
	cut_copy(job->why, sizeof job->why, q->why);
	job->path[0] = '\0';
	if (job->result == 0 && job->what == LOOPDEV_ATTACH) {
		job->number = q->number;
		loopuse_path(job->number, job->path);
	}
	question_drop_plain(&question->mail);
	job->done(job);
}

void
devblock_run(struct driver *d, const struct hwpath *path, struct loopdev_job *job)
{
	const struct node *n = tree_find(d->tree, path);
	struct wanted *w = wanted_find(d, path->part[HWPATH_AT_SESSION - 1]);
	struct mail_block *q;

	if (job->what == LOOPDEV_CHANGE || job->what == LOOPDEV_CHECK) {
		end(d, job, 0, "");
		return;
	}
	if (n == NULL || w == NULL) {
		end(d, job, -ENXIO, "the disk is not there any more");
		return;
	}
	q = question_new(sizeof *q, answered, job);
	q->lun = n->lun;
	q->is_end = job->what == LOOPDEV_DETACH;
	q->is_forced = job->is_forced;
	q->is_lost = job->is_lost;
	if (wanted_ask(w, &q->base, &mail_block))
		return;
	question_drop_plain(&q->base.mail);
	end(d, job, -ENXIO, "the disk is not shown any more");
}
