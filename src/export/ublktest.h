/*
 * For tests: the exporter "ublk" without a kernel that has it.  The ring and the control device are
 * played here, and a file stands for /dev/ublkcN, with the requests at its beginning and their data
 * where the kernel has it.
 */
#ifndef EXPORT_UBLKTEST_H
#define EXPORT_UBLKTEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "export/memdev.h"
#include "export/ublkint.h"

#define UBLKTEST_SIZE       (8u << 20)
#define UBLKTEST_NAME       "c0t0d1"
#define UBLKTEST_UNANSWERED INT32_MIN

/* The kernel. */
struct ublktest {
	int file; /* of the device; -1: there is none */
	uint64_t tag;
	struct ublkring_slot *slots[UBLK_DEPTH]; /* offered */
	int32_t answers[UBLK_DEPTH];
	unsigned n_answers;
	struct loop *loop;
	struct ublkjob *held[4]; /* jobs that are not done */
	unsigned n_held;
	bool hold;
	unsigned jobs[UBLKJOB_WHATS]; /* that were done */
	int result[UBLKJOB_WHATS];    /* of those that are to fail */
	bool was_known;               /* its file was there at ADD, without a number */
	struct ublkjob last[UBLKJOB_WHATS];
};
extern struct ublktest ublktest;
extern char ublktest_dir[64];
extern const struct export_events ublktest_events;

/* A unit, its exporter, and what was told. */
struct ublktest_place {
	struct loop *loop;
	struct memdev *dev;
	struct export *ex;
	struct export_block block;
	bool is_done, is_started, is_stopped;
	unsigned gone, back;
	int err;
	struct agenda_work stop_turn;
};

int ublktest_setup(void **state);
int ublktest_teardown(void **state);
/* Until nothing more happens. */
void ublktest_turns(struct ublktest_place *p);
/* A started exporter with the unit; */
void ublktest_begin(struct ublktest_place *p);
/* and its block device. */
void ublktest_make(struct ublktest_place *p);
void ublktest_ask(struct ublktest_place *p, enum export_block_what what, bool is_forced);
/* The kernel has a request; `answered`: what it is told. */
void ublktest_request(unsigned tag, uint32_t op, uint64_t offset, uint64_t len);
int32_t ublktest_answered(
    struct ublktest_place *p, unsigned tag, uint32_t op, uint64_t offset, uint64_t len);
/* Data of the request to come. */
off_t ublktest_data(unsigned tag); /* where it lies */
void ublktest_fill(unsigned tag, uint8_t byte, size_t len);
/* All slots that are offered come back. */
void ublktest_give_slots_back(void);
void ublktest_let_jobs_go(void);
/* Is there anything for a next process? */
bool ublktest_is_left(void);
int ublktest_run(const char *name, const struct CMUnitTest *tests, size_t n);
#define UBLKTEST_CASE(name) cmocka_unit_test_setup_teardown(name, ublktest_setup, ublktest_teardown)

#endif
