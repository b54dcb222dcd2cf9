/*
 * Users of many disks who know each byte that they wrote.
 *
 * usage: load DISKS BLOCKS RATE SEED
 *
 * Each disk has two users, each with half of its blocks, one with O_DIRECT and one
 * without.  A user does one thing at a time: reads, writes of 1 to 512 blocks, flushes;
 * all of them together RATE a second.  All bytes of a block follow from disk, block and
 * version.  Of each block is remembered what was acknowledged last and what was tried since
 * and failed: the block holds the one or any of the other, and from when it was read only
 * what was read.
 *
 * Commands come on the standard input, a line each; each is answered by one line of JSON:
 *
 *   path N FILE     disk N is this file from its next opening
 *   go N            open it and work; N may be "all"
 *   hold N          finish what is under way and close it
 *   check N FILE    a disk that is held: compare all of its blocks, in this file
 *   report [peek]   what was done; the slowest since the last one, which "peek" is not
 *   quit
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
	BLOCK = 512,
	IO_BLOCKS = 512,
	USERS = 2, /* of a disk */
	COMPLAINTS = 20,
	FLUSH_OF = 24, /* one of so many is a flush */
};

struct state {
	uint32_t acked, tried;
};

struct user {
	pthread_t thread;
	struct disk *disk;
	struct state *states;
	uint64_t first, blocks; /* of the disk */
	uint64_t random;
	uint32_t version;
	uint8_t *buf, *want;
	int fd;
	bool is_direct, is_out, is_held;
	uint64_t reads, writes, flushes, bytes, slowest_us,
	    since_us; /* since_us: of the last end; 0: held */
};

struct disk {
	struct user users[USERS];
	char path[4096];
	unsigned number;
	bool is_wanted;
};

static struct load {
	pthread_mutex_t lock;
	pthread_cond_t cond;
	struct disk *disks;
	unsigned n;
	uint64_t blocks, interval_us;
	uint64_t errors, differing;
	char *complaints[COMPLAINTS];
} l = { .lock = PTHREAD_MUTEX_INITIALIZER, .cond = PTHREAD_COND_INITIALIZER };

static uint64_t
now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

