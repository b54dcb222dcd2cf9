/* Between unmount.c, which decides, and unmount_jobs.c, whose processes wait for the kernel. */
#ifndef PROCESS_UNMOUNT_IMPL_H
#define PROCESS_UNMOUNT_IMPL_H

#include <sys/types.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sys/diskuse.h"

#define KNOWN_MAX 256
#define JOBS_MAX  64

struct job {
	pid_t pid;
	int fd;      /* of the process */
	int mount;   /* its number; 0: it writes out */
	char *where; /* of the mount, which nobody sees any more while it is written out; owned */
	char disk[DISKUSE_NAME_BYTES];
};

/* Who was told to end, and how. */
struct known {
	pid_t pid;
	int fd;
	int signal; /* the last one; 0: only waited for */
};

struct unmounting {
	const char *program;
	const struct paths *paths;
	struct diskuse use;
	struct job jobs[JOBS_MAX];
	struct known known[KNOWN_MAX];
	size_t n_jobs, n_known;
	int signals, mounts; /* descriptors; -1: none */
	uint64_t ask_ms, kill_ms, end_ms;
	bool is_hurried;
};

/* A line on the standard error, made harmless. */
__attribute__((format(printf, 2, 3))) void unmount_say(
    const struct unmounting *u, const char *fmt, ...);

/* Unmount it, or write it (NULL: the devices) out, in a process of its own. */
void unmount_job_start(struct unmounting *u, const struct diskuse_mount *m, bool is_unmount);
/* Those that have ended are told of, and dropped. */
void unmount_jobs_end(struct unmounting *u);
/* Leave the last one behind. */
void unmount_job_drop(struct unmounting *u, size_t i);
bool unmount_job_is_under_way(const struct unmounting *u, int mount);

#endif
