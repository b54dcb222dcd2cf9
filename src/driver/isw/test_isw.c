/* The interface driver's thread with an iswd that the test plays itself. */
#include <sys/socket.h>

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cut.h"
#include "driver/call.h"
#include "driver/isw/isw.h"
#include "ipc/helper.h"

#define MANY 12

struct place {
	char dir[32], path[ISW_DAEMONS][64];
	struct loop *loop;
	struct mailbox *box;
	struct mail_slot slot;
	struct isw *isw;
	struct helper_client *iswd;
	bool is_iswd_there;
	int listener; /* where the test's iswd connects to */
	struct sockaddr_in at;
	struct helper_call *out[MANY]; /* asked of iswd, in order; n_out of them are not answered */
	unsigned n_out, n_asked;
	bool at_once; /* iswd answers every question with a connection */
	unsigned asks, good, failed, cancelled;
};

static void
connected(void *owner, struct mail *m)
{
	struct place *p = owner;
	struct isw_connect *c = LIST_ENTRY(m, struct isw_connect, mail);

	p->good += c->fd >= 0;
	p->cancelled += c->fd < 0 && c->err == -ECANCELED;
	p->failed += c->fd < 0 && c->err != -ECANCELED;
	assert_int_equal(c->fault.is_set, c->fd < 0);
	isw_drop_connect(m);
	loop_stop(p->loop);
}

static const struct mail_kind connecting = { "connect", isw_take_connect, isw_refuse_connect,
	connected, isw_drop_connect };
static const struct mail_kind cancelling = {
	.name = "cancel", .take = isw_take_cancel, .drop = isw_drop_cancel
};

static void
answer_good(struct place *p)
{
	struct helper_call *call = p->out[0];
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(p->n_out > 0 && fd >= 0);
	memmove(p->out, p->out + 1, --p->n_out * sizeof p->out[0]);
	assert_int_equal(connect(fd, (const void *)&p->at, sizeof p->at), 0);
	assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
	helper_call_reply(
	    call, json_pack("{s:s, s:s}", "local", "127.0.0.1:1", "peer", "127.0.0.1:2"), fd);
}

static void
not_wanted(void *user, struct helper_call *call)
{
	struct place *p = user;

	for (unsigned i = 0; i < p->n_out; i++)
		if (p->out[i] == call) {
			memmove(p->out + i, p->out + i + 1, (p->n_out - i - 1) * sizeof p->out[0]);
			p->n_out--;
			helper_call_error(call, -ECANCELED, "cancelled");
			return;
		}
}

static void
asked(void *user, struct helper_call *call)
{
	struct place *p = user;

	assert_string_equal(helper_call_op(call), "connect");
	assert_true(p->n_out < MANY);
	helper_call_on_cancel(call, not_wanted, p);
	p->out[p->n_out++] = call;
	p->n_asked++;
	assert_true(p->n_out <= ISW_CONNECTS_MAX + 1); /* of two addresses, in one test */
	if (p->at_once)
		answer_good(p);
	loop_stop(p->loop);
}

static void
came(void *user, bool is_connected)
{
	struct place *p = user;

	if (is_connected)
		loop_stop(p->loop);
	p->is_iswd_there = is_connected;
}

static int
setup(void **state)
{
	static const char *const names[ISW_DAEMONS] = { "iswd", "iscsi_resolvd", "iradd" };
	static struct stat_block stats;
	struct place *p = calloc(1, sizeof *p);
	struct isw_cfg cfg = { .stats = &stats };
	socklen_t len = sizeof p->at;
	struct fault why = { 0 };

	assert_non_null(p);
	cut_copy(p->dir, sizeof p->dir, "/tmp/oisw.XXXXXX");
	assert_non_null(mkdtemp(p->dir));
	p->at =
	    (struct sockaddr_in){ .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	p->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(p->listener, (const void *)&p->at, sizeof p->at), 0);
	assert_int_equal(getsockname(p->listener, (void *)&p->at, &len), 0);
	assert_int_equal(listen(p->listener, MANY), 0);
	p->loop = loop_new();
	p->box = mailbox_new(p->loop);
	assert_non_null(p->box);
	mailbox_open(p->box, &p->slot, 7, 1, p);
	for (int i = 0; i < ISW_DAEMONS; i++) {
		(void)snprintf(p->path[i], sizeof p->path[i], "%s/%s.sock", p->dir, names[i]);
		cfg.daemon[i].name = names[i];
		cfg.daemon[i].path = p->path[i];
		cfg.daemon[i].pid = "/nowhere"; /* it is our own user's */
	}
	p->isw = isw_new(&cfg, &why);
	if (p->isw == NULL)
		fail_msg("%s", why.message);
	assert_int_equal(
	    helper_client_new(p->loop, p->path[ISW_ISWD], "iswd", asked, came, p, &p->iswd), 0);
	if (!p->is_iswd_there)
		assert_int_equal(loop_run(p->loop), 0);
	*state = p;
	return 0;
}

