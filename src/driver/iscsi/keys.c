#include "driver/iscsi/keys.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/addr.h"
#include "export/filterspec.h"

const char *
keys_level_name(enum keys_level level)
{
	static const char *const names[KEYS_LEVELS] = { "default", "global", "target", "address" };

	return names[level];
}

static void
merge_key(const struct keys_config *config, enum key_id key, struct keys_effective *e)
{
	e->from[key] = KEYS_DEFAULT;
	for (int level = KEYS_LEVELS - 1; level > KEYS_DEFAULT; level--) {
		const char *value = config->value[level][key];

		if (value == NULL)
			continue;
		if (neg_parse_value(key, value, &e->offer) == NEG_PARSE_OK) {
			e->from[key] = (uint8_t)level;
			return;
		}
		e->is_bad[key] = true;
	}
}

void
keys_merge(const struct keys_config *config, struct keys_effective *ret)
{
	memset(ret, 0, sizeof *ret);
	neg_offer_default(&ret->offer);
	for (size_t k = 0; k < neg_param_count(); k++)
		merge_key(config, (enum key_id)k, ret);
	/*
	 * 13.14: "FirstBurstLength MUST NOT exceed MaxBurstLength."  The two may be
	 * configured at different levels, so only here is it known.
	 */
	if (ret->offer.first_burst > ret->offer.max_burst)
		ret->offer.first_burst = ret->offer.max_burst;
}

/* ---- what a user writes ---- */

static bool
find_keys(const char *name, struct keys_change *c)
{
	if (strcasecmp(name, "bothdigest") == 0) {
		c->key[0] = KEY_header_digest;
		c->key[1] = KEY_data_digest;
		c->n = 2;
		return true;
	}
	for (size_t k = 0; k < neg_param_count(); k++)
		if (strcasecmp(neg_key_info((enum key_id)k)->name, name) == 0) {
			c->key[0] = (enum key_id)k;
			c->n = 1;
			return true;
		}
	return false;
}

static const struct {
	const char *name, *takes;
} paths[KEYS_PATHS] = {
#define ROUTE(id, name, bytes, takes, text) [KEYS_PATH_##id] = { name, takes },
#include "ini/routes.def"
}, share =
#define SHARE(id, name, bytes, takes, text) { name, takes };
#include "ini/routes.def"

/* Of any kind. */
static bool
find_change(const char *name, struct keys_change *c)
{
	if (find_keys(name, c))
		return true;
	c->n = 1;
	c->kind = KEYS_TIMER;
	if (timers_find(name, &c->timer))
		return true;
	c->kind = KEYS_CHOICE;
	if (choices_find(name, &c->choice))
		return true;
	c->kind = KEYS_SHARE;
	if (strcasecmp(share.name, name) == 0)
		return true;
	c->kind = KEYS_PATH;
	for (int i = 0; i < KEYS_PATHS; i++)
		if (strcasecmp(paths[i].name, name) == 0) {
			c->path = (enum keys_path)i;
			return true;
		}
	return false;
}

const char *
keys_change_name(const struct keys_change *c, unsigned i)
{
	switch (c->kind) {
	case KEYS_TIMER:
		return timers_info(c->timer)->name;
	case KEYS_PATH:
		return paths[c->path].name;
	case KEYS_SHARE:
		return share.name;
	case KEYS_CHOICE:
		return choices_name(c->choice);
	case KEYS_LOGIN:
		break;
	}
	return neg_key_info(c->key[i])->name;
}

bool
keys_wait_for_login(const struct keys_change *c)
{
	return c->kind != KEYS_PATH || c->path != KEYS_PATH_filters;
}

static void
say_keys(char why[KEYS_WHY_BYTES], const char *name)
{
	int n = snprintf(
	    why, KEYS_WHY_BYTES, "there is no login key \"%.40s\"; there are bothdigest", name);

	for (size_t k = 0; k < neg_param_count() && n < KEYS_WHY_BYTES; k++)
		n += snprintf(why + n, (size_t)(KEYS_WHY_BYTES - n), ", %s",
		    neg_key_info((enum key_id)k)->name);
	for (int t = 0; t < TIMER_COUNT && n < KEYS_WHY_BYTES; t++)
		n += snprintf(why + n, (size_t)(KEYS_WHY_BYTES - n), ", %s",
		    timers_info((enum timer_id)t)->name);
	for (int i = 0; i < KEYS_PATHS && n < KEYS_WHY_BYTES; i++)
		n += snprintf(why + n, (size_t)(KEYS_WHY_BYTES - n), ", %s", paths[i].name);
	for (int i = 0; i < CHOICE_COUNT && n < KEYS_WHY_BYTES; i++)
		n += snprintf(
		    why + n, (size_t)(KEYS_WHY_BYTES - n), ", %s", choices_name((enum choice_id)i));
	if (n < KEYS_WHY_BYTES)
		(void)snprintf(
		    why + n, (size_t)(KEYS_WHY_BYTES - n), ", %s", share.name); /* as above */
}

