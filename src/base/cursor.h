/*
 * Reading bytes somebody else wrote.  A cursor never reads past its end: the
 * first read that would sets `failed`, and that read and every later one give
 * zeros (or NULL).  Check `failed` once, at the end.
 */
#ifndef BASE_CURSOR_H
#define BASE_CURSOR_H

#include <stdbool.h>
#include <stddef.h>

#include "base/be.h"

struct cursor {
	const uint8_t *p, *end; /* borrowed */
	bool failed;
};

static inline struct cursor
cursor_over(const void *bytes, size_t n)
{
	const uint8_t *p = bytes;

	return (struct cursor){ .p = p, .end = n > 0 ? p + n : p };
}

/* Bytes that are left. */
static inline size_t
cursor_left(const struct cursor *c)
{
	return c->failed ? 0 : (size_t)(c->end - c->p);
}

/* The next n bytes, in place, or NULL. */
static inline const uint8_t *
cursor_bytes(struct cursor *c, size_t n)
{
	const uint8_t *p = c->p;

	if (c->failed || (size_t)(c->end - c->p) < n) {
		c->failed = true;
		return NULL;
	}
	c->p += n;
	return p;
}

static inline uint8_t
cursor_u8(struct cursor *c)
{
	const uint8_t *p = cursor_bytes(c, 1);

	return p != NULL ? p[0] : 0;
}

static inline uint16_t
cursor_be16(struct cursor *c)
{
	const uint8_t *p = cursor_bytes(c, 2);

	return p != NULL ? be_get16(p) : 0;
}

static inline uint32_t
cursor_be24(struct cursor *c)
{
	const uint8_t *p = cursor_bytes(c, 3);

	return p != NULL ? be_get24(p) : 0;
}

static inline uint32_t
cursor_be32(struct cursor *c)
{
	const uint8_t *p = cursor_bytes(c, 4);

	return p != NULL ? be_get32(p) : 0;
}

static inline uint64_t
cursor_be64(struct cursor *c)
{
	const uint8_t *p = cursor_bytes(c, 8);

	return p != NULL ? be_get64(p) : 0;
}

#endif
