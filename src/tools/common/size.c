#include "tools/common/size.h"

#include <stdio.h>

void
size_text(uint64_t bytes, char ret[static SIZE_TEXT_BYTES])
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
	double n = (double)bytes;
	unsigned u = 0;

	/* What would be rounded to 1024 is one of the next. */
	while (n >= 1023.5 && u + 1 < sizeof units / sizeof units[0]) {
		n /= 1024;
		u++;
	}
	if (u == 0)
		(void)snprintf(ret, SIZE_TEXT_BYTES, "%u B", (unsigned)bytes); /* fits, as below */
	else
		(void)snprintf(
		    ret, SIZE_TEXT_BYTES, "%.*f %s", n < 9.995 ? 2 : n < 99.95, n, units[u]);
}
