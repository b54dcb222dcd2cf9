/* iname_compare() and its kin: names as RFC 3722 compares them. */
#include <string.h>

#include "base/utf8.h"
#include "core/iname.h"

/* A character becomes so many at most. */
#define FOLD_MAX 3

static const struct {
	uint32_t first, last, step;
	int32_t delta;
} folds[] = {
#define FOLD(first, last, step, delta) { first, last, step, delta },
#include "core/iname_fold.def"
};

static const struct {
	uint32_t c, to[FOLD_MAX];
} long_folds[] = {
#define FOLD_TO(c, ...) { c, { __VA_ARGS__ } },
#include "core/iname_fold.def"
};

/* A name that is read character by character, folded. */
struct reader {
	const char *p, *end;
	uint32_t next[FOLD_MAX]; /* what the last character became and was not read yet; 0: none */
};

static void
fold(uint32_t c, uint32_t to[FOLD_MAX])
{
	if (c < 0x80) { /* nearly all there are */
		to[0] = c >= 'A' && c <= 'Z' ? c | 0x20 : c;
		return;
	}
	for (size_t i = 0; i < sizeof long_folds / sizeof long_folds[0]; i++)
		if (long_folds[i].c == c) {
			memcpy(to, long_folds[i].to, sizeof long_folds[i].to);
			return;
		}
	to[0] = c;
	for (size_t i = 0; i < sizeof folds / sizeof folds[0] && c >= folds[i].first; i++)
		if (c <= folds[i].last && (c - folds[i].first) % folds[i].step == 0)
			to[0] = (uint32_t)((int32_t)c + folds[i].delta);
}

/* 0: the end.  A byte that is no UTF-8 is a character of its own, beyond all others. */
static uint32_t
read_next(struct reader *r)
{
	uint32_t c = r->next[0];

	if (c == 0 && r->p < r->end) {
		size_t n = utf8_length(r->p, (size_t)(r->end - r->p));

		if (n == 0)
			r->next[0] = 0x110000 + (unsigned char)*r->p;
		else
			fold(utf8_code(r->p, n), r->next);
		r->p += n > 0 ? n : 1;
		c = r->next[0];
	}
	r->next[0] = r->next[1];
	r->next[1] = r->next[2];
	r->next[2] = 0;
	return c;
}

int
iname_compare(const char *a, size_t a_len, const char *b, size_t b_len)
{
	struct reader x = { .p = a, .end = a + a_len }, y = { .p = b, .end = b + b_len };
	uint32_t c, d;

	do {
		c = read_next(&x);
		d = read_next(&y);
	} while (c == d && c != 0);
	return c < d ? -1 : c > d;
}

bool
iname_same(const char *a, const char *b)
{
	return iname_compare(a, strlen(a), b, strlen(b)) == 0;
}

uint64_t
iname_hash(const char *name)
{
	struct reader r = { .p = name, .end = name + strlen(name) };
	uint64_t h = 0xcbf29ce484222325u; /* FNV-1a, a character a step */
	uint32_t c;

	while ((c = read_next(&r)) != 0)
		h = (h ^ c) * 0x100000001b3u;
	return h;
}
