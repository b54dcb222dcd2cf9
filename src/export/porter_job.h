/* One job of the porter's, in a process of its own. */
#ifndef EXPORT_PORTER_JOB_H
#define EXPORT_PORTER_JOB_H

#include <sys/types.h>

#include <stdbool.h>
#include <stddef.h>

#include "export/loopdev.h"
#include "export/porter_wire.h"

/* Descriptors: the way back, the directory of mounts, sysfs, and for AGAIN a connection. */
#define PORTER_BACK_FD  3
#define PORTER_BASE_FD  4
#define PORTER_SYSFS_FD 5
#define PORTER_FUSE_FD  6

struct porter_place {
	const char *base; /* as the driver names it, for names of files */
	const char *real; /* as the kernel does */
	pid_t group;      /* the porter's, its number, and its jobs' */
	/* Loop devices to ask about (USERS), or to be taken out of what there is (TIDY). */
	const int *numbers;
	size_t n_numbers;
	struct loopdev_kept kept; /* mounts that the driver takes over */
	bool is_crowded;          /* as a job's */
};

/* A number's digits and "c1t0d0" only: nothing that leads elsewhere. */
bool porter_is_disk(const char name[PORTER_NAME_BYTES]);
/* Do what a checked question asks, and answer through PORTER_BACK_FD. */
void porter_job_run(const struct porter_place *place, const struct porter_question *q);

#endif
