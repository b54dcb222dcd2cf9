/* Sentences without stdio: numbers and foreign bytes as text, through a put (base/put.h). */
#ifndef SCSI_PRINT_H
#define SCSI_PRINT_H

#include "base/put.h"

/* A text in buf[n], n > 0, which print_end() terminates. */
static inline struct put
print_begin(char *buf, size_t n)
{
	assert(n > 0);
	return put_over(buf, n - 1);
}

/* Returns the length. */
static inline size_t
print_end(const struct put *w)
{
	*w->p = '\0';
	return put_len(w);
}

void print_dec(struct put *w, uint64_t v);
/* Upper case, at least `digits` digits. */
void print_hex(struct put *w, uint64_t v, unsigned digits);
/* Lower case, two digits a byte. */
void print_hex_bytes(struct put *w, const uint8_t *p, size_t n);
/* Printable ASCII as it is; '%' and every other byte as %xx. */
void print_escaped(struct put *w, const uint8_t *p, size_t n);

/* n without the blanks and NULs at the end of p[n]. */
size_t print_trimmed(const uint8_t *p, size_t n);

#endif
