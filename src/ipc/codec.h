/*
 * JSON lines: taking a stream of bytes apart into lines, and lines into
 * objects.  Everything here may come from an enemy: length and depth are
 * checked before anything is built from them.
 */
#ifndef IPC_CODEC_H
#define IPC_CODEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sys/jsonmem.h"

/* Requests may carry secrets: what is read and printed here is wiped before its memory is freed. */

/* n bytes of memory: wipe and free().  NULL is fine. */
void ipc_wipe(void *p, size_t n);

/* Bytes that have come and are not a whole line yet.  Empty, it holds no memory. */
struct ipc_lines {
	char *buf;
	size_t start, len, cap; /* bytes buf[start .. start + len) wait */
	size_t scanned;         /* of them, how many hold no newline */
	size_t bytes_max;       /* longest line, without its newline */
};

void ipc_lines_init(struct ipc_lines *l, size_t bytes_max);
void ipc_lines_fini(struct ipc_lines *l);
/* Room for at least one byte; *ret_n is how many.  NULL: no memory. */
char *ipc_lines_room(struct ipc_lines *l, size_t *ret_n);
/* n bytes were put there. */
void ipc_lines_added(struct ipc_lines *l, size_t n);
/*
 * The next whole line, without its newline, valid until the next call: 1.
 * 0: more bytes are needed.  -EMSGSIZE: the line is longer than allowed; the
 * stream is of no use any more.  Empty lines are passed over.
 */
int ipc_lines_next(struct ipc_lines *l, char **ret_line, size_t *ret_len);

/*
 * One object from one line (or datagram).  -EBADMSG with a sentence in `why`:
 * it is no JSON object, not UTF-8, nested too deeply, holds a number beyond 64
 * bits or a key twice.  -ENOMEM.
 */
int ipc_parse(const char *line, size_t len, json_t **ret_object, char *why, size_t why_bytes);
/*
 * The object as one line with its newline, for free().  -EMSGSIZE: longer than
 * bytes_max (without the newline).  -ENOMEM.
 */
int ipc_print(const json_t *object, size_t bytes_max, char **ret_line, size_t *ret_len);

/*
 * A string of bytes that somebody else chose (a target's alias, a product's
 * name) as it is shown: base/visible.h.  NULL: no memory.
 */
json_t *ipc_text(const char *bytes);

#endif
