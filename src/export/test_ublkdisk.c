/* ublk devices: made, ended, and gone on with. */
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "export/loopuse.h"
#include "export/ublktest.h"

/* ---- the device ---- */

static void
a_device_is_written_down_before_it_is_there(void **state)
{
	struct ublktest_place *p = *state;

	ublktest_make(p);
	assert_true(ublktest.was_known);
	assert_true(ublktest_is_left());
	assert_int_equal(ublktest.last[UBLKJOB_START].number, 7);
	assert_int_equal(ublktest.last[UBLKJOB_START].tag, ublktest.last[UBLKJOB_ADD].tag);
	assert_true(ublkjob_is_tag(ublktest.tag));
	assert_int_equal(ublktest.last[UBLKJOB_ADD].size_bytes, UBLKTEST_SIZE);
	ublktest_ask(p, EXPORT_BLOCK_END, false);
	assert_int_equal(p->block.result, 0);
	assert_int_equal(ublktest.last[UBLKJOB_DELETE].tag, ublktest.tag);
	assert_int_equal(ublktest.last[UBLKJOB_DELETE].number, 7);
	assert_false(ublktest_is_left());
}

static void
one_that_is_in_use_stays_and_is_served(void **state)
{
	struct ublktest_place *p = *state;

	ublktest_make(p);
	ublktest.result[UBLKJOB_STOP] = -EBUSY;
	ublktest_ask(p, EXPORT_BLOCK_END, false);
	assert_true(p->is_done);
	assert_int_equal(p->block.result, -EBUSY);
	assert_int_equal(ublktest.jobs[UBLKJOB_DELETE], 0);
	assert_int_equal(ublktest_answered(p, 0, UBLK_IO_OP_READ, 0, 512), 512);
	assert_int_equal(ublk_export.openers(p->ex, &p->dev->dev), 1);
	ublktest.result[UBLKJOB_STOP] = 0;
}

static void
one_that_stays_behind_is_known_to_the_next_process(void **state)
{
	struct ublktest_place *p = *state;

	ublktest_make(p);
	ublktest.result[UBLKJOB_DELETE] = -EPIPE;
	ublktest_ask(p, EXPORT_BLOCK_END, true);
	assert_true(ublktest_is_left());
	ublktest.result[UBLKJOB_DELETE] = 0;
	ublkstate_remove(open(ublktest_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC), UBLKTEST_NAME);
}

static void
a_unit_that_is_taken_away_fails_all_at_once_and_once(void **state)
{
	struct ublktest_place *p = *state;

	ublktest_make(p);
	p->dev->hold = true;
	for (unsigned i = 0; i < 40; i++)
		ublktest_request(i, UBLK_IO_OP_WRITE, 0, 1u << 20);
	assert_int_equal(ublk_export.remove(p->ex, &p->dev->dev, false), -EBUSY);
	ublktest.hold = true;
	assert_int_equal(ublk_export.remove(p->ex, &p->dev->dev, true), 0);
	for (unsigned i = 0; i < 40; i++)
		assert_int_equal(ublktest.answers[i], -EIO);
	assert_int_equal(ublktest_answered(p, 0, UBLK_IO_OP_WRITE, 0, 512), -EIO);
	assert_int_equal(ublktest_answered(p, 1, UBLK_IO_OP_FLUSH, 0, 0), -EIO);
	memdev_release(p->dev); /* what comes now nobody waits for */
	ublktest_let_jobs_go();
	ublktest_turns(p);
	assert_int_equal(ublktest.jobs[UBLKJOB_DELETE], 1);
	assert_true(ublktest.last[UBLKJOB_STOP].is_forced);
	assert_false(ublktest_is_left());
	/* Another of that name. */
	assert_int_equal(ublk_export.add(p->ex, &p->dev->dev), 0);
	ublktest_ask(p, EXPORT_BLOCK_MAKE, false);
	assert_int_equal(p->block.result, 0);
}

