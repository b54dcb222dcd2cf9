/*
 * Four threads write and read one disk:
 * bytes of blocks they share, and large ranges of their own, while the device
 * answers in a mixed order.  Each knows what its bytes must be.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "export/fusetest.h"

#define THREADS 4
#define ROUNDS  2500
/* The first part: stripes of this many bytes, in turn; no multiple of a block. */
#define STRIPE 1000u
#define SHARED (256u << 10)
/* The second part: a range for each. */
#define OWN  (1u << 20)
#define SIZE (SHARED + THREADS * OWN)

struct actor {
	pthread_t thread;
	unsigned id;
	int fd;
	uint64_t random;
	uint8_t *model; /* the whole device; only the bytes of this actor count */
	uint8_t *buf;
	const char *trouble;
};

static unsigned
pick(struct actor *a, unsigned below)
{
	a->random ^= a->random << 13;
	a->random ^= a->random >> 7;
	a->random ^= a->random << 17;
	return (unsigned)(a->random % below);
}

/* A range of the actor's own: inside one of its stripes, or in its part. */
static void
pick_range(struct actor *a, unsigned *ret_off, unsigned *ret_len)
{
	unsigned base, size, off;

	if (pick(a, 3) > 0) {
		base = (pick(a, SHARED / STRIPE / THREADS) * THREADS + a->id) * STRIPE;
		size = STRIPE;
	} else {
		base = SHARED + a->id * OWN;
		size = OWN;
	}
	off = pick(a, size);
	*ret_off = base + off;
	*ret_len = 1 + pick(a, size - off);
	if (size == OWN && pick(a, 2) == 0) {
		*ret_off &= ~4095u;
		*ret_len = *ret_len + 4095 < base + size - *ret_off ? (*ret_len + 4095) & ~4095u
								    : base + size - *ret_off;
	}
}

static const char *
act(struct actor *a)
{
	unsigned off, len;

	pick_range(a, &off, &len);
	switch (pick(a, 8)) {
	case 0:
		if (fallocate(a->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, off, len) < 0)
			return "punch";
		memset(a->model + off, 0, len);
		break;
	case 1:
		if (fsync(a->fd) < 0)
			return "fsync";
		break;
	case 2:
	case 3:
	case 4:
		memset(a->buf, (int)pick(a, 255) + 1, len);
		a->buf[len - 1] ^= 0x80;
		if (pwrite(a->fd, a->buf, len, off) != (ssize_t)len)
			return "write";
		memcpy(a->model + off, a->buf, len);
		break;
	default:
		if (pread(a->fd, a->buf, len, off) != (ssize_t)len)
			return "read";
		if (memcmp(a->buf, a->model + off, len) != 0)
			return "data";
		break;
	}
	return NULL;
}

static void *
actor_run(void *arg)
{
	struct actor *a = arg;

	for (unsigned i = 0; i < ROUNDS && a->trouble == NULL; i++)
		a->trouble = act(a);
	return NULL;
}

/* Does the device have in each byte what its owner wrote last? */
static bool
is_right(const struct memdev *m, const struct actor *actors)
{
	for (unsigned i = 0; i < SIZE; i++) {
		unsigned stripe = i / STRIPE;
		unsigned id = i < SHARED ? stripe % THREADS : (i - SHARED) / OWN;

		if (stripe >= SHARED / STRIPE / THREADS * THREADS && i < SHARED)
			continue; /* the rest is nobody's */
		if (m->mem[i] != actors[id].model[i]) {
			printf("byte %u of actor %u\n", i, id);
			return false;
		}
	}
	return true;
}

static void
run_actors(uint32_t block_bytes, uint32_t max_io_bytes, uint64_t seed)
{
	struct actor actors[THREADS] = { 0 };
	struct fusetest t;
	struct memdev *m;

	fusetest_start(&t);
	m = fusetest_add(&t, "d", SIZE, block_bytes);
	m->dev.max_io_bytes = max_io_bytes;
	m->reorder_seed = seed;
	for (unsigned i = 0; i < THREADS; i++) {
		actors[i].id = i;
		actors[i].random = seed * 1000003 + i;
		actors[i].model = calloc(1, SIZE);
		actors[i].buf = calloc(1, OWN);
		actors[i].fd = fusetest_open(&t, "d", O_RDWR);
		pthread_create(&actors[i].thread, NULL, actor_run, &actors[i]);
	}
	for (unsigned i = 0; i < THREADS; i++) {
		pthread_join(actors[i].thread, NULL);
		if (actors[i].trouble != NULL)
			printf("actor %u, seed %llu: %s\n", i, (unsigned long long)seed,
			    actors[i].trouble);
		assert_null(actors[i].trouble);
		close(actors[i].fd);
	}
	assert_true(is_right(m, actors));
	for (unsigned i = 0; i < THREADS; i++) {
		free(actors[i].model);
		free(actors[i].buf);
	}
	fusetest_end(&t);
}

static void
threads_that_share_blocks_of_512_bytes_lose_nothing(void **state)
{
	(void)state;
	run_actors(512, 64 << 10, 1);
}

static void
threads_that_share_blocks_of_4096_bytes_lose_nothing(void **state)
{
	(void)state;
	run_actors(4096, 1 << 20, 2);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(threads_that_share_blocks_of_512_bytes_lose_nothing),
		cmocka_unit_test(threads_that_share_blocks_of_4096_bytes_lose_nothing),
	};
	const char *obstacle = fusetest_obstacle();

	if (obstacle != NULL) {
		printf("skipped: %s\n", obstacle);
		return 77;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
