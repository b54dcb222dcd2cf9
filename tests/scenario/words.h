/* Reading the words of a command: numbers, times, bytes, names. */
#ifndef SCENARIO_WORDS_H
#define SCENARIO_WORDS_H

#include "world.h"

/*
 * A number: 12, 0x1f, none (0xffffffff), +N and -N (relative to `usual`), or
 * pdu.field[+N|-N] of a PDU with a name.
 */
uint64_t words_number(struct world *w, const char *text, uint64_t usual);
/* 15s, 200ms, 5us. */
uint64_t words_time_us(struct world *w, const char *text);
/*
 * Bytes: pattern:N (at `offset`), zero:N, fill:XX:N, hex:0102, text:…, pdu.header, pdu.data.
 * Heap.
 */
uint8_t *words_bytes(
    struct world *w, const struct word *word, size_t at, size_t offset, size_t *ret_n);
/* A LUN: its number, or eight bytes 0x…; as the 64 bits on the wire. */
uint64_t words_lun(struct world *w, const char *text);
/*
 * Key=Value words as text with NULs; ANSWERS stands for what a target answers
 * to our usual offer, -Key takes one out, and a key that comes again replaces
 * theirs.  Returns the length; `out` has WORLD_TEXT * 8 bytes.
 */
size_t words_keys(struct world *w, const struct word *word, size_t n, char *out);
/* The index of `text` in a NULL-terminated list, or -1 with a failure. */
int words_choice(struct world *w, const char *what, const char *text, const char *const *names);

#endif