static int
teardown(void **state)
{
	struct place *p = *state;

	isw_free(p->isw);
	/* Whatever was asked is answered, also by an interface driver that ends. */
	while (p->good + p->failed + p->cancelled < p->asks)
		assert_int_equal(loop_run(p->loop), 0);
	while (p->n_out > 0)
		answer_good(p);
	helper_client_free(p->iswd);
	close(p->listener);
	mailbox_close(&p->slot);
	mailbox_free(p->box);
	loop_free(p->loop);
	for (int i = 0; i < ISW_DAEMONS; i++)
		(void)unlink(p->path[i]); /* isw_free() has done it */
	(void)rmdir(p->dir);
	free(p);
	return 0;
}

static void
ask(struct place *p, const char *host)
{
	struct isw_connect *c = call_alloc(sizeof *c);

	p->asks++;
	cut_copy(c->to.host, sizeof c->to.host, host);
	c->to.port = 3260;
	c->timeout_ms = 30000;
	mail_ask(&c->mail, &connecting, isw_address(p->isw), &p->slot.at);
}

/* Until so many were answered, and so many are asked of iswd and not answered. */
static void
run(struct place *p, unsigned answers, unsigned out)
{
	while (p->good + p->failed + p->cancelled < answers || p->n_out != out)
		assert_int_equal(loop_run(p->loop), 0);
	assert_int_equal(p->good + p->failed + p->cancelled, answers);
}

static void
no_more_than_four_at_once_go_to_one_address(void **state)
{
	struct place *p = *state;

	for (unsigned i = 0; i < MANY; i++)
		ask(p, "192.0.2.1");
	run(p, 0, ISW_CONNECTS_MAX);
	assert_int_equal(p->n_asked, ISW_CONNECTS_MAX);
	for (unsigned i = 1; i <= MANY; i++) {
		answer_good(p);
		run(p, i, MANY - i < ISW_CONNECTS_MAX ? MANY - i : ISW_CONNECTS_MAX);
	}
	assert_int_equal(p->good, MANY);
}

static void
another_address_does_not_wait(void **state)
{
	struct place *p = *state;

	for (unsigned i = 0; i < MANY - 1; i++)
		ask(p, "192.0.2.1");
	ask(p, "192.0.2.2");
	run(p, 0, ISW_CONNECTS_MAX + 1);
	p->at_once = true;
	while (p->n_out > 0)
		answer_good(p);
	run(p, MANY, 0);
	assert_int_equal(p->good, MANY);
}

static void
those_that_wait_share_the_failure_of_the_one_before(void **state)
{
	struct place *p = *state;
	struct helper_call *call;

	for (unsigned i = 0; i < MANY; i++)
		ask(p, "192.0.2.1");
	run(p, 0, ISW_CONNECTS_MAX);
	call = p->out[0];
	assert_non_null(call);
	memmove(p->out, p->out + 1, --p->n_out * sizeof p->out[0]);
	helper_call_error(call, -ECONNREFUSED, "refused");
	run(p, MANY - ISW_CONNECTS_MAX + 1, ISW_CONNECTS_MAX - 1);
	assert_int_equal(p->failed, MANY - ISW_CONNECTS_MAX + 1);
	assert_int_equal(p->n_asked, ISW_CONNECTS_MAX);
}

static void
what_is_not_wanted_any_more_is_answered_at_once(void **state)
{
	struct place *p = *state;
	struct isw_cancel *x = call_alloc(sizeof *x);

	for (unsigned i = 0; i < MANY; i++)
		ask(p, "192.0.2.1");
	run(p, 0, ISW_CONNECTS_MAX);
	x->asker = p->slot.at;
	mail_tell(&x->mail, &cancelling, isw_address(p->isw));
	run(p, MANY, 0);
	assert_int_equal(p->cancelled, MANY);
}

/* ---- what iradd has counted ---- */

