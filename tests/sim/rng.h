/*
 * Chance.  Each component of a world draws from a stream of its own, so that leaving out
 * one fault does not change what all others draw.  splitmix64 (Steele, Lea, Flood 2014).
 */
#ifndef SIM_RNG_H
#define SIM_RNG_H

#include <stdbool.h>
#include <stdint.h>

struct rng {
	uint64_t s;
};

static inline uint64_t
rng_next(struct rng *r)
{
	uint64_t z = r->s += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

/* The stream `who` of a seed. */
static inline void
rng_init(struct rng *r, uint64_t seed, uint64_t who)
{
	r->s = seed * UINT64_C(0xd1342543de82ef95) + who * UINT64_C(0xa0761d6478bd642f);
	r->s = rng_next(r) ^ who;
}

static inline uint32_t
rng_below(struct rng *r, uint32_t n)
{
	return (uint32_t)((rng_next(r) >> 32) * n >> 32);
}

/* From low to high, both included. */
static inline uint64_t
rng_between(struct rng *r, uint64_t low, uint64_t high)
{
	return low + rng_next(r) % (high - low + 1);
}

static inline bool
rng_chance(struct rng *r, uint32_t of_thousand)
{
	return rng_below(r, 1000) < of_thousand;
}

/* Mostly short, seldom long: between low and high, evenly over the orders of magnitude. */
static inline uint64_t
rng_span(struct rng *r, uint64_t low, uint64_t high)
{
	uint64_t top = low;

	while (top < high && rng_chance(r, 600))
		top *= 3;
	return rng_between(r, low, top < high ? top : high);
}

#endif
