/* Memory that runs out when a script says so: malloc and calloc of the program are wrapped by the
 * linker. */
#ifndef SCENARIO_FAULT_H
#define SCENARIO_FAULT_H

#include <stdbool.h>
#include <stddef.h>

/* The n-th allocation from now fails, once; 0: none. */
void fault_alloc_at(unsigned n);
/* Has it failed? */
bool fault_has_failed(void);

/* Memory of the play itself, which never fails. */
void *fault_spare_malloc(size_t n);
void *fault_spare_calloc(size_t n, size_t size);

#endif
