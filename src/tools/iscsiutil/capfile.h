/*
 * Where a capture is written: a file, the standard output, or a ring of files, each whole by
 * itself.  The one that is written has the name that was given, older ones
 * have .1, .2 … behind it.
 */
#ifndef ISCSIUTIL_CAPFILE_H
#define ISCSIUTIL_CAPFILE_H

#include "tools/iscsiutil/pcapng.h"

struct capfile {
	const char *path;   /* borrowed; "-": the standard output */
	unsigned files;     /* of the ring, at least 1 */
	uint64_t bytes_max; /* of one; 0: as many as there is room for */
	int fd;
	uint64_t bytes; /* in it: whole blocks */
	unsigned made;  /* files so far */
};

/* 0 or a negative errno. */
int capfile_open(struct capfile *f);
void capfile_close(struct capfile *f);
/*
 * Write out all blocks, which are gone then.  0, or a negative errno: the file
 * ends with the last block that it took.
 */
int capfile_write(struct capfile *f, struct pcapng *p);
/* These blocks would make it too long. */
bool capfile_is_full(const struct capfile *f, const struct pcapng *p);
/* The next file of the ring: 0 or a negative errno. */
int capfile_next(struct capfile *f);

#endif
