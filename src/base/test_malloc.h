/* For tests that are linked with --wrap=malloc: one allocation fails. */
#ifndef BASE_TEST_MALLOC_H
#define BASE_TEST_MALLOC_H

#include <stdbool.h>
#include <stddef.h>

/* Of all allocations from now on, the n-th fails; 0: none.  The linker puts this in malloc()'s
 * place. */
static int fails_at;
static bool has_failed;
void *__real_malloc(size_t n);
void *__wrap_malloc(size_t n);

void *
__wrap_malloc(size_t n)
{
	if (fails_at > 0 && --fails_at == 0) {
		has_failed = true;
		return NULL;
	}
	return __real_malloc(n);
}

#endif