/* splitmix64 */
static uint64_t
next(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

/* Called with the lock. */
__attribute__((format(printf, 1, 2))) static void
complain(const char *format, ...)
{
	va_list args;

	for (int i = 0; i < COMPLAINTS; i++) {
		if (l.complaints[i] != NULL)
			continue;
		va_start(args, format);
		if (vasprintf(&l.complaints[i], format, args) < 0)
			l.complaints[i] = NULL;
		va_end(args);
		return;
	}
}

/* A block: disk, number, version, a checksum of the three, and bytes that follow from it.  Version
 * 0: never written, zeros. */
static void
fill(uint8_t *to, unsigned disk, uint64_t block, uint32_t version)
{
	uint64_t words[BLOCK / 8] = { disk, block, version };
	uint64_t sum = disk * 0x100000001b3 ^ block * 0xc2b2ae3d27d4eb4f ^ version;

	for (size_t i = 3; version != 0 && i < BLOCK / 8; i++)
		words[i] = next(&sum);
	if (version == 0)
		memset(words, 0, sizeof words);
	memcpy(to, words, BLOCK);
}

static uint32_t
version_of(const uint8_t *block)
{
	uint64_t version;

	memcpy(&version, block + 16, sizeof version);
	return version > UINT32_MAX ? UINT32_MAX : (uint32_t)version;
}

/* Compares what was read, and settles what it may have been.  Returns how many blocks differ. */
static unsigned
compare(struct user *u, uint64_t at, unsigned n, const uint8_t *got, const char *where)
{
	unsigned bad = 0;

	for (unsigned i = 0; i < n; i++) {
		struct state *s = &u->states[at + i];
		const uint8_t *block = got + (size_t)i * BLOCK;
		uint32_t version = version_of(block);
		bool is_known = version == s->acked || (version > s->acked && version <= s->tried);

		fill(u->want, u->disk->number, u->first + at + i, is_known ? version : s->acked);
		if (is_known && memcmp(block, u->want, BLOCK) == 0) {
			s->acked = s->tried = version;
			continue;
		}
		bad++;
		pthread_mutex_lock(&l.lock);
		l.differing++;
		complain("disk %u, block %" PRIu64 " of %s: version %" PRIu32
			 " is there, acknowledged was %" PRIu32 " and tried %" PRIu32,
		    u->disk->number, u->first + at + i, where, version, s->acked, s->tried);
		pthread_mutex_unlock(&l.lock);
	}
	return bad;
}

static void
failed(struct user *u, const char *what, uint64_t at, int error)
{
	pthread_mutex_lock(&l.lock);
	l.errors++;
	complain("disk %u, %s at block %" PRIu64 ": %s", u->disk->number, what, u->first + at,
	    error == 0 ? "short" : strerror(error));
	u->is_out = true;
	pthread_mutex_unlock(&l.lock);
}

static bool
write_blocks(struct user *u, uint64_t at, unsigned n, size_t bytes, off_t offset)
{
	uint32_t version = ++u->version;
	ssize_t done;

	for (unsigned i = 0; i < n; i++) {
		fill(u->buf + (size_t)i * BLOCK, u->disk->number, u->first + at + i, version);
		u->states[at + i].tried = version;
	}
	done = pwrite(u->fd, u->buf, bytes, offset);
	if (done != (ssize_t)bytes) {
		failed(u, "a write", at, done < 0 ? errno : 0);
		return false;
	}
	for (unsigned i = 0; i < n; i++)
		u->states[at + i].acked = version;
	u->writes++;
	return true;
}

static bool
read_blocks(struct user *u, uint64_t at, unsigned n, size_t bytes, off_t offset)
{
	ssize_t done = pread(u->fd, u->buf, bytes, offset);

	if (done != (ssize_t)bytes) {
		failed(u, "a read", at, done < 0 ? errno : 0);
		return false;
	}
	compare(u, at, n, u->buf, "the disk");
	u->reads++;
	return true;
}

static void
work(struct user *u)
{
	uint64_t r = next(&u->random), began = now_us(), took;
	unsigned n = 1u << (r % 7);
	uint64_t at;
	size_t bytes;
	off_t offset;

	if (r % 13 == 0)
		n = 1 + (unsigned)(r >> 32) % IO_BLOCKS; /* odd and large ones, too */
	at = next(&u->random) % (u->blocks - n + 1);
	bytes = (size_t)n * BLOCK;
	offset = (off_t)((u->first + at) * BLOCK);
	r = next(&u->random);
	if (r % FLUSH_OF == 0) {
		if (fsync(u->fd) != 0) {
			failed(u, "a flush", 0, errno);
			return;
		}
		u->flushes++;
	} else if (!(r >> 40 & 1 ? write_blocks : read_blocks)(u, at, n, bytes, offset)) {
		return;
	} else {
		u->bytes += bytes;
	}
	u->since_us = now_us();
	took = u->since_us - began;
	if (took > u->slowest_us)
		u->slowest_us = took;
}

static void
shut(struct user *u)
{
	if (u->fd >= 0)
		close(u->fd);
	u->fd = -1;
}

/* Waits until the user may work, with its disk closed as long as it may not; false: it is not open.
 */
static bool
ready(struct user *u)
{
	char path[sizeof u->disk->path];

	pthread_mutex_lock(&l.lock);
	if (u->is_out)
		shut(u);
	while (!u->disk->is_wanted) {
		shut(u);
		u->is_held = true;
		u->since_us = 0;
		pthread_cond_broadcast(&l.cond);
		pthread_cond_wait(&l.cond, &l.lock);
	}
	u->is_held = u->is_out = false;
	if (u->since_us == 0)
		u->since_us = now_us();
	memcpy(path, u->disk->path, sizeof path);
	pthread_mutex_unlock(&l.lock);
	if (u->fd >= 0)
		return true;
	u->fd = open(path, O_RDWR | O_CLOEXEC | (u->is_direct ? O_DIRECT : 0));
	if (u->fd < 0)
		failed(u, "opening", 0, errno);
	return u->fd >= 0;
}

static void *
run(void *arg)
{
	struct user *u = arg;
	uint64_t due = now_us() + next(&u->random) % l.interval_us;

	for (;;) {
		uint64_t now;

		if (ready(u))
			work(u);
		else
			usleep(100000); /* no-sleep-ok: a disk that does not open is tried ten times
					   a second */
		now = now_us();
		due = due + l.interval_us > now ? due + l.interval_us : now;
		if (due > now)
			usleep((useconds_t)(due - now)); /* no-sleep-ok: so many a second */
	}
	return NULL;
}

/* The users of a disk hold nothing, if they should not. */
static void
await_held(struct disk *d)
{
	for (unsigned i = 0; i < USERS; i++)
		while (!d->users[i].is_held)
			pthread_cond_wait(&l.cond, &l.lock);
}

static void
check(struct disk *d, const char *path)
{
	unsigned bad = 0;
	int fd = open(path, O_RDONLY | O_CLOEXEC), error = fd < 0 ? errno : 0;

	for (unsigned i = 0; i < USERS && error == 0; i++) {
		struct user *u = &d->users[i];

		for (uint64_t at = 0; at < u->blocks && error == 0; at += IO_BLOCKS) {
			unsigned n =
			    u->blocks - at < IO_BLOCKS ? (unsigned)(u->blocks - at) : IO_BLOCKS;
			ssize_t done =
			    pread(fd, u->buf, (size_t)n * BLOCK, (off_t)((u->first + at) * BLOCK));

			if (done != (ssize_t)n * BLOCK)
				error = done < 0 ? errno : EIO;
			else
				bad += compare(u, at, n, u->buf, path);
		}
	}
	if (fd >= 0)
		close(fd);
	printf("{\"differing\":%u,\"error\":\"%s\"}\n", bad, error == 0 ? "" : strerror(error));
}

static void
report(bool is_peek)
{
	uint64_t reads = 0, writes = 0, flushes = 0, bytes = 0, slowest = 0, waiting = 0,
		 now = now_us();

	pthread_mutex_lock(&l.lock);
	for (unsigned i = 0; i < l.n * USERS; i++) {
		struct user *u = &l.disks[i / USERS].users[i % USERS];
		uint64_t since = u->since_us;

		reads += u->reads;
		writes += u->writes;
		flushes += u->flushes;
		bytes += u->bytes;
		slowest = u->slowest_us > slowest ? u->slowest_us : slowest;
		u->slowest_us = is_peek ? u->slowest_us : 0;
		if (since != 0 && since < now && now - since > waiting)
			waiting = now - since;
	}
	printf("{\"reads\":%" PRIu64 ",\"writes\":%" PRIu64 ",\"flushes\":%" PRIu64
	       ",\"bytes\":%" PRIu64 ",\"errors\":%" PRIu64 ",\"differing\":%" PRIu64
	       ",\"slowest_s\":%.3f,\"waiting_s\":%.3f"
	       ",\"complaints\":[",
	    reads, writes, flushes, bytes, l.errors, l.differing, (double)slowest / 1e6,
	    (double)waiting / 1e6);
	for (int i = 0; i < COMPLAINTS && l.complaints[i] != NULL; i++)
		printf("%s\"%s\"", i > 0 ? "," : "", l.complaints[i]);
	printf("]}\n");
	pthread_mutex_unlock(&l.lock);
}

static void
each(const char *which, bool is_wanted)
{
	unsigned from = 0, to = l.n;

	if (strcmp(which, "all") != 0) {
		from = (unsigned)strtoul(which, NULL, 10) % l.n;
		to = from + 1;
	}
	pthread_mutex_lock(&l.lock);
	for (unsigned i = from; i < to; i++)
		l.disks[i].is_wanted = is_wanted;
	pthread_cond_broadcast(&l.cond);
	for (unsigned i = from; i < to && !is_wanted; i++)
		await_held(&l.disks[i]);
	pthread_mutex_unlock(&l.lock);
	puts("{}");
}

/* False: it is the last one. */
static bool
obey(const char *what, const char *which, const char *path)
{
	struct disk *d = &l.disks[strtoul(which, NULL, 10) % l.n];

	if (strcmp(what, "report") == 0) {
		report(strcmp(which, "peek") == 0);
	} else if (strcmp(what, "go") == 0 || strcmp(what, "hold") == 0) {
		each(which, what[0] == 'g');
	} else if (strcmp(what, "check") == 0) {
		check(d, path);
	} else if (strcmp(what, "path") == 0) {
		pthread_mutex_lock(&l.lock);
		snprintf(d->path, sizeof d->path, "%s", path);
		pthread_cond_broadcast(&l.cond);
		pthread_mutex_unlock(&l.lock);
		puts("{}");
	} else {
		return false;
	}
	fflush(stdout);
	return true;
}

static void
make(unsigned i, uint64_t seed)
{
	struct disk *d = &l.disks[i];

	d->number = i;
	for (unsigned k = 0; k < USERS; k++) {
		struct user *u = &d->users[k];

		u->disk = d;
		u->fd = -1;
		u->is_direct = k == 0;
		u->blocks = l.blocks / USERS;
		u->first = u->blocks * k;
		u->random = seed * 1000003 + i * USERS + k;
		u->states = calloc(u->blocks, sizeof *u->states);
		u->buf = aligned_alloc(4096, (size_t)IO_BLOCKS * BLOCK);
		u->want = aligned_alloc(4096, 4096);
		if (u->states == NULL || u->buf == NULL || u->want == NULL ||
		    pthread_create(&u->thread, NULL, run, u) != 0)
			exit(1);
	}
}

int
main(int argc, char **argv)
{
	char line[8192], what[16], which[16], path[4096];

	if (argc != 5) {
		fprintf(stderr, "usage: load DISKS BLOCKS RATE SEED\n");
		return 2;
	}
	l.n = (unsigned)strtoul(argv[1], NULL, 10);
	l.blocks = strtoull(argv[2], NULL, 10);
	l.disks = l.n > 0 ? calloc(l.n, sizeof *l.disks) : NULL;
	if (l.disks == NULL || l.blocks < (uint64_t)USERS * IO_BLOCKS)
		return 2;
	l.interval_us = (uint64_t)(1e6 * l.n * USERS / strtod(argv[3], NULL));
	for (unsigned i = 0; i < l.n; i++)
		make(i, strtoull(argv[4], NULL, 10));
	while (fgets(line, sizeof line, stdin) != NULL) {
		which[0] = path[0] = '\0';
		if (sscanf(line, "%15s %15s %4095[^\n]", what, which, path) < 1 ||
		    !obey(what, which, path))
			break;
	}
	return 0;
}
