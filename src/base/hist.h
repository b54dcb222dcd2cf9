/*
 * How often which value occurred, for latencies: eight steps to a power of two,
 * so a quantile is right to an eighth, whatever its size.  Adding allocates
 * nothing and branches little.  One thread adds; others read a snapshot of a
 * moment ago through hist_copy().
 */
#ifndef BASE_HIST_H
#define BASE_HIST_H

#include <stdint.h>

/* Values up to 2^36-1; larger ones count as the largest. */
#define HIST_BITS  36
#define HIST_STEPS ((HIST_BITS - 2) * 8)

struct hist {
	uint64_t step[HIST_STEPS];
	uint64_t sum, max;
};

/* Which step a value belongs to. */
static inline unsigned
hist_step(uint64_t v)
{
	unsigned top;

	if (v >= UINT64_C(1) << HIST_BITS)
		return HIST_STEPS - 1;
	if (v < 8)
		return (unsigned)v;
	top = 63u - (unsigned)__builtin_clzll(v);
	return (top - 2) * 8 + (unsigned)(v >> (top - 3) & 7);
}

/* The largest value of a step. */
static inline uint64_t
hist_step_max(unsigned i)
{
	unsigned top;

	if (i < 8)
		return i;
	top = i / 8 + 2;
	return (UINT64_C(1) << top) + ((uint64_t)(i % 8 + 1) << (top - 3)) - 1;
}

static inline void
hist_bump(uint64_t *p, uint64_t n)
{
	/* One writer: a reader sees the old or the new number, never half of one. */
	__atomic_store_n(p, *p + n, __ATOMIC_RELAXED);
}

static inline void
hist_add(struct hist *h, uint64_t v)
{
	hist_bump(&h->step[hist_step(v)], 1);
	hist_bump(&h->sum, v);
	if (v > h->max)
		__atomic_store_n(&h->max, v, __ATOMIC_RELAXED);
}

static inline void
hist_copy(struct hist *to, const struct hist *from)
{
	for (unsigned i = 0; i < HIST_STEPS; i++)
		to->step[i] = __atomic_load_n(&from->step[i], __ATOMIC_RELAXED);
	to->sum = __atomic_load_n(&from->sum, __ATOMIC_RELAXED);
	to->max = __atomic_load_n(&from->max, __ATOMIC_RELAXED);
}

static inline void
hist_merge(struct hist *to, const struct hist *from)
{
	for (unsigned i = 0; i < HIST_STEPS; i++)
		to->step[i] += from->step[i];
	to->sum += from->sum;
	if (from->max > to->max)
		to->max = from->max;
}

/* What came after `before` was copied; the maximum stays that of both. */
static inline void
hist_subtract(struct hist *from, const struct hist *before)
{
	for (unsigned i = 0; i < HIST_STEPS; i++)
		from->step[i] -= before->step[i];
	from->sum -= before->sum;
}

static inline uint64_t
hist_count(const struct hist *h)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < HIST_STEPS; i++)
		n += h->step[i];
	return n;
}

/* The value that so many of a thousand do not exceed; 0 where nothing was added. */
static inline uint64_t
hist_permille(const struct hist *h, unsigned permille)
{
	uint64_t n = hist_count(h), rank = (n * permille + 999) / 1000, seen = 0;

	if (n == 0)
		return 0;
	for (unsigned i = 0; i < HIST_STEPS; i++) {
		seen += h->step[i];
		if (seen >= rank && seen > 0)
			return hist_step_max(i) < h->max ? hist_step_max(i) : h->max;
	}
	return h->max;
}

#endif
