/* Amounts of bytes as people read them. */
#ifndef TOOLS_SIZE_H
#define TOOLS_SIZE_H

#include <stdint.h>

#define SIZE_TEXT_BYTES 32

/* "512 B", "32.0 MiB", "1.50 TiB": three digits, in powers of 1024. */
void size_text(uint64_t bytes, char ret[static SIZE_TEXT_BYTES]);

#endif
