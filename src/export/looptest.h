/* For tests: loop devices on files that this process serves. */
#ifndef EXPORT_LOOPTEST_H
#define EXPORT_LOOPTEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "export/fusetest.h"
#include "export/loopdev.h"

struct looptest {
	struct fusetest t;
	struct loop *loop;
	struct loopdev *ld;
	struct loopdev_job job;
	unsigned slow_count; /* jobs that a test let wait */
};

void looptest_begin(struct looptest *f);
void looptest_end(struct looptest *f);
/* Stops the loop that is the job's user. */
void looptest_job_done(struct loopdev_job *job);
/* Run a job and wait for it. */
int looptest_run(struct looptest *f, enum loopdev_what what);
/* Put a loop device on m's file: f->job is the device's. */
void looptest_attach(struct looptest *f, const struct memdev *m);
/* Who uses the job's device?  NULL: nobody; good until the next call. */
const char *looptest_user_of(struct looptest *f);
/* The exit status of a program; -1: it was killed, or there is none. */
int looptest_spawn(char *const argv[]);
/* What main() returns: 77 where there can be no such test. */
int looptest_main(const char *name, const struct CMUnitTest *tests, size_t n);

#endif
