/*
 * For tests: a server of the control protocol on a thread of its own, over a real socket, with a
 * driver behind it that knows some operations; and clients of it.
 */
#ifndef IPC_SERVERTEST_H
#define IPC_SERVERTEST_H

#include <sys/types.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ipc/client.h"
#include "ipc/server.h"

#define SERVERTEST_BIG_BYTES (3u << 20) /* the text of io.tree's answer */
#define SERVERTEST_NOBODY    65534

extern char servertest_dir[64], servertest_path[128];
extern atomic_int servertest_n_big; /* answers of io.tree that were made */

int servertest_start(void **state);
int servertest_stop(void **state);
#define SERVERTEST_CASE(name) \
	cmocka_unit_test_setup_teardown(name, servertest_start, servertest_stop)

struct ipc_client *servertest_client(void);
/* A raw connection; reads have a limit so that a lost answer fails the test. */
int servertest_raw(const char *text);
/* The next line of a raw connection, as an object; NULL at its end. */
json_t *servertest_next(int fd);
/* The next line is an error; id -1: of no request that was understood. */
void servertest_expect_error(int fd, json_int_t id, const char *code, const char *words);
/* Only this thread's user changes meanwhile, not the server's. */
int servertest_connect_as(uid_t uid);
/* A connection of this user that has got an answer, so that it surely has its place. */
int servertest_served_as(uid_t uid);

#endif