static void
a_new_one_waits_for_the_end_of_its_predecessor(void **state)
{
	struct ublktest_place *p = *state;

	ublktest_make(p);
	ublktest.hold = true;
	assert_int_equal(ublk_export.remove(p->ex, &p->dev->dev, true), 0);
	assert_int_equal(ublk_export.add(p->ex, &p->dev->dev), 0);
	ublktest_ask(p, EXPORT_BLOCK_MAKE, false);
	assert_false(p->is_done);
	assert_int_equal(ublktest.jobs[UBLKJOB_ADD], 1);
	ublktest_let_jobs_go();
	ublktest_turns(p);
	assert_true(p->is_done && p->block.result == 0);
	assert_int_equal(ublktest.jobs[UBLKJOB_ADD], 2);
	assert_int_equal(ublktest.jobs[UBLKJOB_DELETE], 1);
	assert_true(ublktest_is_left());
}

static void
one_that_cannot_be_made_is_told_and_leaves_nothing(void **state)
{
	struct ublktest_place *p = *state;

	ublktest_begin(p);
	ublktest.result[UBLKJOB_ADD] = -ENOMEM;
	ublktest_ask(p, EXPORT_BLOCK_MAKE, false);
	assert_int_equal(p->block.result, -ENOMEM);
	assert_true(p->block.why[0] != '\0');
	assert_false(ublktest_is_left());
	ublktest.result[UBLKJOB_ADD] = 0;
	ublktest.result[UBLKJOB_START] = -EINVAL;
	ublktest_ask(p, EXPORT_BLOCK_MAKE, false);
	assert_int_equal(p->block.result, -EINVAL);
	assert_false(ublktest_is_left());
	ublktest.result[UBLKJOB_START] = 0;
	ublktest_ask(p, EXPORT_BLOCK_MAKE, false);
	assert_int_equal(p->block.result, 0);
}

static void
a_new_size_is_told_to_the_kernel(void **state)
{
	struct ublktest_place *p = *state;

	ublktest_make(p);
	p->dev->dev.size_bytes = UBLKTEST_SIZE / 2;
	p->dev->dev.read_only = true;
	ublk_export.changed(p->ex, &p->dev->dev);
	ublktest_turns(p);
	assert_int_equal(ublktest.jobs[UBLKJOB_CHANGE], 1);
	assert_int_equal(ublktest.last[UBLKJOB_CHANGE].size_bytes, UBLKTEST_SIZE / 2);
	assert_true(ublktest.last[UBLKJOB_CHANGE].is_read_only);
	assert_int_equal(ublktest_answered(p, 0, UBLK_IO_OP_READ, UBLKTEST_SIZE / 2, 512), -EIO);
	p->dev->dev.size_bytes = UBLKTEST_SIZE;
}

static void
one_that_somebody_stopped_is_made_anew(void **state)
{
	struct ublktest_place *p = *state;

	ublktest_make(p);
	ublktest_give_slots_back();
	ublktest_turns(p);
	assert_int_equal(p->gone, 1);
	assert_int_equal(p->back, 1);
	assert_int_equal(ublktest.jobs[UBLKJOB_DELETE], 1);
	ublktest_ask(p, EXPORT_BLOCK_MAKE, false);
	assert_int_equal(p->block.result, 0);
	assert_int_equal(ublktest.jobs[UBLKJOB_ADD], 2);
}

/* ---- what another process left ---- */

