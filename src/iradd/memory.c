#include "iradd/memory.h"

#include <jansson.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "ipc/codec.h"

/* Before each block stands its size, in room that keeps the block aligned. */
#define ROOM (2 * sizeof(max_align_t))

void *
memory_get(size_t n)
{
	char *p = n <= SIZE_MAX - ROOM ? jsonmem_get(n + ROOM) : NULL;

	if (p == NULL)
		return NULL;
	memcpy(p, &n, sizeof n);
	return p + ROOM;
}

void
memory_put(void *p)
{
	char *block = p;
	size_t n;

	if (p == NULL)
		return;
	block -= ROOM;
	memcpy(&n, block, sizeof n);
	explicit_bzero(block, n + ROOM);
	jsonmem_put(block);
}

void
memory_wipe_json(void)
{
	json_set_alloc_funcs(memory_get, memory_put);
}
