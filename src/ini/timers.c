#include "ini/timers.h"

#include <assert.h>
#include <stdio.h>
#include <strings.h>

#include "base/limits.h"

#define TIMER(id, name, min, max, dflt, text) \
	static_assert((min) <= (dflt) && (dflt) <= (max), name ": default out of range");
#include "ini/timers.def"

static const struct timer_info info[TIMER_COUNT] = {
#define TIMER(id, name_, min_, max_, dflt_, text_) \
	[TIMER_##id] = { name_, text_, min_, max_, dflt_ },
#include "ini/timers.def"
};

static const struct {
	enum timer_id id;
	uint32_t ms;
	const char *word;
} words[] = {
#define TIMER_WORD(id, ms, word) { TIMER_##id, (ms), (word) },
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

void
timers_default(struct timers *ret)
{
	for (int i = 0; i < TIMER_COUNT; i++)
		ret->ms[i] = info[i].default_ms;
}

bool
timers_parse(enum timer_id id, const char *text, uint32_t *ret_ms)
{
	uint64_t ms = 0;
	uint32_t place = 1000;

	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (words[i].id == id && strcasecmp(words[i].word, text) == 0) {
			*ret_ms = words[i].ms;
			return true;
		}
	if (*text < '0' || *text > '9')
		return false;
	for (; *text >= '0' && *text <= '9'; text++) {
		ms = ms * 10 + (uint64_t)(*text - '0') * 1000;
		if (ms > info[id].max_ms)
			return false;
	}
	if (*text == '.') {
		text++;
		if (*text == '\0')
			return false;
		for (; *text >= '0' && *text <= '9' && place > 1; text++) {
			place /= 10;
			ms += (uint64_t)(*text - '0') * place;
		}
	}
	if (*text != '\0' || ms < info[id].min_ms || ms > info[id].max_ms)
		return false;
	*ret_ms = (uint32_t)ms;
	return true;
}

void
timers_print(uint32_t ms, char ret_text[TIMERS_TEXT_BYTES])
{
	int n = snprintf(ret_text, TIMERS_TEXT_BYTES, "%u.%03u", ms / 1000, ms % 1000);

	while (ret_text[n - 1] == '0')
		n--;
	if (ret_text[n - 1] == '.')
		n--;
	ret_text[n] = '\0';
}

void
timers_print_value(enum timer_id id, uint32_t ms, char ret_text[TIMERS_TEXT_BYTES])
{
	timers_print(ms, ret_text);
	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (words[i].id == id && words[i].ms == ms)
			(void)snprintf(
			    ret_text, TIMERS_TEXT_BYTES, "%s", words[i].word); /* short */
}

static bool
longer(const struct timers *t, uint64_t sum_ms, const char *sum, enum timer_id id,
    struct fault *ret_fault)
{
	char have[TIMERS_TEXT_BYTES], want[TIMERS_TEXT_BYTES];

	if (sum_ms <= t->ms[id])
		return true;
	timers_print(t->ms[id], have);
	timers_print(sum_ms > UINT32_MAX ? UINT32_MAX : (uint32_t)sum_ms, want);
	fault_set(ret_fault, FAULT_INVALID, "lower these first, or choose a longer one",
	    "%s is %s seconds, which is shorter than %s (%s seconds)", info[id].name, have, sum,
	    want);
	return false;
}

bool
timers_check(const struct timers *t, struct fault *ret_fault)
{
	uint64_t silence = (uint64_t)t->ms[TIMER_nop_interval] + t->ms[TIMER_nop];
	uint64_t recovery =
	    (uint64_t)t->ms[TIMER_command] + t->ms[TIMER_abort] + t->ms[TIMER_reset];

	if (t->ms[TIMER_nop_interval] > 0 &&
	    !longer(t, silence, "NOPInterval and NOPTimeout", TIMER_command, ret_fault))
		return false;
	if (t->ms[TIMER_replacement] == 0)
		return true; /* for ever */
	return longer(t, t->ms[TIMER_login], "LoginTimeout", TIMER_replacement, ret_fault) &&
	       longer(t, recovery, "CommandTimeout, AbortTimeout and ResetTimeout",
		   TIMER_replacement, ret_fault);
}
