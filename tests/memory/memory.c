/*
 * The statistics of want of memory, which no target can provoke: the n-th
 * allocation of the real units fails, and each row counts its nearest event or
 * says that there is none.
 */
#include <sys/socket.h>

#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "../scenario/fault.h"
#include "base/cut.h"
#include "core/login.h"
#include "driver/iscsi/nexus.h"
#include "driver/iscsi/world.h"
#include "driver/iscsial/disks.h"
#include "ini/login_run.h"

#define LIMIT_MS 60000
#define AT_MOST  32 /* allocations of what is tested; it ends much earlier */

/* The rows that exempt.def leaves to this test. */
#define LOGIN 1 /* a login that cannot begin counts it */
#define DISK  2 /* a disk that cannot be shown counts it */
#define NEVER 3 /* nothing can: its description says so */

static const struct {
	enum stat_id id;
	int tested;
} rows[] = {
	{ STAT_TRANSPORT_SESSION_login_alloc, LOGIN },
	{ STAT_SWD_CONNECTION_login_send_alloc, LOGIN },
	{ STAT_SWD_CONNECTION_pdu_alloc, LOGIN },
	{ STAT_SWD_CONNECTION_pdu_streams, LOGIN },
	{ STAT_SWD_CONNECTION_pdu_dup, NEVER },
	{ STAT_SWD_CONNECTION_io_alloc, DISK },
	{ STAT_SWD_CONNECTION_io_streams, DISK },
	{ STAT_SWD_CONNECTION_io_memory, NEVER },
	{ STAT_SWD_CONNECTION_r2t_alloc, NEVER },
	{ STAT_SWD_CONNECTION_concatenation, NEVER },
};
#define ROWS (sizeof rows / sizeof rows[0])

static const struct {
	const char *name, *reason;
} exempt[] = {
#define EXEMPT(kind, name, reason) { #name, reason },
#include "../scenario/exempt.def"
#undef EXEMPT
};

static struct stat_block session, driver;
static struct account account;
static struct diag *diag;
static enum diag_id said;
static char text[256];
static unsigned n_said, downs;
static struct fault down_fault;

static void
sink(void *user, const struct diag_event *ev)
{
	(void)user;
	said = ev->id;
	n_said++;
	(void)snprintf(text, sizeof text, "%s", ev->text);
}

static void
begin(void)
{
	memset(&session, 0, sizeof session);
	memset(&driver, 0, sizeof driver);
	n_said = downs = 0;
	account =
	    (struct account){ .about = { .session = 1 }, .session = &session, .driver = &driver };
	log_init("test", LOG_TO_STDERR, LOG_LVL_PANIC);
	diag_free(diag);
	diag = diag_new(&(struct diag_cfg){ .sink = sink });
	account.about.to = diag;
}

static unsigned
count(enum stat_id id)
{
	return (unsigned)atomic_load(&session.n[id]);
}

/* Of all rows of the table; those that nothing counts are seen to stay zero, too. */
static unsigned
sum(void)
{
	unsigned n = 0;

	for (size_t i = 0; i < ROWS; i++)
		n += count(rows[i].id);
	return n;
}

/* ---- the table ---- */

static void
a_row_that_nothing_counts_says_so(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROWS; i++) {
		const struct stat_info *info = stat_info(rows[i].id);
		bool is_zero = strstr(info->description, "stays zero") != NULL;

		assert_int_equal(info->kind, STAT_KIND_DRIVER);
		assert_int_equal(is_zero, rows[i].tested == NEVER);
	}
}

static void
every_row_that_scenarios_leave_to_memory_is_tested_here(void **state)
{
	size_t n = 0;

	(void)state;
	for (size_t i = 0; i < sizeof exempt / sizeof exempt[0]; i++) {
		const char *id = strrchr(exempt[i].name, '.');
		bool is_here = false;

		if (strstr(exempt[i].reason, "where it makes pools") == NULL)
			continue;
		assert_non_null(id);
		for (size_t k = 0; k < ROWS; k++)
			is_here |= strcmp(stat_info(rows[k].id)->id, id + 1) == 0;
		if (!is_here)
			fail_msg("%s is tested nowhere", exempt[i].name);
		n++;
	}
	assert_int_equal(n, ROWS);
}

/* ---- connections ---- */

/*
 * Nobody answers for the interface driver here, so each question for a
 * connection is refused; this one refuses by handing over a socket whose
 * other end says nothing.  What is allocated from then on is the login's.
 */
static unsigned fail_at;
static int other_end = -1;

void __wrap_isw_refuse_connect(struct mail *m);
void
__wrap_isw_refuse_connect(struct mail *m)
{
	struct isw_connect *c = LIST_ENTRY(m, struct isw_connect, mail);
	int fd[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fd), 0);
	c->fd = fd[0];
	other_end = fd[1];
	fault_alloc_at(fail_at);
}

static void
close_other_end(void)
{
	if (other_end >= 0)
		close(other_end);
	other_end = -1;
}

