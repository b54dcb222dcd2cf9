/*
 * The statistics of want of memory, which no target can provoke: the n-th
 * allocation of the real units fails, and each row counts its nearest event or
 * says that there is none.
 */
#include <sys/socket.h>

#include <errno.h>
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
#include "core/login.h"
#include "driver/cut.h"
#include "driver/iscsi/nexus.h"
#include "driver/iscsial/bay.h"

#define AT_MOST 32 /* allocations of what is tested; it ends much earlier */

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
	diag_init(&(struct diag_cfg){ .sink = sink });
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

/* ---- a login ---- */

static void
on_online(void *user)
{
	(void)user;
	fail();
}

static void
on_down(void *user, const struct nexus_down *down)
{
	(void)user;
	down_fault = down->fault;
	downs++;
}

static const struct nexus_ops nexus_ops = { .online = on_online, .down = on_down };

static struct nexus *
new_nexus(struct loop *loop, unsigned fail_at)
{
	const struct nexus_cfg cfg = { .label = "session 1", .slots = 4, .account = account };
	struct nexus_login *login = calloc(1, sizeof *login);
	struct nexus *n;

	assert_non_null(login);
	cut_copy(login->initiator_name, sizeof login->initiator_name, "iqn.2026-01.example:i");
	cut_copy(login->target_name, sizeof login->target_name, "iqn.2026-01.example:t");
	login->expected_tpgt = -1;
	for (size_t i = 0; i < TIMER_COUNT; i++)
		login->timers.s[i] = timers_info((enum timer_id)i)->default_s;
	fault_alloc_at(fail_at);
	n = nexus_new(loop, &cfg, login, &nexus_ops, NULL);
	fault_alloc_at(0);
	return n;
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

/* What was deferred is run. */
static void
turn(struct loop *loop)
{
	stopper = (struct stopper){ .msg = { .run = stop_loop }, .loop = loop };
	loop_post(loop, &stopper.msg);
	assert_int_equal(loop_run(loop), 0);
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

static void
a_session_without_memory_is_said_and_counted(void **state)
{
	struct loop *loop = loop_new();
	struct nexus *n = NULL;
	unsigned at;

	(void)state;
	assert_non_null(loop);
	for (at = 1; at < AT_MOST; at++) {
		begin();
		n = new_nexus(loop, at);
		if (n != NULL)
			break;
		check_login(STAT_SWD_CONNECTION_pdu_alloc, DIAG_ISCSI_LOG_PROTOCOL_ALLOC_KEYS_CB);
	}
	/* The nexus, its session, the tasks, the link, the thread's buffer. */
	assert_int_equal(at, 6);
	assert_non_null(n);
	assert_int_equal(sum(), 0);
	assert_int_equal(n_said, 0);
	nexus_free(n);
	loop_free(loop);
}

/* Whether the login began nevertheless: there are not so many allocations. */
static bool
attach(struct loop *loop, unsigned fail_at)
{
	struct nexus *n;
	int fd[2];
	bool is_begun;

	begin();
	n = new_nexus(loop, 0);
	assert_non_null(n);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fd), 0);
	fault_alloc_at(fail_at);
	nexus_attach(n, fd[0], NULL);
	fault_alloc_at(0);
	is_begun = nexus_is_attached(n);
	assert_int_equal(downs, 0); /* never from inside */
	turn(loop);
	assert_int_equal(downs, is_begun ? 0 : 1);
	nexus_free(n);
	close(fd[1]);
	return is_begun;
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
	for (at = 1; at < AT_MOST && !attach(loop, at); at++) {
		assert_true(down_fault.is_set);
		assert_non_null(strstr(down_fault.message,
		    strerror(said == DIAG_ISCSI_LOG_PROTOCOL_ALLOC_KEYS_CB ? ENOMEM : ENOBUFS)));
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
	assert_int_equal(sum(), 0);
	assert_int_equal(n_said, 0);
	assert_int_equal(states, 2);  /* the connection, and the login's keys */
	assert_int_equal(buffers, 3); /* its send arena, and the control requests' buffers */
	loop_free(loop);
}

/* ---- a disk ---- */

static void
nothing_unsent(struct scsi_port *p, const uint8_t lun[8])
{
	(void)p;
	(void)lun;
}

static void
nothing_started(void *user, const struct fault *why)
{
	(void)user;
	(void)why;
}

static void
nothing_stopped(void *user)
{
	(void)user;
}

static struct bay *
show(struct scsi_port *port, const char *export, unsigned fail_at, struct fault *ret_fault)
{
	static const struct bay_ops ops = { .started = nothing_started,
		.stopped = nothing_stopped };
	const struct lun_info info = {
		.number = 1,
		.is_present = true,
		.is_disk = true,
		.is_sized = true,
		.capacity = { .blocks = 100, .bytes = 51200, .block_bytes = 512 },
	};
	struct bay *b;
	bool is_shown;

	begin();
	port->account = account;
	b = bay_new(port, 4, export_find(export), "/nowhere", &ops, NULL);
	assert_non_null(b);
	*ret_fault = (struct fault){ 0 };
	fault_alloc_at(fail_at);
	is_shown = bay_show(b, &info, "c0t0d1", ret_fault);
	fault_alloc_at(0);
	assert_int_equal(is_shown, !ret_fault->is_set);
	assert_int_equal(bay_count(b), is_shown ? 1 : 0);
	return b;
}

static void
end(struct bay *b)
{
	bay_stop(b);
	assert_true(bay_is_idle(b));
	bay_free(b);
}

static void
a_disk_without_memory_is_counted_by_what_lacked(void **state)
{
	static const struct {
		const char *export;
		unsigned at, alloc, streams;
	} t[] = {
		{ "null", 1, 1, 1 }, /* the pool: requests and their buffers */
		{ "null", 2, 0, 1 }, /* the exporter */
		/* 3 is the berth: the driver cannot go on without such small things */
		{ "null", 4, 1, 0 }, /* the disk */
		{ "null", 5, 0, 1 }, /* the exporter's part of it */
		{ "null", 6, 0, 0 }, /* that was all */
		{ "fuse", 2, 0, 1 }, /* the exporter */
		{ "fuse", 3, 0, 1 }, /* its thread's buffers */
	};
	struct scsi_port port = { .loop = loop_new(), .fail_unsent = nothing_unsent };
	struct fault why;

	(void)state;
	assert_non_null(port.loop);
	for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
		struct bay *b = show(&port, t[i].export, t[i].at, &why);

		assert_int_equal(why.is_set, t[i].alloc + t[i].streams > 0);
		assert_int_equal(count(STAT_SWD_CONNECTION_io_alloc), t[i].alloc);
		assert_int_equal(count(STAT_SWD_CONNECTION_io_streams), t[i].streams);
		assert_int_equal(sum(), t[i].alloc + t[i].streams);
		end(b);
	}
	loop_free(port.loop);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_row_that_nothing_counts_says_so),
		cmocka_unit_test(every_row_that_scenarios_leave_to_memory_is_tested_here),
		cmocka_unit_test(a_session_without_memory_is_said_and_counted),
		cmocka_unit_test(a_login_without_memory_is_said_and_counted_by_what_lacked),
		cmocka_unit_test(a_disk_without_memory_is_counted_by_what_lacked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
