/* Memory that runs out when a script says so: malloc and calloc of the program are wrapped by the
 * linker. */
#ifndef SCENARIO_FAULT_H
#define SCENARIO_FAULT_H

/* The n-th allocation from now fails, once; 0: none. */
void fault_alloc_at(unsigned n);

#endif
