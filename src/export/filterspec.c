#include "export/filterspec.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define ALL_KINDS  ((1u << FILTERSPEC_KINDS) - 1)
#define WORD_BYTES 128

static const struct {
	const char *word, *parameters;
	unsigned takes;
} rows[FILTER_IDS] = {
#define FILTER(id, word, takes, parameters, ...) [FILTER_##id] = { word, parameters, takes },
#include "export/filter.def"
};

static const char *const kinds[FILTERSPEC_KINDS] = {
#define FILTER_KIND(op, word) [op] = (word),
#include "export/filter.def"
};

static const struct {
	const char *word;
	int err;
} errors[] = {
#define FILTER_ERRNO(name) { #name, -name },
#include "export/filter.def"
};
#define ERRORS (sizeof errors / sizeof *errors)

static const struct {
	const char *word;
	uint32_t us;
} units[] = { { "s", 1000000 }, { "ms", 1000 }, { "us", 1 } };
#define UNITS (sizeof units / sizeof *units)

const char *
filterspec_kind(enum blk_op op)
{
	return kinds[op];
}

/* ---- reading ---- */

__attribute__((format(printf, 2, 3))) static bool
wrong(char why[FILTERSPEC_WHY_BYTES], const char *format, ...)
{
	va_list args;

	va_start(args, format);
	(void)vsnprintf(why, FILTERSPEC_WHY_BYTES, format, args); /* cut, if it is long */
	va_end(args);
	return false;
}

/* Digits at *text, which it moves behind them. */
static bool
number(const char **text, uint64_t max, uint64_t *ret)
{
	char *end;

	if (!isdigit((unsigned char)**text))
		return false;
	errno = 0;
	*ret = strtoull(*text, &end, 10);
	*text = end;
	return errno == 0 && *ret <= max;
}

static bool
is_kind(struct filter *f, const char *word)
{
	for (unsigned i = 0; i < FILTERSPEC_KINDS; i++)
		if (strcasecmp(word, kinds[i]) == 0) {
			f->kinds |= (uint8_t)(1u << i);
			return true;
		}
	return false;
}

static bool
is_share(struct filter *f, const char *word)
{
	uint64_t n;

	if (strncmp(word, "1/", 2) != 0)
		return false;
	word += 2;
	if (!number(&word, UINT32_MAX, &n) || *word != '\0' || n == 0)
		return false;
	f->every = (uint32_t)n;
	return true;
}

static bool
is_range(struct filter *f, const char *word)
{
	uint64_t first, last;

	if (!number(&word, UINT64_MAX - 1, &first) || *word++ != '-' ||
	    !number(&word, UINT64_MAX - 1, &last) || *word != '\0' || last < first)
		return false;
	f->first = first;
	f->last = last;
	return true;
}

static bool
is_time(struct filter *f, const char *word)
{
	uint64_t n;

	if (!number(&word, LIMIT_FILTER_DELAY_US, &n))
		return false;
	for (size_t i = 0; i < UNITS; i++)
		if (strcasecmp(word, units[i].word) == 0 &&
		    n * units[i].us <= LIMIT_FILTER_DELAY_US) {
			f->delay_us = (uint32_t)(n * units[i].us);
			return f->delay_us > 0;
		}
	return false;
}

static bool
is_errno(struct filter *f, const char *word)
{
	for (size_t i = 0; i < ERRORS; i++)
		if (strcasecmp(word, errors[i].word) == 0) {
			f->err = errors[i].err;
			return true;
		}
	return false;
}

static bool
is_parameter(struct filter *f, const char *word)
{
	unsigned takes = rows[f->id].takes;

	if ((takes & TAKES_WHICH) != 0 &&
	    (is_kind(f, word) || is_share(f, word) || is_range(f, word)))
		return true;
	return ((takes & TAKES_TIME) != 0 && is_time(f, word)) ||
	       ((takes & TAKES_ERRNO) != 0 && is_errno(f, word));
}

