/* JSON whose memory is wiped when it is freed: what the driver asks holds the NAS secret. */
#ifndef IRADD_MEMORY_H
#define IRADD_MEMORY_H

#include <stddef.h>

/* Before any JSON is made. */
void memory_wipe_json(void);
/* jsonmem_get() and jsonmem_put() that do it; for the test. */
void *memory_get(size_t n);
void memory_put(void *p);

#endif
