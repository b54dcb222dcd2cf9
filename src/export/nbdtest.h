/*
 * For tests: memory devices that are served by NBD, and clients of them, all on one loop that is
 * turned by whoever waits.
 */
#ifndef EXPORT_NBDTEST_H
#define EXPORT_NBDTEST_H

#include "export/memdev.h"
#include "export/nbdint.h"

struct nbdtest {
	struct loop *loop;
	char base[64], dir[80];
	struct export *ex; /* NULL: it was stopped */
	struct memdev *m;  /* "c0t0d0", 1 MiB */
	unsigned let_go;
	bool is_stopped;
};

#define NBDTEST_BYTES (1u << 20)

void nbdtest_begin(struct nbdtest *t, uint32_t block_bytes);
void nbdtest_end(struct nbdtest *t);
/* So many turns of the loop, whether there is something to do or not. */
void nbdtest_turns(struct nbdtest *t, unsigned n);
/* Stop the exporter and wait until it has. */
void nbdtest_stop(struct nbdtest *t);

/* A client's socket, non-blocking, after the greeting was read. */
int nbdtest_connect(struct nbdtest *t, const char *name);
void nbdtest_send(struct nbdtest *t, int fd, const void *bytes, size_t n);
/* Exactly n bytes; false: the connection ended before. */
bool nbdtest_receive(struct nbdtest *t, int fd, void *buf, size_t n);
/* It ends, and nothing comes before that. */
bool nbdtest_is_ended(struct nbdtest *t, int fd);

/* The client's flags. */
void nbdtest_flags(struct nbdtest *t, int fd, uint32_t flags);
void nbdtest_option(struct nbdtest *t, int fd, uint32_t option, const void *data, size_t n);
/* The type of the next reply to this option, whose data goes to buf (512 bytes). */
uint32_t nbdtest_reply(struct nbdtest *t, int fd, uint32_t option, uint8_t *buf, uint32_t *ret_n);
/* A client that has the disk. */
int nbdtest_open(struct nbdtest *t, bool is_structured);
void nbdtest_request(struct nbdtest *t, int fd, unsigned command, unsigned flags, uint64_t cookie,
    uint64_t offset, uint32_t length);
/* The error of a simple answer to this cookie. */
uint32_t nbdtest_answer(struct nbdtest *t, int fd, uint64_t cookie);
/* The first connection of the first disk, or NULL. */
struct nbd_conn *nbdtest_conn(struct nbdtest *t);

#endif
