/*
 * Memory of the product: the linker puts these functions (--wrap) between it and the C library.  So
 * a process can end without a word: nothing of it runs, and its memory is gone.
 */
#ifndef SIM_LEDGER_H
#define SIM_LEDGER_H

#include <stdbool.h>
#include <stddef.h>

/* Is this a place in it? */
bool ledger_has(const void *p);
/* All of it is gone. */
void ledger_drop(void);
/* So many blocks there are. */
size_t ledger_blocks(void);

#endif
