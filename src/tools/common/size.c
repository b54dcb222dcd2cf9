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

void
size_count(double n, char ret[static SIZE_TEXT_BYTES])
{
	static const char units[] = " kMGTPE";
	unsigned u = 0;

	if (n < 9999.5) {
		/* fits, as below */
		(void)snprintf(ret, SIZE_TEXT_BYTES, "%.*f", n < 9.95 && n != (double)(long)n, n);
		return;
	}
	while (n >= 999.5 && u + 2 < sizeof units) {
		n /= 1000;
		u++;
	}
	(void)snprintf(ret, SIZE_TEXT_BYTES, "%.*f%c", n < 9.995 ? 2 : n < 99.95, n, units[u]);
}

void
size_time(double us, char ret[static SIZE_TEXT_BYTES])
{
	double n = us < 999.5 ? us : us < 999500 ? us / 1000 : us / 1000000;
	const char *unit = us < 999.5 ? "us" : us < 999500 ? "ms" : "s";

	(void)snprintf(ret, SIZE_TEXT_BYTES, "%.*f %s",
	    us < 999.5  ? 0
	    : n < 9.995 ? 2
			: n < 99.95,
	    n, unit); /* fits */
}
