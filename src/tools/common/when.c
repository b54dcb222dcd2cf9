#include "tools/common/when.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cut.h"

/* "30m": so many seconds; -1: it is no such text. */
static long
ago(const char *text)
{
	static const struct {
		char unit;
		long seconds;
	} units[] = { { 's', 1 }, { 'm', 60 }, { 'h', 3600 }, { 'd', 86400 } };
	size_t digits = strspn(text, "0123456789");

	if (digits == 0 || digits > 9 || strlen(text) != digits + 1)
		return -1;
	for (size_t i = 0; i < sizeof units / sizeof units[0]; i++)
		if (text[digits] == units[i].unit)
			return strtol(text, NULL, 10) * units[i].seconds;
	return -1;
}

/* One of the shapes, all of the text; `tm` has what the text does not say. */
static bool
read_shape(const char *text, struct tm *tm)
{
	static const char *const shapes[] = { "%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M",
		"%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S", "%H:%M", "%H:%M:%S" };

	for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
		struct tm t = *tm;
		const char *end = strptime(text, shapes[i], &t);

		if (end != NULL && *end == '\0') {
			*tm = t;
			return true;
		}
	}
	return false;
}

static bool
read_time(const char *text, time_t now, time_t *ret)
{
	size_t len = strlen(text);
	bool is_utc = len > 0 && text[len - 1] == 'Z';
	long before = ago(text);
	char copy[32];
	struct tm tm;

	if (before >= 0) {
		*ret = before < now ? now - before : 0;
		return true;
	}
	if (len >= sizeof copy || (is_utc ? gmtime_r(&now, &tm) : localtime_r(&now, &tm)) == NULL)
		return false;
	memcpy(copy, text, len + 1);
	copy[len - is_utc] = '\0';
	tm.tm_hour = tm.tm_min = tm.tm_sec = 0;
	tm.tm_isdst = -1;
	if (!read_shape(copy, &tm))
		return false;
	*ret = is_utc ? timegm(&tm) : mktime(&tm);
	return *ret >= 0;
}

bool
when_parse(const char *text, time_t now, char ret_utc[static WHEN_UTC_BYTES])
{
	struct tm tm;
	time_t t;

	return read_time(text, now, &t) && gmtime_r(&t, &tm) != NULL &&
	       strftime(ret_utc, WHEN_UTC_BYTES, "%Y-%m-%dT%H:%M:%S.000Z", &tm) > 0;
}

void
when_local(const char *utc, char ret[static WHEN_LOCAL_BYTES])
{
	struct tm tm = { 0 };
	char part[8] = "", zone[16];
	const char *end = strptime(utc, "%Y-%m-%dT%H:%M:%S", &tm);
	time_t t;
	size_t n;

	if (end != NULL && end[0] == '.' && strspn(end + 1, "0123456789") == 3 &&
	    strcmp(end + 4, "Z") == 0)
		memcpy(part, end, 4);
	else if (end == NULL || strcmp(end, "Z") != 0) {
		cut_copy(ret, WHEN_LOCAL_BYTES, utc);
		return;
	}
	t = timegm(&tm);
	if (localtime_r(&t, &tm) == NULL || strftime(zone, sizeof zone, "%z", &tm) == 0) {
		cut_copy(ret, WHEN_LOCAL_BYTES, utc);
		return;
	}
	n = strftime(ret, WHEN_LOCAL_BYTES, "%Y-%m-%d %H:%M:%S", &tm);
	(void)snprintf(ret + n, WHEN_LOCAL_BYTES - n, "%s %s", part, zone); /* fits */
}

void
when_now(char ret_utc[static WHEN_UTC_BYTES])
{
	char seconds[WHEN_UTC_BYTES];
	struct timespec now;
	struct tm tm;

	(void)clock_gettime(CLOCK_REALTIME, &now); /* it cannot fail */
	(void)gmtime_r(&now.tv_sec, &tm);
	(void)strftime(
	    seconds, sizeof seconds, "%Y-%m-%dT%H:%M:%S", &tm); /* fits until the year 9999 */
	(void)snprintf(ret_utc, WHEN_UTC_BYTES, "%.19s.%03uZ", seconds,
	    (unsigned)(now.tv_nsec / 1000000) % 1000); /* fits */
}
