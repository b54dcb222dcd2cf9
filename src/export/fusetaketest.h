/*
 * For tests of taking a FUSE connection over: memory devices whose memory
 * outlives their server, a process that shows them and is killed, at a chosen
 * system call or anywhere, and its successor.  The test's own process holds the
 * descriptors, and must use no file of the mount; that is for fusetaketest_user().
 */
#ifndef EXPORT_FUSETAKETEST_H
#define EXPORT_FUSETAKETEST_H

#include <sys/types.h>

#include <stdatomic.h>
#include <stdint.h>

#include "export/export.h"
#include "export/guard.h"

#define FUSETAKETEST_DEVS  2
#define FUSETAKETEST_BYTES (4u << 20)

/* Shared by the test, its servers and its users. */
struct fusetaketest_shared {
	/* The server is killed around its n-th call from its start; 0: it is not. */
	_Atomic long kill_before_answer, kill_after_answer, kill_after_read;
	_Atomic bool no_resend;                /* as an old kernel: RESEND is EINVAL */
	_Atomic unsigned long answers, resent; /* resent: requests that were received again */
	_Atomic unsigned long received[64];    /* by opcode, of all servers */
	_Atomic unsigned long forgotten;       /* lookups */
	_Atomic unsigned long absent;          /* pages that were not there to receive into */
	_Atomic unsigned long delay_us, seed;  /* of the devices of the next server */
	_Atomic int trouble;                   /* a line of a user that saw something wrong */
	_Atomic unsigned long rounds;
	_Atomic bool stop;
	uint8_t disk[FUSETAKETEST_DEVS][FUSETAKETEST_BYTES] __attribute__((aligned(4096)));
};

struct fusetaketest {
	struct fusetaketest_shared *s;
	char base[64], dir[80];
	struct guard guard;
	pid_t pid; /* the server; 0: there is none */
	int ctl;
	struct export_held held; /* -1: none */
	/* Told by this server so far. */
	unsigned holds, drops, gone, back, back_new, let_go;
};

void fusetaketest_begin(struct fusetaketest *t);
/* Stop the server, if there is one, and free all. */
void fusetaketest_end(struct fusetaketest *t);
/*
 * Start a server with the devices d0, d1… whose bits are set; it takes over what
 * is held.  0, or what it failed with, -ECHILD: it was killed meanwhile.
 */
int fusetaketest_serve(struct fusetaketest *t, unsigned devices);
/* Wait until it was killed, by itself, or do it. */
void fusetaketest_await_death(struct fusetaketest *t);
void fusetaketest_kill(struct fusetaketest *t);
/* Does it answer? */
bool fusetaketest_lives(struct fusetaketest *t);
/* Close what is held. */
void fusetaketest_let_go(struct fusetaketest *t);
/* What the exporter does. */
void fusetaketest_add(struct fusetaketest *t, unsigned device);
void fusetaketest_give_up(struct fusetaketest *t, const char *name);
void fusetaketest_overdue(struct fusetaketest *t);
unsigned fusetaketest_openers(struct fusetaketest *t, unsigned device);
void fusetaketest_stop(struct fusetaketest *t);
/* Wait until so much was told. */
void fusetaketest_await(struct fusetaketest *t, const unsigned *count, unsigned least);

/* A process without what is held here, which ends with fn()'s result; it has d<device>'s path. */
pid_t fusetaketest_user(
    struct fusetaketest *t, int (*fn)(struct fusetaketest *t, const char *path), unsigned device);
/* What it ended with. */
int fusetaketest_user_end(pid_t pid);
bool fusetaketest_user_has_ended(pid_t pid);
/* Wait for what another process does. */
void fusetaketest_await_value(const _Atomic unsigned long *value, unsigned long least);

#endif