/* ---- a login ---- */

static void
on_online(void *user)
{
	(void)user;
	fail();
}

static void
on_down(void *user, const struct login_run_down *down)
{
	(void)user;
	down_fault = *fault_kept(down->fault);
	downs++;
}

static const struct login_run_ops run_ops = { .online = on_online, .down = on_down };

static struct settings *
new_settings(void)
{
	struct settings *s = settings_new();

	assert_non_null(s);
	cut_copy(s->initiator_name, sizeof s->initiator_name, "iqn.2026-01.example:i");
	return s;
}

static struct stopper {
	struct loop_msg msg;
	struct loop *loop;
} stopper;

static void
stop_loop(struct loop_msg *m)
{
	(void)m;
	loop_stop(stopper.loop);
}

/* What was posted and deferred is run, and what came of it. */
static void
turn(struct loop *loop)
{
	for (int i = 0; i < 4; i++) {
		stopper = (struct stopper){ .msg = { .run = stop_loop }, .loop = loop };
		loop_post(loop, &stopper.msg);
		assert_int_equal(loop_run(loop), 0);
	}
}

/* Counted once in each row of a login, and said once. */
static void
check_login(enum stat_id pdu, enum diag_id id)
{
	assert_int_equal(count(STAT_TRANSPORT_SESSION_login_alloc), 1);
	assert_int_equal(count(STAT_SWD_CONNECTION_login_send_alloc), 1);
	assert_int_equal(count(pdu), 1);
	assert_int_equal(sum(), 3);
	assert_int_equal(atomic_load(&driver.n[STAT_SWD_GLOBAL_closes]), 1);
	assert_int_equal(n_said, 1);
	assert_int_equal(said, id);
}

/* Whether the login began nevertheless: there are not so many allocations. */
static bool
try_login(struct loop *loop, unsigned at)
{
	struct tapping tapping = { 0 };
	const struct world_thread thread = { loop, mailbox_new(loop), { mailbox_new(loop), 0, 1 },
		NULL, &tapping };
	const struct portal_address to = { .host = "192.0.2.1", .port = 3260, .tpgt = -1 };
	struct settings *settings = new_settings();
	struct login_run_cfg cfg = {
		.label = "session 1", .target = "iqn.2026-01.example:t", .slots = 4, .ops = &run_ops
	};
	struct ini_counts counts = { 0 };
	struct iscsi_world world;
	struct login_run *run;

	tapping_init(&tapping, loop);
	begin();
	world_init(&world, &thread, &account);
	cfg.world = &world.world;
	run = login_run_new(&cfg, &counts);
	assert_non_null(run);
	fail_at = at;
	login_run_start(run, &to, settings);
	turn(loop);
	fault_alloc_at(0);
	login_run_free(run);
	turn(loop);
	close_other_end();
	settings_free(settings);
	mailbox_free(thread.box);
	mailbox_free(thread.isw.box);
	return downs == 0;
}

static void
a_login_without_memory_is_said_and_counted_by_what_lacked(void **state)
{
	struct loop *loop = loop_new();
	unsigned at, states = 0, buffers = 0;
	char size[32];

	(void)state;
	assert_non_null(loop);
	(void)snprintf(size, sizeof size, "%zu", login_bytes());
	for (at = 1; at < AT_MOST && !try_login(loop, at); at++) {
		assert_true(down_fault.is_set);
		if (said == DIAG_ISCSI_LOG_PROTOCOL_ALLOC_KEYS_CB) {
			check_login(STAT_SWD_CONNECTION_pdu_alloc, said);
			assert_non_null(strstr(text, size));
			states++;
		} else {
			check_login(STAT_SWD_CONNECTION_pdu_streams,
			    DIAG_ISCSI_LOG_PROTOCOL_ALLOC_ACROSS_FAIL);
			buffers++;
		}
	}
	assert_in_range(at, 2, AT_MOST - 1);
	assert_int_equal(n_said, 0);
	assert_int_equal(states, 4); /* the link and its buffer, the connection, the login's keys */
	assert_int_equal(buffers, 1); /* for the payload of control PDUs */
	loop_free(loop);
}

/* ---- a disk ---- */

struct place {
	struct loop *loop;
	struct mailbox *box;
	struct mail_slot slot;
	struct iothread *iothread;
	struct disks_cfg cfg;
};

static void
place_init(struct place *p, const char *export)
{
	struct worker *worker = worker_new("test", -1);
	struct iothread_cfg cfg = { .worker = worker, .stats = &driver, .ops = &disks_ops };

	begin();
	*p = (struct place){ .loop = loop_new(), .cfg = { export_find(export), "/nowhere" } };
	p->box = mailbox_new(p->loop);
	assert_non_null(p->box);
	mailbox_open(p->box, &p->slot, MAIL_ID_IOTHREAD, 1, p);
	cfg.isw = (struct mail_address){ p->box, 0, 1 };
	cfg.ops_cfg = &p->cfg;
	p->iothread = iothread_new(&cfg);
	assert_non_null(p->iothread);
}