/* `word` is one filter; it is written to. */
static bool
parse_filter(char *word, struct filter *ret, char why[FILTERSPEC_WHY_BYTES])
{
	struct filter f = { .every = 1, .last = UINT64_MAX, .err = -EIO };
	char *parameters = strchr(word, '='), *p;

	if (parameters != NULL)
		*parameters++ = '\0';
	while (f.id < FILTER_IDS && strcasecmp(word, rows[f.id].word) != 0)
		f.id++;
	if (f.id == FILTER_IDS)
		return wrong(why, "there is no filter \"%s\"", word);
	while ((p = strsep(&parameters, ":")) != NULL)
		if (!is_parameter(&f, p))
			return wrong(why, "\"%s\" is no parameter of %s%s", p, rows[f.id].word,
			    rows[f.id].parameters);
	if ((rows[f.id].takes & TAKES_TIME) != 0 && f.delay_us == 0)
		return wrong(why, "%s needs a time, such as 5ms", rows[f.id].word);
	if (f.kinds == 0)
		f.kinds = ALL_KINDS;
	*ret = f;
	return true;
}

static bool
parse_lun(const char *word, uint64_t *ret)
{
	return number(&word, LIMIT_LUNS - 1, ret) && *word == '\0';
}

bool
filterspec_parse(
    const char *text, uint32_t lun, struct filterspec *ret, char ret_why[FILTERSPEC_WHY_BYTES])
{
	struct filterspec s = { 0 };
	uint64_t of = lun;
	unsigned n = 0;

	for (bool is_more = text[0] != '\0' && strcasecmp(text, "none") != 0; is_more;) {
		size_t len = strcspn(text, ",");
		struct filter f;
		char word[WORD_BYTES];

		if (len >= sizeof word)
			return wrong(ret_why, "\"%.20s…\" is too long", text);
		memcpy(word, text, len);
		word[len] = '\0';
		is_more = text[len] == ',';
		text += len + is_more;
		if (strncasecmp(word, "lun=", 4) == 0) {
			if (!parse_lun(word + 4, &of))
				return wrong(ret_why, "\"%s\" is no LUN", word + 4);
			continue;
		}
		if (!parse_filter(word, &f, ret_why))
			return false;
		if (++n > LIMIT_FILTERS)
			return wrong(ret_why, "these are more than %u filters", LIMIT_FILTERS);
		if (of == lun)
			s.filter[s.n++] = f;
	}
	*ret = s;
	return true;
}

/* ---- writing ---- */

struct text {
	char *at;
	size_t left;
	char before; /* what stands before the next parameter */
};

__attribute__((format(printf, 2, 3))) static void
put(struct text *t, const char *format, ...)
{
	va_list args;
	int n;

	if (t->before != '\0') {
		*t->at++ = t->before;
		t->left--;
	}
	va_start(args, format);
	n = vsnprintf(t->at, t->left, format, args);
	va_end(args);
	t->at += n; /* FILTERSPEC_TEXT_BYTES is enough */
	t->left -= (size_t)n;
	t->before = t->before == '\0' ? '=' : ':';
}

static void
put_time(struct text *t, uint32_t us)
{
	for (size_t i = 0; i < UNITS; i++)
		if (us % units[i].us == 0) {
			put(t, "%u%s", us / units[i].us, units[i].word);
			return;
		}
}

void
filterspec_print(const struct filter *f, char ret_text[FILTERSPEC_TEXT_BYTES])
{
	struct text t = { .at = ret_text, .left = FILTERSPEC_TEXT_BYTES };

	put(&t, "%s", rows[f->id].word);
	for (unsigned i = 0; f->kinds != ALL_KINDS && i < FILTERSPEC_KINDS; i++)
		if ((f->kinds & 1u << i) != 0)
			put(&t, "%s", kinds[i]);
	if (f->every > 1)
		put(&t, "1/%u", f->every);
	if (f->last != UINT64_MAX)
		put(&t, "%llu-%llu", (unsigned long long)f->first, (unsigned long long)f->last);
	if ((rows[f->id].takes & TAKES_TIME) != 0)
		put_time(&t, f->delay_us);
	for (size_t i = 0; i < ERRORS && (rows[f->id].takes & TAKES_ERRNO) != 0; i++)
		if (errors[i].err == f->err)
			put(&t, "%s", errors[i].word);
}
