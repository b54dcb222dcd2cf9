#include "ini/timers.h"

#include <assert.h>
#include <stdlib.h>
#include <strings.h>

#define TIMER(id, name, min, max, dflt, text) \
	static_assert((min) <= (dflt) && (dflt) <= (max), name ": default out of range");
#include "ini/timers.def"

static const struct timer_info info[TIMER_COUNT] = {
#define TIMER(id, name_, min_, max_, dflt_, text_) \
	[TIMER_##id] = { name_, text_, min_, max_, dflt_ },
#include "ini/timers.def"
};

const struct timer_info *
timers_info(enum timer_id id)
{
	return &info[id];
}

bool
timers_find(const char *name, enum timer_id *ret_id)
{
	for (int i = 0; i < TIMER_COUNT; i++)
		if (strcasecmp(info[i].name, name) == 0) {
			*ret_id = (enum timer_id)i;
			return true;
		}
	return false;
}

bool
timers_parse(enum timer_id id, const char *text, uint32_t *ret_s)
{
	unsigned long v;
	char *end;

	if (text[0] < '0' || text[0] > '9')
		return false;
	v = strtoul(text, &end, 10);
	if (*end != '\0' || v < info[id].min || v > info[id].max)
		return false;
	*ret_s = (uint32_t)v;
	return true;
}
