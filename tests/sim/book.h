/*
 * What was written, and so what may be read: per block, the last write that was answered or
 * one that is under way.
 */
#ifndef SIM_BOOK_H
#define SIM_BOOK_H

#include "sim.h"

/* A number for a new write of a user. */
uint32_t book_write(struct sim *w, struct disk *d, enum blk_op op, unsigned first, unsigned n);
/* A user's request ended: what was read, or is promised, must be true. */
void book_end(struct sim *w, struct user_req *q);
/* A user that waited for it is told nothing but that it failed: it may be executed, or not. */
void book_vanish(struct sim *w, const struct user_req *q);
/* The data of a write for block b, and its number back; 0: zeros; false: it is garbage. */
void book_fill(uint8_t *block, uint32_t wr, uint8_t uid, unsigned b);
bool book_parse(const uint8_t *block, uint8_t uid, unsigned b, uint32_t *ret_wr);

/* A target executes write `wr` (0: zeros that nobody asked for) in block b. */
void book_exec(struct sim *w, struct disk *d, unsigned b, uint32_t wr, bool is_through);
/* Which write of zeros, or discard, a command for these blocks is. */
uint32_t book_zero(struct sim *w, struct disk *d, unsigned first, unsigned n, bool is_discard);
/* Blocks reach the medium; the cache of a disk is lost. */
void book_sync(const struct sim *w, struct disk *d, unsigned first, unsigned n);
void book_lose(struct sim *w, struct disk *d);

#endif