static void
answered(struct question *q)
{
	struct place *p = q->user;

	loop_stop(p->loop);
}

static void
ignored(struct question *q)
{
	free(q);
}

static void
ask(struct place *p, struct question *q, const struct mail_kind *kind)
{
	const struct mail_address to = { p->iothread->thread.box, 1, 1 };

	mail_ask(&q->mail, kind, &to, &p->slot.at);
	assert_int_equal(loop_run(p->loop), 0);
}

static void
open_nexus(struct place *p)
{
	struct mail_begin *m = calloc(1, sizeof *m);
	struct mail_open *q = question_new(sizeof *q, ignored, NULL);

	assert_non_null(m);
	m->cfg = (struct nexus_cfg){ .instance = 1,
		.target = "iqn.2026-01.example:t",
		.at = { .host = "192.0.2.1", .port = 3260, .tpgt = -1 },
		.settings = new_settings(),
		.stats = &session,
		.wanted = { p->box, 1, 1 } };
	mail_tell(&m->mail, &mail_begin, &p->iothread->slot.at);
	/* Its answer comes when the session ends: what is asked next finds it trying. */
	mail_ask(&q->base.mail, &mail_open, &(struct mail_address){ p->iothread->thread.box, 1, 1 },
	    &p->slot.at);
}

/* Whoever asks is answered after what came before. */
static void
take_turn(struct place *p)
{
	struct mail_trace *q = question_new(sizeof *q, answered, p);

	ask(p, &q->base, &mail_trace);
	free(q);
}

/* It has a connection, and waits for the answer to its login: nothing more is allocated by itself.
 */
static void
settle(struct place *p)
{
	struct pollfd login = { .events = POLLIN };

	while (other_end < 0)
		take_turn(p);
	login.fd = other_end;
	assert_int_equal(poll(&login, 1, LIMIT_MS), 1);
	take_turn(p); /* the end of the one that sent it */
}

/* Shows a disk; the n-th allocation of that fails. */
static void
show(struct place *p, unsigned at, struct fault *ret_fault)
{
	struct mail_show *q = question_new(sizeof *q, answered, p);
	struct lu_info *info;

	q->rows = calloc(1, sizeof *q->rows);
	assert_non_null(q->rows);
	q->n = 1;
	info = &q->rows[0].info;
	info->number = 1;
	info->answer = LU_SOMEBODY;
	info->is_disk = info->is_sized = true;
	info->capacity.blocks = 100;
	info->capacity.bytes = 51200;
	info->capacity.block_bytes = 512;
	cut_copy(q->rows[0].name, sizeof q->rows[0].name, "c0t0d1");
	fault_alloc_at(at);
	ask(p, &q->base, &mail_show);
	fault_alloc_at(0);
	*ret_fault = q->rows[0].fault;
	disks_drop_show(&q->base.mail);
}

static void
close_nexus(struct place *p)
{
	struct mail_close *q = question_new(sizeof *q, answered, p);

	q->is_last = true;
	ask(p, &q->base, &mail_close);
	free(q);
	turn(p->loop);
	close_other_end();
	assert_true(iothread_stop(p->iothread));
	iothread_free(p->iothread);
	mailbox_close(&p->slot);
	mailbox_free(p->box);
	loop_free(p->loop);
}

static void
a_disk_without_memory_is_counted_by_what_lacked(void **state)
{
	static const struct {
		const char *export;
		unsigned at, alloc, streams;
	} t[] = {
		{ "null", 1, 0, 1 }, /* the exporter */
		/* 2 is the disk's own: the driver cannot go on without such small things */
		{ "null", 3, 1, 0 }, /* the unit */
		{ "null", 4, 1, 0 }, /* what it is called */
		{ "null", 5, 1, 0 }, /* its path */
		{ "null", 6, 0, 1 }, /* the exporter's part of it */
		/* 7 is its note, as 2 */
		{ "null", 8, 0, 0 }, /* that was all */
		{ "fuse", 1, 0, 1 }, /* the exporter */
		{ "fuse", 2, 0, 1 }, /* its thread's buffers */
	};
	struct fault why;

	(void)state;
	fail_at = 0;
	for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
		struct place p;

		place_init(&p, t[i].export);
		open_nexus(&p);
		settle(&p);
		show(&p, t[i].at, &why);
		assert_int_equal(why.is_set, t[i].alloc + t[i].streams > 0);
		assert_int_equal(count(STAT_SWD_CONNECTION_io_alloc), t[i].alloc);
		assert_int_equal(count(STAT_SWD_CONNECTION_io_streams), t[i].streams);
		close_nexus(&p);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_row_that_nothing_counts_says_so),
		cmocka_unit_test(every_row_that_scenarios_leave_to_memory_is_tested_here),
		cmocka_unit_test(a_login_without_memory_is_said_and_counted_by_what_lacked),
		cmocka_unit_test(a_disk_without_memory_is_counted_by_what_lacked),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	diag_free(diag);
	return failed;
}
