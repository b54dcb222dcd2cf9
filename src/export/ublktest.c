/*
 * The exporter "ublk" without a kernel that has it: the ring and the control device are played
 * here, and a file stands for /dev/ublkcN, with the requests at its beginning and their data where
 * the kernel has it.
 */
#include "export/ublktest.h"

#include <sys/mman.h>
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/limits.h"
#include "export/loopuse.h"

#define SIZE                (8u << 20)
#define BLOCK               512u
#define NAME                "c0t0d1"
#define UBLKTEST_UNANSWERED INT32_MIN

/* ---- the kernel ---- */

struct ublktest ublktest;
static char base[] = "/tmp/test_ublk.XXXXXX";
char ublktest_dir[64];

int
ublkring_prepare(unsigned n)
{
	(void)n;
	return 0;
}

bool
ublkring_is_there(void)
{
	return true;
}

int
ublkring_get(struct loop *loop, struct ublkring **ret)
{
	ublktest.loop = loop;
	*ret = (struct ublkring *)&ublktest;
	return 0;
}

void
ublkring_put(struct ublkring *r)
{
	assert_ptr_equal(r, &ublktest);
}

void
ublkring_offer(struct ublkring *r, struct ublkring_slot *s)
{
	assert_ptr_equal(r, &ublktest);
	assert_null(ublktest.slots[s->tag]);
	ublktest.slots[s->tag] = s;
	if (!s->is_answer)
		return;
	assert_int_equal(ublktest.answers[s->tag], UBLKTEST_UNANSWERED); /* once */
	ublktest.answers[s->tag] = s->result;
	ublktest.n_answers++;
}

/* All slots that are offered come back. */
void
ublktest_give_slots_back(void)
{
	for (unsigned i = 0; i < UBLK_DEPTH; i++) {
		struct ublkring_slot *s = ublktest.slots[i];

		ublktest.slots[i] = NULL;
		if (s != NULL)
			s->ready(s, -ENODEV);
	}
}

static void
play_job(struct ublkjob *job)
{
	struct ublkstate s;
	char path[128];
	int fd;

	ublktest.jobs[job->what]++;
	ublktest.last[job->what] = *job;
	job->result = ublktest.result[job->what];
	job->fd = -1;
	(void)snprintf(job->why, sizeof job->why, job->result != 0 ? "it was to fail" : "");
	switch (job->what) {
	case UBLKJOB_ADD:
		(void)snprintf(path, sizeof path, "%s", ublktest_dir);
		fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		ublktest.was_known =
		    ublkstate_read(fd, job->name, &s) && s.tag == job->tag && s.number == UBLK_ANY;
		close(fd);
		ublktest.tag = job->tag;
		/* fallthrough */
	case UBLKJOB_RECOVER:
		if (job->result == 0) {
			job->number = 7;
			job->fd = fcntl(ublktest.file, F_DUPFD_CLOEXEC, 0);
		}
		break;
	case UBLKJOB_STOP:
		if (job->result == 0)
			ublktest_give_slots_back();
		break;
	case UBLKJOB_CHECK:
	case UBLKJOB_PROBE:
	case UBLKJOB_START:
	case UBLKJOB_CHANGE:
	case UBLKJOB_DELETE:
	case UBLKJOB_WHATS:
		break;
	}
}

static void
told(struct loop_msg *m)
{
	struct ublkjob *job = LIST_ENTRY(m, struct ublkjob, msg);

	play_job(job);
	job->done(job);
}

static void
finish(struct ublkjob *job)
{
	job->msg.run = told;
	loop_post(job->loop, &job->msg);
}

void
ublkrun(struct loop *loop, struct ublkjob *job)
{
	job->loop = loop;
	if (ublktest.hold)
		ublktest.held[ublktest.n_held++] = job;
	else
		finish(job);
}

void
ublkrun_now(struct ublkjob *job)
{
	play_job(job);
}

void
ublktest_let_jobs_go(void)
{
	ublktest.hold = false;
	for (unsigned i = 0; i < ublktest.n_held; i++)
		finish(ublktest.held[i]);
	ublktest.n_held = 0;
}

/* ---- the place ---- */

static void
end_turn(struct agenda_work *w)
{
	loop_stop(LIST_ENTRY(w, struct ublktest_place, stop_turn)->loop);
}

/* Until nothing more happens. */
void
ublktest_turns(struct ublktest_place *p)
{
	for (int i = 0; i < 24; i++) {
		agenda_defer(loop_agenda(p->loop), &p->stop_turn);
		assert_int_equal(loop_run(p->loop), 0);
	}
}

static void
started(void *user, int err)
{
	struct ublktest_place *p = user;

	p->is_started = true;
	p->err = err;
}

static void
gone(void *user, struct blk_dev *dev, const char *why)
{
	struct ublktest_place *p = user;

	assert_ptr_equal(dev, &p->dev->dev);
	assert_true(why[0] != '\0');
	p->gone++;
}