/* What the key takes, behind a sentence that says what is wrong. */
static void
say_values(char why[KEYS_WHY_BYTES], const struct key_info *k, const char *given, const char *wrong)
{
	int n = snprintf(
	    why, KEYS_WHY_BYTES, "%s cannot be \"%.60s\": %s; it takes ", k->name, given, wrong);
	const char *comma = "";

	if (n >= KEYS_WHY_BYTES)
		return;
	why += n;
	n = KEYS_WHY_BYTES - n;
	if (k->type == KEY_TYPE_NUM && k->can_min == k->can_max) {
		(void)snprintf(why, (size_t)n, "only %u here", k->can_min); /* short */
		return;
	}
	if (k->type == KEY_TYPE_NUM) {
		(void)snprintf(why, (size_t)n, "a number from %u to %u", k->can_min, k->can_max);
		return;
	}
	if (k->type == KEY_TYPE_BOOL) {
		(void)snprintf(why, (size_t)n, "%s",
		    k->can_min == k->can_max ? (k->can_min != 0 ? "only Yes here" : "only No here")
					     : "Yes or No");
		return;
	}
	for (size_t v = 0; v < k->n_values && n > 0; v++) {
		int len;

		if (!k->values[v].can)
			continue;
		len = snprintf(why, (size_t)n, "%s%s", comma, k->values[v].name);
		comma = ", ";
		why += len;
		n -= len;
	}
}

/* The word as the RFC writes it, or as it came. */
static const char *
canonical(const struct key_info *k, const char *word)
{
	if (k->type == KEY_TYPE_BOOL)
		return strcasecmp(word, "yes") == 0  ? "Yes"
		       : strcasecmp(word, "no") == 0 ? "No"
						     : word;
	for (size_t v = 0; v < k->n_values; v++)
		if (strcasecmp(k->values[v].name, word) == 0)
			return k->values[v].name;
	return word;
}

/* Words of `values`, as the RFC writes them, into c->value; false: they do not fit. */
static bool
rewrite(const struct key_info *k, const char *values, struct keys_change *c, unsigned *ret_n)
{
	char word[KEYS_VALUE_BYTES];
	size_t used = 0;

	*ret_n = 0;
	for (;;) {
		size_t n = strcspn(values, ",");
		int len;

		if (n >= sizeof word)
			return false;
		memcpy(word, values, n);
		word[n] = '\0';
		len = snprintf(c->value + used, sizeof c->value - used, "%s%s",
		    *ret_n > 0 ? "," : "", canonical(k, word));
		if (len < 0 || (size_t)len >= sizeof c->value - used)
			return false;
		used += (size_t)len;
		++*ret_n;
		if (values[n] == '\0')
			return true;
		values += n + 1;
	}
}

static bool
parse_timer(const char *values, struct keys_change *c, char why[KEYS_WHY_BYTES])
{
	const struct timer_info *t = timers_info(c->timer);
	char min[TIMERS_TEXT_BYTES], max[TIMERS_TEXT_BYTES];
	uint32_t ms;

	if (!timers_parse(c->timer, values, &ms)) {
		timers_print(t->min_ms, min);
		timers_print(t->max_ms, max);
		(void)snprintf(why, KEYS_WHY_BYTES,
		    "%s cannot be \"%.60s\": it takes seconds, from %s to %s", t->name, values, min,
		    max); /* the room is for this */
		return false;
	}
	timers_print_value(c->timer, ms, c->value);
	return true;
}

/* The kernel's rule for the name of an interface or an algorithm, and its length. */
static bool
is_kernels_name(const char *text)
{
	return text[0] != '\0' && strlen(text) < 16 && strpbrk(text, "/ \t\n:") == NULL;
}

