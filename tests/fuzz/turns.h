/* For harnesses that need sockets: the engine's loop, turned without waiting. */
#ifndef FUZZ_TURNS_H
#define FUZZ_TURNS_H

#include "engine/loop.h"
#include "fuzz.h"

/* The loop of this process, made at the first call. */
struct loop *turns_loop(void);
/* So many turns, whether there is something to do or not. */
void turns_make(unsigned n);
/* Descriptors that are open. */
unsigned turns_descriptors(void);
/* What a non-blocking stream has, up to max bytes; *ret_ended: and nothing will follow. */
size_t turns_read(int fd, char *buf, size_t max, bool *ret_ended);

#endif
