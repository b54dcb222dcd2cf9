#include "fault.h"

#include <stdlib.h>

/* The names are the linker's: --wrap=NAME. */
void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);

static unsigned until;
static bool has_failed;

void
fault_alloc_at(unsigned n)
{
	until = n;
	has_failed = false;
}

bool
fault_has_failed(void)
{
	return has_failed;
}

static void *
or_end(void *p)
{
	if (p == NULL)
		abort();
	return p;
}

void *
fault_spare_malloc(size_t n)
{
	return or_end(__real_malloc(n));
}

void *
fault_spare_calloc(size_t n, size_t size)
{
	return or_end(__real_calloc(n, size));
}

static bool
is_now(void)
{
	if (until == 0 || --until > 0)
		return false;
	has_failed = true;
	return true;
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
