#include "fault.h"

#include <stdbool.h>
#include <stddef.h>

/* The names are the linker's: --wrap=NAME. */
void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);

static unsigned until;

void
fault_alloc_at(unsigned n)
{
	until = n;
}

static bool
is_now(void)
{
	return until > 0 && --until == 0;
}

void *
__wrap_malloc(size_t n)
{
	return is_now() ? NULL : __real_malloc(n);
}

void *
__wrap_calloc(size_t n, size_t size)
{
	return is_now() ? NULL : __real_calloc(n, size);
}