/* What is wrong with it is in `wrong`, or "". */
static bool
is_path(enum keys_path path, const char *values, char wrong[FILTERSPEC_WHY_BYTES])
{
	struct filterspec s;
	struct addr a;

	wrong[0] = '\0';
	switch (path) {
	case KEYS_PATH_source_address:
		return addr_parse_host(values, &a) == ADDR_OK && addr_is_literal(&a);
	case KEYS_PATH_interface:
	case KEYS_PATH_congestion_control:
		return is_kernels_name(values);
	case KEYS_PATH_filters:
		return values[0] != '\0' && filterspec_parse(values, 0, &s, wrong);
	case KEYS_PATHS:
		break;
	}
	return false;
}

static bool
parse_path(const char *values, struct keys_change *c, char why[KEYS_WHY_BYTES])
{
	char wrong[FILTERSPEC_WHY_BYTES];

	if (is_path(c->path, values, wrong) && strlen(values) < sizeof c->value) {
		(void)snprintf(c->value, sizeof c->value, "%s", values); /* it fits */
		return true;
	}
	(void)snprintf(why, KEYS_WHY_BYTES, "%s cannot be \"%.60s\": %s%sit takes %s",
	    paths[c->path].name, values, wrong, wrong[0] != '\0' ? "; " : "",
	    paths[c->path].takes); /* the room is for this */
	return false;
}

static bool
parse_share(const char *values, struct keys_change *c, char why[KEYS_WHY_BYTES])
{
	char *end;
	unsigned long n = strtoul(values, &end, 10);

	if (*end == '\0' && values[0] >= '0' && values[0] <= '9' && n <= LIMIT_SESSIONS) {
		(void)snprintf(c->value, sizeof c->value, "%lu", n); /* fits */
		return true;
	}
	(void)snprintf(why, KEYS_WHY_BYTES, "%s cannot be \"%.60s\": it takes %s, from 0 to %u",
	    share.name, values, share.takes, LIMIT_SESSIONS); /* fits */
	return false;
}

static bool
parse_choice(const char *values, struct keys_change *c, char why[KEYS_WHY_BYTES])
{
	const char *word;
	unsigned way;
	int n;

	if (choices_parse(c->choice, values, &way)) {
		(void)snprintf(
		    c->value, sizeof c->value, "%s", choices_word(c->choice, way)); /* fits */
		return true;
	}
	n = snprintf(why, KEYS_WHY_BYTES, "%s cannot be \"%.60s\": it takes ",
	    choices_name(c->choice), values);
	for (unsigned i = 0; (word = choices_word(c->choice, i)) != NULL; i++)
		n += snprintf(why + n, (size_t)(KEYS_WHY_BYTES - n), "%s%s",
		    i == 0                                   ? ""
		    : choices_word(c->choice, i + 1) != NULL ? ", "
							     : " or ",
		    word); /* short words: they fit */
	return false;
}

/* What is no login key. */
static bool
parse_other(const char *values, struct keys_change *c, char why[KEYS_WHY_BYTES])
{
	switch (c->kind) {
	case KEYS_TIMER:
		return parse_timer(values, c, why);
	case KEYS_PATH:
		return parse_path(values, c, why);
	case KEYS_SHARE:
		return parse_share(values, c, why);
	case KEYS_CHOICE:
		return parse_choice(values, c, why);
	case KEYS_LOGIN:
		break;
	}
	return false;
}

bool
keys_parse(
    const char *name, const char *values, struct keys_change *ret, char ret_why[KEYS_WHY_BYTES])
{
	struct keys_change c = { 0 };
	const struct key_info *k;
	struct neg_offer offer;
	enum neg_parse p;
	unsigned n;

	if (!find_change(name, &c)) {
		say_keys(ret_why, name);
		return false;
	}
	if (strcasecmp(values, "default") == 0) {
		c.is_unset = true;
		*ret = c;
		return true;
	}
	if (c.kind != KEYS_LOGIN) {
		if (!parse_other(values, &c, ret_why))
			return false;
		*ret = c;
		return true;
	}
	k = neg_key_info(c.key[0]);
	if (!rewrite(k, values, &c, &n)) {
		say_values(ret_why, k, values, "that is too long");
		return false;
	}
	if (k->type == KEY_TYPE_LIST && n > KEYS_VALUES_MAX) {
		say_values(ret_why, k, values, "these are more than two values");
		return false;
	}
	neg_offer_default(&offer);
	p = neg_parse_value(c.key[0], c.value, &offer);
	if (p != NEG_PARSE_OK) {
		say_values(ret_why, k, values, neg_parse_text(p));
		return false;
	}
	*ret = c;
	return true;
}