static void
back(void *user, struct blk_dev *dev, bool is_new)
{
	struct ublktest_place *p = user;

	assert_ptr_equal(dev, &p->dev->dev);
	assert_true(is_new);
	p->back++;
}

static void
ended(void *user)
{
	((struct ublktest_place *)user)->is_stopped = true;
}

const struct export_events ublktest_events = {
	.started = started, .gone = gone, .back = back, .stopped = ended
};

static void
asked(struct export_block *b)
{
	((struct ublktest_place *)b->user)->is_done = true;
}

void
ublktest_ask(struct ublktest_place *p, enum export_block_what what, bool is_forced)
{
	p->is_done = false;
	p->block =
	    (struct export_block){ .what = what, .is_forced = is_forced, .done = asked, .user = p };
	ublk_export.block(p->ex, &p->dev->dev, &p->block);
	ublktest_turns(p);
}

int
ublktest_setup(void **state)
{
	struct ublktest_place *p = calloc(1, sizeof *p);

	memset(&ublktest, 0, sizeof ublktest);
	for (unsigned i = 0; i < UBLK_DEPTH; i++)
		ublktest.answers[i] = UBLKTEST_UNANSWERED;
	ublktest.file = memfd_create("ublkc7", MFD_CLOEXEC);
	assert_true(ublktest.file >= 0);
	assert_int_equal(ftruncate(ublktest.file, (off_t)UBLKSRV_IO_BUF_OFFSET << 3), 0);
	(void)snprintf(ublktest_dir, sizeof ublktest_dir, "%s/3", base);
	p->loop = loop_new();
	agenda_work_init(&p->stop_turn, end_turn);
	p->dev = memdev_new(p->loop, UBLKTEST_NAME, UBLKTEST_SIZE, BLOCK);
	p->dev->dev.can_discard = p->dev->dev.can_write_zeroes = true;
	*state = p;
	return 0;
}

int
ublktest_teardown(void **state)
{
	struct ublktest_place *p = *state;

	if (p->ex != NULL) {
		ublk_export.stop(p->ex);
		memdev_release(p->dev);
		ublktest_let_jobs_go();
		ublktest_turns(p);
		assert_true(p->is_stopped);
	}
	agenda_cancel(&p->stop_turn);
	memdev_free(p->dev);
	loop_free(p->loop);
	close(ublktest.file);
	free(p);
	return 0;
}

void
ublktest_begin(struct ublktest_place *p)
{
	assert_int_equal(ublk_export.start(p->loop, ublktest_dir, &ublktest_events, p, &p->ex), 0);
	ublktest_turns(p);
	assert_true(p->is_started && p->err == 0);
	assert_int_equal(ublk_export.add(p->ex, &p->dev->dev), 0);
}

void
ublktest_make(struct ublktest_place *p)
{
	ublktest_begin(p);
	ublktest_ask(p, EXPORT_BLOCK_MAKE, false);
	assert_true(p->is_done);
	assert_int_equal(p->block.result, 0);
	assert_int_equal(p->block.number, LOOPUSE_UBLK | 7);
}

off_t
ublktest_data(unsigned tag)
{
	return (off_t)(UBLKSRV_IO_BUF_OFFSET + ((uint64_t)tag << UBLK_TAG_OFF));
}

/* The kernel has a request. */
void
ublktest_request(unsigned tag, uint32_t op, uint64_t offset, uint64_t len)
{
	const struct ublksrv_io_desc d = {
		.op_flags = op, .nr_sectors = (uint32_t)(len >> 9), .start_sector = offset >> 9
	};
	struct ublkring_slot *s = ublktest.slots[tag];

	assert_non_null(s);
	assert_int_equal(pwrite(ublktest.file, &d, sizeof d, (off_t)(tag * sizeof d)), sizeof d);
	ublktest.slots[tag] = NULL;
	ublktest.answers[tag] = UBLKTEST_UNANSWERED;
	s->ready(s, UBLK_IO_RES_OK);
}

int32_t
ublktest_answered(
    struct ublktest_place *p, unsigned tag, uint32_t op, uint64_t offset, uint64_t len)
{
	ublktest_request(tag, op, offset, len);
	ublktest_turns(p);
	return ublktest.answers[tag];
}

void
ublktest_fill(unsigned tag, uint8_t byte, size_t len)
{
	uint8_t *buf = malloc(len);

	memset(buf, byte, len);
	assert_int_equal(pwrite(ublktest.file, buf, len, ublktest_data(tag)), len);
	free(buf);
}

bool
ublktest_is_left(void)
{
	return ublk_has_left(ublktest_dir);
}

int
ublktest_run(const char *name, const struct CMUnitTest *tests, size_t n)
{
	int failed;

	if (mkdtemp(base) == NULL)
		return 1;
	failed = _cmocka_run_group_tests(name, tests, n, NULL, NULL);
	(void)rmdir(ublktest_dir);
	(void)rmdir(base);
	return failed;
}
