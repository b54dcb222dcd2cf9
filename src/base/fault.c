#include "base/fault.h"

#include <stdarg.h>
#include <stdio.h>

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
