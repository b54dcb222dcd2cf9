/* Copying text that may be too long: what does not fit is cut off. */
#ifndef BASE_CUT_H
#define BASE_CUT_H

#include <stddef.h>
#include <string.h>

/* n is the room in `to`, at least 1; the result ends with a NUL. */
static inline void
cut_copy(char *to, size_t n, const char *from)
{
	size_t len = strlen(from);

	if (len > n - 1)
		len = n - 1;
	memcpy(to, from, len);
	to[len] = '\0';
}

#endif
