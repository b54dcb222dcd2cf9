/*
 * What is done to a ublk device by the kernel's control device, /dev/ublk-control, which wants
 * CAP_SYS_ADMIN: one job at a time, on a thread or in a process that may wait (ublkrun.h; the
 * porter). Who answers the device's requests is the exporter (ublk.h), by the descriptor that ADD
 * and RECOVER give.
 *
 * A number alone is no proof: others have ublk devices, too.  So each of ours carries a tag, where
 * the kernel keeps 64 bits for servers (ublksrv_flags): whose it is, and bits that nobody guesses.
 * Nothing is done to a device that has another one.
 */
#ifndef EXPORT_UBLKJOB_H
#define EXPORT_UBLKJOB_H

#include <sys/types.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/loop.h"

/* Requests of a device that are under way at once. */
#define UBLK_DEPTH 128
/* As a device's number: that of the one with this tag, which has to be looked for. */
#define UBLK_ANY (-1)

enum ublkjob_what {
	/* Is there ublk, and can it do what is needed?  0, or why not. */
	UBLKJOB_CHECK,
	/* A device is made, served, read and deleted again: 0, or why that does not work. */
	UBLKJOB_PROBE,
	/* tag, size_bytes … can_write_zeroes: a device that nobody sees yet; returns number, fd. */
	UBLKJOB_ADD,
	/*
	 * number or UBLK_ANY, tag: one whose server was killed; its users wait.  Returns number,
	 * fd. -ENXIO: there is none.
	 */
	UBLKJOB_RECOVER,
	/*
	 * number, tag, server, is_recovery, is_read_only: every request slot has been offered to
	 * the kernel (FETCH): it is seen, or its users go on.
	 */
	UBLKJOB_START,
	/* number, tag, size_bytes, is_read_only.  -EOPNOTSUPP: not while it is in use. */
	UBLKJOB_CHANGE,
	/*
	 * number, tag: it is taken from the system while its server still answers, and then
	 * ends serving it.  -EBUSY with who uses it, and nothing has changed, unless is_forced.
	 * is_lost: its disk is not to be had any more; what it holds is not flushed.
	 */
	UBLKJOB_STOP,
	/* number or UBLK_ANY, tag: nothing is left of it.  Nobody may have its descriptor any more.
	 */
	UBLKJOB_DELETE,
	UBLKJOB_WHATS
};

/* The caller's; left alone from ublkrun() until done(). */
struct ublkjob {
	enum ublkjob_what what;
	int number; /* N of /dev/ublkbN */
	uint64_t tag;
	uint64_t size_bytes;
	uint32_t block_bytes;    /* logical: 512 to the page size */
	uint32_t physical_bytes; /* 0: as block_bytes */
	uint32_t discard_bytes;  /* granularity; 0: as block_bytes */
	uint32_t optimal_bytes;  /* of an I/O; 0: not known */
	bool is_read_only, can_discard, can_write_zeroes;
	bool is_recovery, is_forced, is_lost;
	uint32_t session; /* for whom: the porter's to note */
	char name[32];
	pid_t server; /* the process that opens the device, as whoever does the job sees it */
	bool is_opened_later; /* by that one: ADD and RECOVER return no fd */
	pid_t group; /* processes of this group are none of a device's users; 0: no group */
	void (*done)(struct ublkjob *job); /* on the loop */
	void *user;

	/* Valid in done(). */
	int result;    /* 0 or a negative errno */
	char why[400]; /* result != 0: a sentence with the cause and the next step */
	int fd;        /* of /dev/ublkcN, the caller's, or -1 */

	/* Its own. */
	struct list link;
	struct loop *loop;
	struct loop_msg msg;
};

/* A tag that nothing has.  0: there is no randomness. */
uint64_t ublkjob_tag(void);
/* Is it one of ours, by its form? */
bool ublkjob_is_tag(uint64_t tag);
/* Do it here and now; waits for the kernel. */
void ublkjob_run(struct ublkjob *job);

#endif
