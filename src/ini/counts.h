/* What sessions count besides the core (core/conn_stats.def); rows in counts.def.  Plain numbers,
 * one writer. */
#ifndef INI_COUNTS_H
#define INI_COUNTS_H

#include <stdint.h>

struct ini_counts {
#define INI_COUNT(id, text) uint64_t id;
#include "ini/counts.def"
};

#endif
