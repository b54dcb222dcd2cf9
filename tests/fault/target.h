/*
 * A target over a real socket that fails where it is told to.  It has a codec
 * of its own, one logical unit of FAULT_BYTES, a thread of its own, and knows
 * one write and one read at a time.
 */
#ifndef FAULT_TARGET_H
#define FAULT_TARGET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FAULT_BYTES 1536

enum fault_kind {
	FAULT_NONE,
	FAULT_DROP,    /* close */
	FAULT_RESET,   /* close with a reset */
	FAULT_HALF,    /* close its own direction only */
	FAULT_STALL,   /* say nothing more, and leave the connection open */
	FAULT_CORRUPT, /* flip a bit of that byte, and go on (`sent` only) */
};

/* The first connection fails when so many bytes were sent, or received; later ones do not fail. */
struct fault_plan {
	enum fault_kind kind;
	bool is_received;
	size_t at;
	bool digests; /* insist on CRC32C for headers and data */
};

struct target;

struct target *target_new(void);
void target_free(struct target *t);
uint16_t target_port(const struct target *t);
/* For what comes next; only while no connection is up. */
void target_plan(struct target *t, const struct fault_plan *plan);

/* Since the last plan. */
struct target_report {
	unsigned connections;
	unsigned acknowledged;             /* writes that were answered GOOD, to the last byte */
	bool is_different;                 /* such a write had other data than the pattern */
	bool failed;                       /* the plan was carried out */
	size_t sent, received;             /* bytes of the last connection */
	size_t login_sent, login_received; /* of these, until the end of the login */
};
struct target_report target_report(struct target *t);
/* Waits until the last connection is over. */
void target_wait(struct target *t);

/* What is written and read. */
uint8_t target_pattern(size_t i);

#endif
