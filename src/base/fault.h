/*
 * Why something did not work: a code, a sentence that says what happened and
 * why, and one that says what to do.  A struct fault is what every layer hands
 * up, and what a person reads.
 */
#ifndef BASE_FAULT_H
#define BASE_FAULT_H

#include <stdbool.h>

#define FAULT_MESSAGE_BYTES 512

enum fault_code {
#define FAULT(id, text) FAULT_##id,
#include "base/fault.def"
};

struct fault {
	bool is_set;
	bool is_silent; /* there is no network yet: nothing to tell a person */
	enum fault_code code;
	char message[FAULT_MESSAGE_BYTES];
	char next[256];
};

/* `next` may be "". */
void fault_set(struct fault *f, enum fault_code code, const char *next, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
void fault_clear(struct fault *f);

/*
 * What is kept for long, and is seldom there: *slot is NULL as long as there is none.  `why`: NULL,
 * or not set, ends it.  Without memory for it, one is kept that says no more than that.
 */
void fault_keep(const struct fault **slot, const struct fault *why);
/* NULL: one that is not set. */
const struct fault *fault_kept(const struct fault *kept);

#endif