struct counting {
	struct isw_counters q; /* first: freed as one */
	struct place *p;
	bool is_answered;
};

static void
told(struct question *q)
{
	struct counting *c = LIST_ENTRY(q, struct counting, q.base);

	c->is_answered = true;
	loop_stop(c->p->loop);
}

static const struct mail_kind counters = { "counters", isw_take_counters, isw_refuse_counters,
	question_done, isw_drop_counters };

static struct counting *
ask_counters(struct place *p)
{
	struct counting *c = question_new(sizeof *c, told, NULL);

	c->p = p;
	mail_ask(&c->q.base.mail, &counters, isw_address(p->isw), &p->slot.at);
	return c;
}

static void
wait_counters(struct place *p, const struct counting *c)
{
	while (!c->is_answered)
		assert_int_equal(loop_run(p->loop), 0);
}

/* It says all that it should not. */
static void
iradd_asked(void *user, struct helper_call *call)
{
	json_t *o = json_pack("{s:i, s:s, s:{s:i}, s:[i], s:f, s:n}", "asked", 3, "secret", "x",
	    "object", "a", 1, "list", 2, "real", 1.5, "null");
	char name[16];

	(void)user;
	assert_string_equal(helper_call_op(call), "statistics");
	for (int i = 0; i < 500; i++) {
		(void)snprintf(name, sizeof name, "n%d", i);
		assert_int_equal(json_object_set_new(o, name, json_integer(i)), 0);
	}
	helper_call_reply(call, o, -1);
}

static void
iradd_hangs(void *user, struct helper_call *call)
{
	struct place *p = user;

	p->out[p->n_out++] = call;
	loop_stop(p->loop);
}

static void
of_what_iradd_says_only_numbers_go_on_and_not_too_many(void **state)
{
	struct place *p = *state;
	struct helper_client *iradd;
	struct counting *c = ask_counters(p);
	const char *name;
	json_t *value;

	wait_counters(p, c);
	assert_false(c->q.is_running);
	assert_null(c->q.counters);
	assert_int_equal(c->q.err, 0);
	isw_drop_counters(&c->q.base.mail);
	assert_int_equal(
	    helper_client_new(p->loop, p->path[ISW_IRADD], "iradd", iradd_asked, NULL, p, &iradd),
	    0);
	/* It is there when the interface driver has seen it. */
	for (c = NULL; c == NULL || !c->q.is_running;) {
		if (c != NULL)
			isw_drop_counters(&c->q.base.mail);
		c = ask_counters(p);
		wait_counters(p, c);
	}
	assert_int_equal(c->q.err, 0);
	assert_in_range(json_object_size(c->q.counters), 1, 64);
	json_object_foreach(c->q.counters, name, value) assert_true(json_is_integer(value));
	assert_int_equal(json_integer_value(json_object_get(c->q.counters, "asked")), 3);
	assert_null(json_object_get(c->q.counters, "secret"));
	assert_null(json_object_get(c->q.counters, "real"));
	isw_drop_counters(&c->q.base.mail);
	helper_client_free(iradd);
}

static void
an_iradd_that_hangs_is_answered_for_when_the_interface_driver_ends(void **state)
{
	struct place *p = *state;
	struct helper_client *iradd;
	struct counting *c = NULL;

	assert_int_equal(
	    helper_client_new(p->loop, p->path[ISW_IRADD], "iradd", iradd_hangs, NULL, p, &iradd),
	    0);
	while (p->n_out == 0) {
		if (c != NULL)
			isw_drop_counters(&c->q.base.mail);
		c = ask_counters(p);
		while (!c->is_answered && p->n_out == 0)
			assert_int_equal(loop_run(p->loop), 0);
	}
	isw_free(p->isw);
	p->isw = NULL;
	wait_counters(p, c);
	assert_true(c->q.err < 0);
	assert_null(c->q.counters);
	isw_drop_counters(&c->q.base.mail);
	helper_call_error(p->out[0], -ECANCELED, "too late");
	p->n_out = 0;
	helper_client_free(iradd);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    no_more_than_four_at_once_go_to_one_address, setup, teardown),
		cmocka_unit_test_setup_teardown(another_address_does_not_wait, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    those_that_wait_share_the_failure_of_the_one_before, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    what_is_not_wanted_any_more_is_answered_at_once, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    of_what_iradd_says_only_numbers_go_on_and_not_too_many, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    an_iradd_that_hangs_is_answered_for_when_the_interface_driver_ends, setup,
		    teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
