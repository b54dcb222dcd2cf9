#include "base/fault.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

void
fault_set(struct fault *f, enum fault_code code, const char *next, const char *fmt, ...)
{
	va_list ap;

	f->is_set = true;
	f->is_silent = false;
	f->code = code;
	va_start(ap, fmt);
	/* A sentence that is too long is cut. */
	(void)vsnprintf(f->message, sizeof f->message, fmt, ap);
	va_end(ap);
	(void)snprintf(f->next, sizeof f->next, "%s", next);
}

void
fault_clear(struct fault *f)
{
	*f = (struct fault){ 0 };
}

static const struct fault no_memory = { .is_set = true,
	.code = FAULT_INTERNAL,
	.message = "there was no memory to keep what is wrong",
	.next = "look at the log" };

void
fault_keep(const struct fault **slot, const struct fault *why)
{
	const struct fault *old = *slot;
	struct fault *kept;

	if (why != NULL && why == old)
		return;
	*slot = NULL;
	if (why != NULL && why->is_set) {
		kept = malloc(sizeof *kept);
		if (kept != NULL)
			*kept = *why;
		*slot = kept != NULL ? kept : &no_memory;
	}
	if (old != &no_memory)
		free((void *)(uintptr_t)old);
}

const struct fault *
fault_kept(const struct fault *kept)
{
	static const struct fault none;

	return kept != NULL ? kept : &none;
}
