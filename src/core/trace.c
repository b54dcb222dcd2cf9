#include "core/trace.h"

size_t
trace_copy(const struct trace *t, struct trace_entry *ret, size_t max)
{
	size_t n = t->count < TRACE_ENTRIES ? (size_t)t->count : TRACE_ENTRIES;

	if (n > max)
		n = max;
	for (size_t i = 0; i < n; i++)
		ret[i] = t->entry[(t->count - n + i) % TRACE_ENTRIES];
	return n;
}
