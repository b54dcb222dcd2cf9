#include "export/fusestate.h"

#include <sys/mman.h>
#include <sys/stat.h>

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/limits.h"

#define VERSION 2u
/* Devices, and removed ones that somebody still has open (fuse.c). */
#define SLOTS   (2u * LIMIT_LUNS)
#define RECORDS (LIMIT_FUSE_MOUNT_OPS + LIMIT_FUSE_PARKED)
/*
 * Entries of requests that a dead process had counted: its last one each.  They
 * go when the request was answered, or for newer ones.
 */
#define JOURNAL 8u
#define SEALS   (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)
/* No connection comes near these. */
#define OPENERS_MAX (1u << 30)
#define LOOKUPS_MAX (1ull << 62)
/*
 * Numbers grow by two with each request, and one thread receives: what it received
 * last and did not record has one of the next.
 */
#define NEXT_UNIQUES 1024u
#define UNIQUE_STEP  2u

enum slot_use { SLOT_FREE, SLOT_SHOWN, SLOT_GONE };

struct slot {
	char name[32];
	_Atomic uint64_t lookups;
	_Atomic uint32_t openers;
	_Atomic uint32_t use;
	_Atomic uint32_t is_loss_due;
	uint32_t unused;
};

struct entry {
	_Atomic uint64_t unique; /* 0: free; written last */
	_Atomic uint64_t value;
	_Atomic uint32_t slot;
	_Atomic uint32_t what; /* 0: it has been made up for */
};

/* What lies in the memfd. */
struct map {
	char magic[8];
	uint32_t version, bytes;
	uint32_t io_bytes; /* what a request carries at most */
	uint32_t made_dir;
	int64_t since_s, since_ns;
	_Atomic uint32_t init_bytes;
	_Atomic uint32_t slots; /* that were ever used */
	uint8_t init[FUSESTATE_INIT_MAX];
	struct entry journal[JOURNAL];
	_Atomic uint64_t last; /* number of the request recorded last */
	_Atomic uint64_t records[RECORDS];
	struct slot slot[SLOTS];
};

static const char magic[8] = "OISWFUSE";

struct fusestate {
	struct map *map;
	int fd;
	unsigned oldest; /* the entry to go for a newer one when none is free */
	unsigned free_count;
	uint16_t free[RECORDS];
};

static_assert(RECORDS <= UINT16_MAX, "they fit");

/* Stores in the order of the program: the processor keeps it within one thread, the compiler has
 * to. */
#define STORE(place, value) atomic_store_explicit(&(place), (value), memory_order_release)
#define LOAD(place)         atomic_load_explicit(&(place), memory_order_acquire)

