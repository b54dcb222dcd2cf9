/*
 * For tests: both sides of the daemon protocol in one loop, over a real socket.  The driver's side
 * is there when a test begins; the daemon's is for the test to start, or it plays it by hand.
 */
#ifndef IPC_HELPERTEST_H
#define IPC_HELPERTEST_H

#include <sys/types.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ipc/helper.h"

#define HELPERTEST_PATIENCE_US 20000000
#define HELPERTEST_ANSWERS     8
#define HELPERTEST_CALLS       8

struct helpertest {
	char dir[64], path[128], pid_path[128];
	struct loop *loop;
	struct helper_server *server;
	struct helper_client *client; /* NULL: it was not started */
	int daemon_came, daemon_went, link_up, link_down;
	/* What the driver got, in order. */
	struct {
		int err, fd, tag;
		char why[128];
		json_t *result;
	} answers[HELPERTEST_ANSWERS];
	int n_answers;
	/* What the daemon was asked and has not answered. */
	struct helper_call *calls[HELPERTEST_CALLS];
	int n_calls, n_cancelled;
};
extern struct helpertest helpertest;

int helpertest_start(void **state);
int helpertest_stop(void **state);
#define HELPERTEST_CASE(name) \
	cmocka_unit_test_setup_teardown(name, helpertest_start, helpertest_stop)

/* Turns the loop until the counter is `want`. */
void helpertest_turn_until(const int *n, int want);
void helpertest_start_daemon(void);
/* The driver asks; `tag` comes back with the answer. */
int64_t helpertest_ask(int *tag, uint64_t in_us);
/* A connection by hand that announces itself as `text`. */
int helpertest_by_hand(const char *text);
/* The driver closes it; here it is closed, too. */
void helpertest_expect_closed(int fd);

/* What a test gives to the two sides itself. */
void helpertest_on_state(void *user, pid_t pid);
void helpertest_on_answer(void *user, int err, const char *why, const json_t *result, int fd);
void helpertest_on_cancel(void *user, struct helper_call *call);

#endif
