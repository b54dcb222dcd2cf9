/*
 * A daemon of the daemon protocol whose words are the input: datagrams, each with its length (2
 * bytes) before it, whose two high bits say what descriptor comes along.
 */
#ifndef FUZZ_DAEMON_H
#define FUZZ_DAEMON_H

#include "fuzz.h"

enum daemon_passes { DAEMON_NOTHING, DAEMON_CONNECTION, DAEMON_FILE, DAEMON_NOTHING_EITHER };

/* Connects to the driver's socket `name` of fuzz_path(); `hello`: what it says first, or NULL. */
int fuzz_daemon_connect(const char *name, const char *hello);
/* Says the next datagram; *ret_n is its length, which may be 0: nothing was said.  False at the
 * end. */
bool fuzz_daemon_say(int fd, struct cursor *in, enum daemon_passes *ret_passes, size_t *ret_n);

#endif