static int
map_it(int fd, struct fusestate **ret)
{
	struct fusestate *st = calloc(1, sizeof *st);

	if (st == NULL)
		return -ENOMEM;
	st->map = mmap(NULL, sizeof *st->map, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (st->map == MAP_FAILED) {
		free(st);
		return -ENOMEM;
	}
	st->fd = fd;
	for (unsigned i = 0; i < RECORDS; i++)
		st->free[st->free_count++] = (uint16_t)(RECORDS - 1 - i);
	*ret = st;
	return 0;
}

int
fusestate_new(bool made_dir, const struct timespec *since, struct fusestate **ret)
{
	int fd = memfd_create("openisw-fuse", MFD_CLOEXEC | MFD_ALLOW_SEALING), err = 0;
	struct fusestate *st;
	struct map *m;

	if (fd < 0)
		return -errno;
	if (ftruncate(fd, sizeof *m) < 0 || fcntl(fd, F_ADD_SEALS, SEALS) < 0)
		err = -errno;
	if (err == 0)
		err = map_it(fd, &st);
	if (err < 0) {
		close(fd);
		return err;
	}
	m = st->map;
	/* What each request touches is there from now on. */
	memset(m, 0, offsetof(struct map, slot));
	m->version = VERSION;
	m->bytes = sizeof *m;
	m->io_bytes = LIMIT_FUSE_IO_BYTES;
	m->made_dir = made_dir;
	m->since_s = since->tv_sec;
	m->since_ns = since->tv_nsec;
	memcpy(m->magic, magic, sizeof magic);
	*ret = st;
	return 0;
}

void
fusestate_free(struct fusestate *st)
{
	if (st == NULL)
		return;
	munmap(st->map, sizeof *st->map);
	close(st->fd);
	free(st);
}

int
fusestate_fd(const struct fusestate *st)
{
	return st->fd;
}

bool
fusestate_made_dir(const struct fusestate *st)
{
	return st->map->made_dir != 0;
}

struct timespec
fusestate_since(const struct fusestate *st)
{
	return (struct timespec){ .tv_sec = st->map->since_s, .tv_nsec = st->map->since_ns };
}

/* ---- what another process left ---- */

static bool
is_head_right(const struct map *m)
{
	return m->io_bytes > 0 && m->io_bytes <= LIMIT_FUSE_IO_BYTES && m->made_dir <= 1 &&
	       m->since_ns >= 0 && m->since_ns < 1000000000 &&
	       LOAD(m->init_bytes) <= FUSESTATE_INIT_MAX && LOAD(m->slots) <= SLOTS;
}

static bool
is_name(const char name[32])
{
	return memchr(name, '\0', 32) != NULL && name[0] != '\0' && strchr(name, '/') == NULL &&
	       strcmp(name, ".") != 0 && strcmp(name, "..") != 0;
}

static bool
is_slot_right(const struct slot *s)
{
	uint32_t use = LOAD(s->use);

	if (use == SLOT_FREE)
		return true;
	return (use == SLOT_SHOWN || use == SLOT_GONE) && is_name(s->name) &&
	       LOAD(s->is_loss_due) <= 1 && LOAD(s->openers) <= OPENERS_MAX &&
	       LOAD(s->lookups) <= LOOKUPS_MAX;
}

static bool
is_entry_right(const struct map *m, const struct entry *e)
{
	uint32_t what = LOAD(e->what), slot = LOAD(e->slot);

	if (LOAD(e->unique) == 0 || what == 0)
		return true;
	return slot < LOAD(m->slots) && LOAD(m->slot[slot].use) != SLOT_FREE &&
	       ((what == FUSESTATE_LOOKUPS && LOAD(e->value) <= LOOKUPS_MAX) ||
		   (what == FUSESTATE_OPENERS && LOAD(e->value) <= OPENERS_MAX));
}

static bool
is_right(const struct map *m)
{
	if (!is_head_right(m))
		return false;
	for (unsigned i = 0; i < LOAD(m->slots); i++)
		if (!is_slot_right(&m->slot[i]))
			return false;
	for (unsigned i = 0; i < JOURNAL; i++)
		if (!is_entry_right(m, &m->journal[i]))
			return false;
	return true;
}

static void
store_count(struct slot *s, uint32_t what, uint64_t value)
{
	if (what == FUSESTATE_LOOKUPS)
		STORE(s->lookups, value);
	else
		STORE(s->openers, (uint32_t)value);
}

/* The dead one may have written an entry and not the count. */
static void
make_up(struct map *m)
{
	for (unsigned i = 0; i < JOURNAL; i++) {
		struct entry *e = &m->journal[i];

		if (LOAD(e->unique) == 0 || LOAD(e->what) == 0)
			continue;
		store_count(&m->slot[LOAD(e->slot)], LOAD(e->what), LOAD(e->value));
		STORE(e->what, 0);
	}
}

int
fusestate_open(int fd, struct fusestate **ret)
{
	struct fusestate *st;
	struct stat s;
	int seals = fcntl(fd, F_GET_SEALS), err;

	if (seals < 0 || (seals & SEALS) != SEALS || fstat(fd, &s) < 0)
		return -EINVAL;
	if (s.st_size < (off_t)offsetof(struct map, io_bytes))
		return -EINVAL;
	if (s.st_size != sizeof(struct map))
		return -ENOTSUP;
	err = map_it(fd, &st);
	if (err < 0)
		return err;
	if (memcmp(st->map->magic, magic, sizeof magic) != 0)
		err = -EINVAL;
	else if (st->map->version != VERSION || st->map->bytes != sizeof *st->map)
		err = -ENOTSUP;
	else if (!is_right(st->map))
		err = -EINVAL;
	if (err < 0) {
		munmap(st->map, sizeof *st->map);
		free(st);
		return err;
	}
	make_up(st->map);
	*ret = st;
	return 0;
}

/* ---- what is kept ---- */

void
fusestate_set_init(struct fusestate *st, const uint8_t *request, size_t bytes)
{
	if (st == NULL || bytes > FUSESTATE_INIT_MAX)
		return;
	memcpy(st->map->init, request, bytes);
	STORE(st->map->init_bytes, (uint32_t)bytes);
}

size_t
fusestate_get_init(const struct fusestate *st, uint8_t request[FUSESTATE_INIT_MAX])
{
	uint32_t bytes = LOAD(st->map->init_bytes);

	if (bytes > FUSESTATE_INIT_MAX)
		return 0;
	memcpy(request, st->map->init, bytes);
	return bytes;
}

unsigned
fusestate_slots(const struct fusestate *st)
{
	return LOAD(st->map->slots) <= SLOTS ? LOAD(st->map->slots) : 0;
}

bool
fusestate_get(const struct fusestate *st, unsigned slot, struct fusestate_node *ret)
{
	const struct slot *s = &st->map->slot[slot];

	assert(slot < SLOTS);
	if (LOAD(s->use) == SLOT_FREE)
		return false;
	memcpy(ret->name, s->name, sizeof ret->name);
	ret->lookups = LOAD(s->lookups);
	ret->openers = LOAD(s->openers);
	ret->is_gone = LOAD(s->use) == SLOT_GONE;
	ret->is_loss_due = LOAD(s->is_loss_due) != 0;
	return true;
}

void
fusestate_show(struct fusestate *st, unsigned slot, const char name[32])
{
	struct slot *s;

	assert(slot < SLOTS);
	if (st == NULL)
		return;
	s = &st->map->slot[slot];
	if (slot >= LOAD(st->map->slots))
		STORE(st->map->slots, slot + 1);
	memcpy(s->name, name, sizeof s->name);
	STORE(s->lookups, 0);
	STORE(s->openers, 0);
	STORE(s->is_loss_due, 0);
	STORE(s->use, SLOT_SHOWN);
}

void
fusestate_gone(struct fusestate *st, unsigned slot)
{
	if (st != NULL)
		STORE(st->map->slot[slot].use, SLOT_GONE);
}

void
fusestate_set_loss(struct fusestate *st, unsigned slot, bool is_due)
{
	if (st != NULL)
		STORE(st->map->slot[slot].is_loss_due, is_due);
}

void
fusestate_clear(struct fusestate *st, unsigned slot)
{
	if (st != NULL)
		STORE(st->map->slot[slot].use, SLOT_FREE);
}

void
fusestate_set(struct fusestate *st, unsigned slot, enum fusestate_what what, uint64_t value)
{
	if (st != NULL)
		store_count(&st->map->slot[slot], what, value);
}

static struct entry *
entry_for(struct fusestate *st)
{
	for (unsigned i = 0; i < JOURNAL; i++)
		if (LOAD(st->map->journal[i].unique) == 0)
			return &st->map->journal[i];
	return &st->map->journal[st->oldest++ % JOURNAL];
}

void
fusestate_count(
    struct fusestate *st, uint64_t unique, unsigned slot, enum fusestate_what what, uint64_t value)
{
	struct entry *e;

	if (st == NULL)
		return;
	e = entry_for(st);
	STORE(e->unique, 0);
	STORE(e->slot, slot);
	STORE(e->what, what);
	STORE(e->value, value);
	STORE(e->unique, unique & ~FUSESTATE_RESENT);
	store_count(&st->map->slot[slot], what, value);
}

static struct entry *
entry_of(const struct fusestate *st, uint64_t unique)
{
	for (unsigned i = 0; i < JOURNAL; i++)
		if (LOAD(st->map->journal[i].unique) == (unique & ~FUSESTATE_RESENT))
			return &st->map->journal[i];
	return NULL;
}

bool
fusestate_was_counted(const struct fusestate *st, uint64_t unique)
{
	return st != NULL && (unique & FUSESTATE_RESENT) != 0 && entry_of(st, unique) != NULL;
}

void
fusestate_answered(struct fusestate *st, uint64_t unique)
{
	struct entry *e = st != NULL ? entry_of(st, unique) : NULL;

	if (e != NULL)
		STORE(e->unique, 0);
}

/* ---- what is under way ---- */

unsigned
fusestate_received(struct fusestate *st, uint64_t unique)
{
	unsigned record;

	if (st == NULL || st->free_count == 0)
		return FUSESTATE_NO_RECORD;
	record = st->free[--st->free_count];
	STORE(st->map->records[record], unique);
	STORE(st->map->last, unique);
	return record;
}

void
fusestate_done(struct fusestate *st, unsigned record)
{
	if (st == NULL || record >= RECORDS)
		return;
	STORE(st->map->records[record], 0);
	st->free[st->free_count++] = (uint16_t)record;
}

void
fusestate_unanswered(struct fusestate *st, void (*fn)(uint64_t unique, void *user), void *user)
{
	uint64_t last = LOAD(st->map->last);

	for (unsigned i = 0; i < RECORDS; i++) {
		uint64_t unique = LOAD(st->map->records[i]);

		if (unique != 0)
			fn(unique, user);
		STORE(st->map->records[i], 0);
	}
	for (unsigned i = 1; i <= NEXT_UNIQUES; i++)
		fn(last + (uint64_t)i * UNIQUE_STEP, user);
}
