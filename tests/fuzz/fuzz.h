/*
 * What the harnesses share.  A harness is fuzz_NAME.c: it defines
 * LLVMFuzzerTestOneInput(), which takes any bytes, and its head comment has a
 * line "Covers:" with the files whose coverage it answers for.
 */
#ifndef FUZZ_FUZZ_H
#define FUZZ_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cursor.h"

/* libFuzzer's names, which are not ours to choose. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);

/* What must hold whatever came: else the program aborts, which is a finding. */
#define FUZZ_CHECK(condition) \
	((condition) ? (void)0 : fuzz_fail(__FILE__, __LINE__, __func__, #condition))
_Noreturn void fuzz_fail(const char *file, int line, const char *function, const char *condition);

/* What is left of the input, up to the next byte `end` (which is passed) or to its end: a string of
 * its own, exactly as long as it must be, for free(). */
char *fuzz_string(struct cursor *in, uint8_t end);
/* All that is left, in memory of its own, for free(); *ret_n may be 0. */
uint8_t *fuzz_rest(struct cursor *in, size_t *ret_n);

/* A hash to tell two runs' results apart: begin with 0. */
uint64_t fuzz_hash(uint64_t hash, const void *bytes, size_t n);

/* A path in a directory of this process's own, which is made at the first call and gone at the
 * process's end; static memory, which the next call uses again. */
const char *fuzz_path(const char *name);
/* Nothing that the product prints or logs is seen from now on; what libFuzzer says is. */
void fuzz_quiet(void);

#endif
