/* Amounts as people read them. */
#ifndef TOOLS_SIZE_H
#define TOOLS_SIZE_H

#include <stdint.h>

#define SIZE_TEXT_BYTES 32

/* "512 B", "32.0 MiB", "1.50 TiB": three digits, in powers of 1024. */
void size_text(uint64_t bytes, char ret[static SIZE_TEXT_BYTES]);
/* "0", "9999", "12.3k", "4.56M": what was counted, or how often a second ("0.5"). */
void size_count(double n, char ret[static SIZE_TEXT_BYTES]);
/* "850 us", "12.3 ms", "1.50 s" */
void size_time(double us, char ret[static SIZE_TEXT_BYTES]);

#endif
