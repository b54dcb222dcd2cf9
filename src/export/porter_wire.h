/*
 * What the driver and its porter say to each other: datagrams of one size each way, over a pair of
 * sockets that both have had since before anything was parsed.  Several questions may be under way;
 * answers come in any order.  No path is ever sent: a session's number and a disk's name are
 * all that a question can name.
 */
#ifndef EXPORT_PORTER_WIRE_H
#define EXPORT_PORTER_WIRE_H

#include <assert.h>
#include <stdint.h>

enum porter_op {
	PORTER_MOUNT,   /* session: a new connection, mounted; the answer has its descriptor */
	PORTER_AGAIN,   /* session, and a connection's descriptor: mount it in its place again */
	PORTER_UNMOUNT, /* session */
	PORTER_LOOPS,   /* can there be loop devices here? */
	/* The jobs of loopdev.h; `number` and id of a device that an ATTACH of this porter made. */
	PORTER_ATTACH, /* session, name, block_bytes, is_read_only */
	PORTER_CHANGE, /* number, session, name, id, is_read_only */
	PORTER_CHECK,  /* number, session, name, id */
	PORTER_DETACH, /* number, session, name, id, is_read_only, is_forced, is_lost */
	PORTER_SWEEP,  /* all that is left of earlier runs */
	PORTER_TIDY,   /* a few of the numbers that SWEEP found free */
	PORTER_USERS, /* of all devices that ATTACH or UBLK made: a USED answer each that has one */
	/*
	 * A job of ublkjob.h: `what`; session, name, and as `device` the tag, which no other device
	 * has.  START, CHANGE and STOP of one that an ADD or RECOVER of this porter made; ADD and
	 * RECOVER answer with a descriptor.
	 */
	PORTER_UBLK,
	PORTER_OPS
};

#define PORTER_NAME_BYTES 32
#define PORTER_TEXT_BYTES 512

struct porter_question {
	uint64_t device, inode; /* loopdev_id */
	uint64_t size_bytes;    /* this and what follows as in ublkjob.h */
	uint32_t physical_bytes, discard_bytes, optimal_bytes;
	uint32_t what;
	uint32_t id; /* the asker's, for the answer */
	uint32_t op;
	uint32_t session;
	int32_t number;
	uint32_t block_bytes;
	uint8_t is_read_only, is_forced, is_lost, is_recovery;
	uint8_t can_discard, can_write_zeroes, unused[6];
	char name[PORTER_NAME_BYTES]; /* "c1t0d0", with its NUL */
};
static_assert(sizeof(struct porter_question) == 104, "no holes");

enum porter_kind {
	PORTER_LAST, /* no more of this id */
	PORTER_USED, /* number, text: who uses it */
	PORTER_FREE  /* from a job to the porter only: numbers, count */
};

struct porter_answer {
	uint64_t device, inode;
	uint32_t id;
	uint32_t kind;
	int32_t result; /* 0 or a negative errno */
	int32_t number;
	uint32_t count; /* SWEEP, TIDY: so many are done */
	uint32_t left;  /* SWEEP, TIDY: free numbers that are left */
	uint32_t is_direct;
	uint32_t unused;
	union {
		char text[PORTER_TEXT_BYTES]; /* result != 0: a sentence */
		int32_t numbers[PORTER_TEXT_BYTES / sizeof(int32_t)];
	};
};
static_assert(sizeof(struct porter_answer) == 48 + PORTER_TEXT_BYTES, "no holes");

#define PORTER_NUMBERS (PORTER_TEXT_BYTES / sizeof(int32_t))

#endif
