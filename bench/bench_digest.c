/*
 * How fast each way of computing a CRC32C is on this machine, beside a plain
 * loop over the crc32 instruction (the usual first attempt).  One CSV row a way and
 * size: way, what, bytes, nanoseconds a call, GB/s, and the ratio to the plain loop.
 * The best of several rounds counts: everything else is somebody else's time.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "core/digest.h"
#include "core/digest_impl.h"

#define ROUNDS      7
#define ROUND_BYTES (64u << 20)
#define MAX_BYTES   (256u << 10)

static uint8_t src[MAX_BYTES], dst[MAX_BYTES];
static volatile uint32_t sink;

static double
now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

enum what { CRC, COPY, BHS };

static double
best_ns(const struct digest_impl *impl, enum what what, size_t n)
{
	size_t calls = ROUND_BYTES / n / (impl->crc == digest_soft_crc ? 16 : 1);
	double best = 1e18;

	for (int round = 0; round < ROUNDS; round++) {
		double start = now_ns(), ns;

		/* Each call depends on the one before it, as PDUs of one stream do not: the worst
		 * case. */
		for (size_t i = 0; i < calls; i++)
			if (what == CRC) {
				sink = impl->crc(sink, src, n);
			} else if (what == COPY) {
				sink = impl->copy(sink, dst, src, n);
			} else {
				/* A whole word, or the load would wait for the store to leave the
				 * queue. */
				uint64_t word = sink;

				memcpy(src, &word, sizeof word);
				sink = digest_bhs(src);
			}
		ns = (now_ns() - start) / (double)calls;
		if (ns < best)
			best = ns;
	}
	return best;
}

static void
row(const char *name, const char *what, size_t n, double ns, double plain_ns)
{
	printf("%s,%s,%zu,%.1f,%.2f,%.2f\n", name, what, n, ns, (double)n / ns, plain_ns / ns);
}

int
main(void)
{
	static const size_t sizes[] = { 48, 128, 256, 512, 1024, 4096, 8192, 65536, 262144 };
	const struct digest_impl *impl, *plain = digest_impl(1);

	/* The second way is the processor's instruction in a plain loop. */
	if (plain == NULL || !plain->usable())
		plain = digest_impl(0);
	for (size_t i = 0; i < sizeof src; i++)
		src[i] = (uint8_t)(i * 31 + (i >> 8));
	printf("way,what,bytes,ns,GBps,times_plain\n");
	for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
		size_t n = sizes[s];
		double crc = best_ns(plain, CRC, n), copy = best_ns(plain, COPY, n);

		for (size_t i = 0; (impl = digest_impl(i)) != NULL; i++) {
			if (!impl->usable())
				continue;
			row(impl->name, "crc", n, best_ns(impl, CRC, n), crc);
			row(impl->name, "copy", n, best_ns(impl, COPY, n), copy);
		}
		if (n == DIGEST_BHS_BYTES)
			row("inline", "bhs", n, best_ns(plain, BHS, n), crc);
	}
	return 0;
}
