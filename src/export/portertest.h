/* For tests: a porter of its own, and the place of the driver that asks it, conquered. */
#ifndef EXPORT_PORTERTEST_H
#define EXPORT_PORTERTEST_H

#include <sys/types.h>

#include "export/guard.h"
#include "export/porter_wire.h"

struct portertest {
	char base[64];
	int fd;
	pid_t pid;
	struct guard guard;
	struct porter_answer a; /* the last one */
	uint32_t id;
};

/*
 * A process that is to be a porter.  As in a driver, before there are threads: one of them may
 * have a lock of the allocator while it forks.
 */
void portertest_fork(struct portertest *f);
/* It is one, for `base`; it ends with its channel, whatever its jobs do. */
void portertest_start(struct portertest *f, const char *base);
void portertest_stop(struct portertest *f);
/* The same with a directory of its own, which is to be without mounts at the end. */
void portertest_setup(struct portertest *f);
void portertest_teardown(struct portertest *f);

/* Its id. */
uint32_t portertest_send(struct portertest *f, struct porter_question q, int fd);
/* The next answer; its descriptor or -1. */
int portertest_receive(struct portertest *f);
/* The result; a descriptor that came is returned, or closed where nobody wants it. */
int portertest_ask(struct portertest *f, struct porter_question q, int fd, int *ret_fd);
#define PORTERTEST_ASK(f, ...) portertest_ask(f, (struct porter_question){ __VA_ARGS__ }, -1, NULL)

/* base/name; good until the next call. */
const char *portertest_below(const struct portertest *f, const char *name);
void portertest_make_dir(const struct portertest *f, const char *name);
/* 1 MiB of zeros. */
void portertest_make_file(const struct portertest *f, const char *name);

#endif
