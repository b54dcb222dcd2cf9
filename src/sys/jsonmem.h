/*
 * JSON's memory: wiped when it is freed, and no harm where there is none.  A program that uses
 * JSON calls jsonmem_wipe() before it does.
 */
#ifndef SYS_JSONMEM_H
#define SYS_JSONMEM_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

/* Values may be secrets: all are wiped before their memory is freed, from now on. */
void jsonmem_wipe(void);
/*
 * malloc() and free() for what jansson makes.  A program with an allocator of its own
 * (json_set_alloc_funcs()) takes its memory here, and gives it back here, wiped.
 */
void *jsonmem_get(size_t n);
void jsonmem_put(void *p);
/*
 * How often this thread has had none: what it made of JSON while the number grew may lack members,
 * elements or letters, and says so nowhere else.
 */
uint64_t jsonmem_lacks(void);

/*
 * json_loadb(), and NULL, as for any other lack, where there was no memory for all of it.  Any text
 * may be read so: each text is, that comes from outside or is read while memory may be short.
 */
json_t *jsonmem_load(const char *text, size_t len, size_t flags, json_error_t *err);

#endif
