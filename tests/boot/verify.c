/*
 * verify DEVICE SECONDS: four threads write blocks of 4 KiB past every cache and note what was
 * acknowledged last; then all of it is read.  One line: "writes=N errors=N checked=N bad=N
 * longest_ms=N".  For guests that have nothing else.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define THREADS 4
#define BLOCKS  1024
#define BYTES   4096

static struct writer {
	pthread_t thread;
	unsigned number;
	uint32_t written[BLOCKS]; /* generation; 0: never */
	unsigned long writes, errors;
	int64_t longest_ms;
} writers[THREADS];
static const char *device;
static int64_t end_ms;

static int64_t
now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void
fill(uint32_t *block, unsigned number, uint32_t at, uint32_t generation)
{
	for (uint32_t i = 0; i < BYTES / sizeof *block; i++)
		block[i] = generation ^ (at << 8) ^ (number << 30) ^ i;
}

static off_t
place(unsigned number, uint32_t at)
{
	return ((off_t)number * BLOCKS + at) * BYTES;
}

static void *
run(void *arg)
{
	struct writer *w = arg;
	uint32_t *block = aligned_alloc(BYTES, BYTES), generation = 1,
		 random = w->number * 7919 + 1;
	int fd = open(device, O_RDWR | O_DIRECT | O_CLOEXEC);

	while (fd >= 0 && now_ms() < end_ms) {
		uint32_t at = ((random = random * 1103515245 + 12345) >> 8) % BLOCKS;
		int64_t began = now_ms();

		fill(block, w->number, at, generation);
		if (pwrite(fd, block, BYTES, place(w->number, at)) == BYTES)
			w->written[at] = generation;
		else
			w->errors++;
		generation++;
		w->writes++;
		if (now_ms() - began > w->longest_ms)
			w->longest_ms = now_ms() - began;
	}
	if (fd < 0)
		w->errors++;
	else
		close(fd);
	free(block);
	return NULL;
}

/* What is there now, against what was acknowledged last. */
static void
check(unsigned long *ret_checked, unsigned long *ret_bad)
{
	uint32_t *block = aligned_alloc(BYTES, BYTES), want[BYTES / sizeof(uint32_t)];
	int fd = open(device, O_RDONLY | O_DIRECT | O_CLOEXEC);

	for (unsigned n = 0; n < THREADS; n++)
		for (uint32_t at = 0; at < BLOCKS; at++) {
			if (writers[n].written[at] == 0)
				continue;
			++*ret_checked;
			fill(want, n, at, writers[n].written[at]);
			*ret_bad += pread(fd, block, BYTES, place(n, at)) != BYTES ||
				    memcmp(block, want, BYTES) != 0;
		}
	if (fd >= 0)
		close(fd);
	free(block);
}

int
main(int argc, char **argv)
{
	unsigned long writes = 0, errors = 0, checked = 0, bad = 0;
	int64_t longest_ms = 0;

	if (argc != 3)
		return 2;
	device = argv[1];
	end_ms = now_ms() + strtol(argv[2], NULL, 10) * 1000;
	for (unsigned n = 0; n < THREADS; n++) {
		writers[n].number = n;
		if (pthread_create(&writers[n].thread, NULL, run, &writers[n]) != 0)
			return 1;
	}
	for (unsigned n = 0; n < THREADS; n++) {
		pthread_join(writers[n].thread, NULL);
		writes += writers[n].writes;
		errors += writers[n].errors;
		if (writers[n].longest_ms > longest_ms)
			longest_ms = writers[n].longest_ms;
	}
	check(&checked, &bad);
	printf("writes=%lu errors=%lu checked=%lu bad=%lu longest_ms=%lld\n", writes, errors,
	    checked, bad, (long long)longest_ms);
	return errors == 0 && bad == 0 && checked > 0 ? 0 : 1;
}