static uint64_t
leave(const char *name, int number, bool had_loss)
{
	const struct ublkstate s = { .tag = ublkjob_tag(), .number = number, .had_loss = had_loss };
	int fd;

	(void)mkdir(ublktest_dir, 0700);
	fd = open(ublktest_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(ublkstate_write(fd, name, &s), 0);
	close(fd);
	return s.tag;
}

static void
go_on(struct ublktest_place *p)
{
	assert_int_equal(
	    ublk_export.take_over(p->loop, ublktest_dir, NULL, &ublktest_events, p, &p->ex), 0);
	assert_true(p->is_started && p->err == 0);
	ublktest_turns(p);
}

static void
one_that_was_left_waits_for_its_unit_and_goes_on(void **state)
{
	struct ublktest_place *p = *state;
	uint64_t tag = leave(UBLKTEST_NAME, 7, true);

	go_on(p);
	assert_int_equal(ublktest.jobs[UBLKJOB_RECOVER], 0);
	assert_int_equal(ublk_export.awaited(p->ex, UBLKTEST_NAME), 1);
	assert_int_equal(ublk_export.awaited(p->ex, "c0t0d2"), -1);
	assert_true(ublk_export.had_loss(p->ex, UBLKTEST_NAME));
	assert_int_equal(ublk_export.add(p->ex, &p->dev->dev), 0);
	assert_int_equal(ublk_export.awaited(p->ex, UBLKTEST_NAME), -1);
	ublktest_turns(p); /* nobody has to ask for it: its users wait */
	assert_int_equal(ublktest.last[UBLKJOB_RECOVER].tag, tag);
	assert_int_equal(ublktest.last[UBLKJOB_RECOVER].number, 7);
	assert_true(ublktest.last[UBLKJOB_START].is_recovery);
	assert_int_equal(ublktest.jobs[UBLKJOB_ADD], 0);
	assert_int_equal(ublktest.jobs[UBLKJOB_CHANGE], 1); /* it may have another size by now */
	ublktest_ask(p, EXPORT_BLOCK_MAKE, false);
	assert_int_equal(p->block.result, 0);
	assert_int_equal(ublktest_answered(p, 0, UBLK_IO_OP_READ, 0, 512), 512);
}

static void
one_that_is_not_admitted_is_deleted(void **state)
{
	struct ublktest_place *p = *state;
	uint64_t tag = leave(UBLKTEST_NAME, UBLK_ANY, false);

	(void)leave("c0t0d2", 8, false);
	go_on(p);
	ublk_export.give_up(p->ex, UBLKTEST_NAME);
	assert_int_equal(ublk_export.add(p->ex, &p->dev->dev), 0);
	ublktest_ask(p, EXPORT_BLOCK_MAKE, false);
	assert_int_equal(ublktest.jobs[UBLKJOB_RECOVER], 0);
	assert_int_equal(ublktest.last[UBLKJOB_DELETE].tag, tag);
	assert_int_equal(ublktest.last[UBLKJOB_DELETE].number, UBLK_ANY);
	assert_int_equal(p->block.result, 0);
	assert_true(ublktest.last[UBLKJOB_ADD].tag != tag);
	/* Another one waits on for its own unit. */
	assert_int_equal(ublk_export.awaited(p->ex, "c0t0d2"), 1);
	assert_int_equal(ublktest.jobs[UBLKJOB_DELETE], 1);
}

static void
those_that_do_not_come_in_time_are_deleted(void **state)
{
	struct ublktest_place *p = *state;

	leave(UBLKTEST_NAME, 7, false);
	leave("c0t0d2", 8, false);
	go_on(p);
	assert_int_equal(ublk_export.add(p->ex, &p->dev->dev), 0);
	ublktest_turns(p);
	ublk_export.overdue(p->ex);
	ublktest_turns(p);
	assert_int_equal(ublktest.jobs[UBLKJOB_DELETE], 1);
	assert_int_equal(ublktest.last[UBLKJOB_DELETE].number, 8);
	assert_int_equal(ublktest.jobs[UBLKJOB_RECOVER], 1);
}

static void
one_that_cannot_be_recovered_is_deleted_and_can_be_made_anew(void **state)
{
	struct ublktest_place *p = *state;

	leave(UBLKTEST_NAME, 7, false);
	ublktest.result[UBLKJOB_RECOVER] = -ENXIO;
	go_on(p);
	assert_int_equal(ublk_export.add(p->ex, &p->dev->dev), 0);
	ublktest_turns(p);
	assert_int_equal(ublktest.jobs[UBLKJOB_DELETE], 1);
	ublktest_ask(p, EXPORT_BLOCK_MAKE, false);
	assert_int_equal(p->block.result, 0);
	assert_int_equal(ublktest.jobs[UBLKJOB_ADD], 1);
}

static void
a_loss_is_kept_for_the_next_process(void **state)
{
	struct ublktest_place *p = *state;
	struct ublkstate s;
	int fd;

	ublktest_make(p);
	ublk_export.loss(p->ex, &p->dev->dev, true);
	fd = open(ublktest_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(ublkstate_read(fd, UBLKTEST_NAME, &s));
	assert_true(s.had_loss && s.number == 7);
	close(fd);
}

/* ---- its file ---- */

static bool
is_named(int dir, const char *file, const char *line)
{
	char text[64];
	int fd = openat(dir, file, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd >= 0 ? read(fd, text, sizeof text - 1) : -1;

	if (fd >= 0)
		close(fd);
	text[n < 0 ? 0 : n] = '\0';
	return n >= 0 && strcmp(text, line) == 0;
}

static void
udev_finds_the_disk_by_its_devices_number(void **state)
{
	struct ublktest_place *p = *state;
	struct ublkstate s;
	int dir;

	ublktest_make(p);
	dir = open(ublktest_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(is_named(dir, ".ublkb7", UBLKTEST_NAME "\n"));
	assert_true(ublkstate_read(dir, UBLKTEST_NAME, &s));
	s.number = 8;
	assert_int_equal(ublkstate_write(dir, UBLKTEST_NAME, &s), 0);
	assert_int_equal(faccessat(dir, ".ublkb7", F_OK, 0), -1);
	assert_true(is_named(dir, ".ublkb8", UBLKTEST_NAME "\n"));
	ublkstate_remove(dir, UBLKTEST_NAME);
	assert_int_equal(faccessat(dir, ".ublkb8", F_OK, 0), -1);
	close(dir);
}

static void
what_is_damaged_or_foreign_is_not_read(void **state)
{
	uint8_t bytes[32], was;
	struct ublkstate s;
	int d, fd;

	(void)state;
	leave("c9t9d9", 5, false);
	d = open(ublktest_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	fd = openat(d, "c9t9d9", O_RDWR | O_CLOEXEC);
	assert_int_equal(pread(fd, bytes, sizeof bytes, 0), sizeof bytes);
	for (unsigned i = 0; i < 12; i++) { /* what it is, and its version */
		was = bytes[i];
		bytes[i] ^= 0x40;
		assert_int_equal(pwrite(fd, bytes, sizeof bytes, 0), sizeof bytes);
		assert_false(ublkstate_read(d, "c9t9d9", &s));
		bytes[i] = was;
	}
	assert_int_equal(pwrite(fd, bytes, sizeof bytes, 0), sizeof bytes);
	assert_true(ublkstate_read(d, "c9t9d9", &s));
	assert_int_equal(s.number, 5);
	bytes[23] ^= 1; /* the mark of a tag */
	assert_int_equal(pwrite(fd, bytes, sizeof bytes, 0), sizeof bytes);
	assert_false(ublkstate_read(d, "c9t9d9", &s));
	assert_int_equal(ftruncate(fd, 31), 0);
	assert_false(ublkstate_read(d, "c9t9d9", &s));
	ublkstate_remove(d, "c9t9d9");
	assert_int_equal(symlinkat("/etc/passwd", d, "c9t9d9"), 0);
	assert_false(ublkstate_read(d, "c9t9d9", &s));
	assert_true(ublkstate_write(d, "c9t9d9", &s) < 0);
	ublkstate_remove(d, "c9t9d9");
	close(fd);
	close(d);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		UBLKTEST_CASE(a_device_is_written_down_before_it_is_there),
		UBLKTEST_CASE(one_that_is_in_use_stays_and_is_served),
		UBLKTEST_CASE(one_that_stays_behind_is_known_to_the_next_process),
		UBLKTEST_CASE(a_unit_that_is_taken_away_fails_all_at_once_and_once),
		UBLKTEST_CASE(a_new_one_waits_for_the_end_of_its_predecessor),
		UBLKTEST_CASE(one_that_cannot_be_made_is_told_and_leaves_nothing),
		UBLKTEST_CASE(a_new_size_is_told_to_the_kernel),
		UBLKTEST_CASE(one_that_somebody_stopped_is_made_anew),
		UBLKTEST_CASE(one_that_was_left_waits_for_its_unit_and_goes_on),
		UBLKTEST_CASE(one_that_is_not_admitted_is_deleted),
		UBLKTEST_CASE(those_that_do_not_come_in_time_are_deleted),
		UBLKTEST_CASE(one_that_cannot_be_recovered_is_deleted_and_can_be_made_anew),
		UBLKTEST_CASE(a_loss_is_kept_for_the_next_process),
		UBLKTEST_CASE(udev_finds_the_disk_by_its_devices_number),
		UBLKTEST_CASE(what_is_damaged_or_foreign_is_not_read),
	};

	return ublktest_run("export_ublkdisk", tests, sizeof tests / sizeof tests[0]);
}
