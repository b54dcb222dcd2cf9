/*
 * Writing bytes into a fixed buffer.  The first write that does not fit sets
 * `overflow`; that write and every later one write nothing.  Check `overflow`
 * once, at the end.
 */
#ifndef BASE_PUT_H
#define BASE_PUT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/be.h"

struct put {
	uint8_t *start, *p, *end; /* borrowed */
	bool overflow;
};

static inline struct put
put_over(void *buf, size_t n)
{
	uint8_t *p = buf;

	return (struct put){ .start = p, .p = p, .end = n > 0 ? p + n : p };
}

/* Bytes written so far. */
static inline size_t
put_len(const struct put *w)
{
	return (size_t)(w->p - w->start);
}

/* Room for n bytes, which the caller fills, or NULL. */
static inline uint8_t *
put_room(struct put *w, size_t n)
{
	uint8_t *p = w->p;

	if (w->overflow || (size_t)(w->end - w->p) < n) {
		w->overflow = true;
		return NULL;
	}
	w->p += n;
	return p;
}

static inline void
put_bytes(struct put *w, const void *bytes, size_t n)
{
	uint8_t *p = put_room(w, n);

	if (p != NULL && n > 0)
		memcpy(p, bytes, n);
}

/* The characters of s, without its NUL. */
static inline void
put_str(struct put *w, const char *s)
{
	put_bytes(w, s, strlen(s));
}

static inline void
put_u8(struct put *w, uint8_t v)
{
	put_bytes(w, &v, 1);
}

static inline void
put_be16(struct put *w, uint16_t v)
{
	uint8_t *p = put_room(w, 2);

	if (p != NULL)
		be_put16(p, v);
}

static inline void
put_be24(struct put *w, uint32_t v)
{
	uint8_t *p = put_room(w, 3);

	if (p != NULL)
		be_put24(p, v);
}

static inline void
put_be32(struct put *w, uint32_t v)
{
	uint8_t *p = put_room(w, 4);

	if (p != NULL)
		be_put32(p, v);
}

#endif
