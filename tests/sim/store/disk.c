#include "disk.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SECTOR     512u
#define FILES      96
#define NAMES      8
#define HISTORY    64
#define CHANGES    4096
#define NAME_BYTES 48

/* Since the last sync of its file. */
struct change {
	uint64_t at;
	size_t n;
	uint8_t *bytes; /* NULL: the file was cut to `at` */
};
struct file {
	uint8_t *now, *kept;
	size_t size, room, kept_size;
	struct change *changes;
	unsigned n;
};
struct names {
	struct {
		char text[NAME_BYTES];
		int file;
	} at[NAMES];
};

uint64_t visits[VISITS];

static struct {
	struct rng rng;
	struct file files[FILES];
	int n_files;
	struct names history[HISTORY]; /* [0] is synced, the last one is now */
	unsigned n;
	uint64_t ops, stop_at, fail_at;
	unsigned fails;
	int err;
	bool is_stopped, has_failed;
} d;

/* ---- what it may do yet ---- */

/* An operation begins: 0, or why it is not done. */
static int
begin(enum visit what)
{
	d.ops++;
	if (d.stop_at != 0 && d.ops >= d.stop_at) {
		visits[what] += !d.is_stopped;
		d.is_stopped = true;
	}
	if (d.is_stopped)
		return -EIO;
	if (d.fails == 0 || d.ops < d.fail_at)
		return 0;
	visits[what]++;
	d.fails--;
	d.has_failed = true;
	return -d.err;
}

void
disk_stop_in(uint64_t n)
{
	d.stop_at = n != 0 ? d.ops + n : 0;
}

bool
disk_is_stopped(void)
{
	return d.is_stopped;
}

void
disk_fail_in(uint64_t n, unsigned times, int err)
{
	d.fail_at = d.ops + n;
	d.fails = times;
	d.err = err;
	d.has_failed = false;
}

bool
disk_has_failed(void)
{
	return d.has_failed;
}

uint64_t
disk_ops(void)
{
	return d.ops;
}

/* ---- bytes ---- */

static void
grow(struct file *f, size_t size)
{
	if (size > f->room) {
		f->room = 2 * size;
		f->now = realloc(f->now, f->room);
		assert(f->now != NULL);
	}
	if (size > f->size)
		memset(f->now + f->size, 0, size - f->size);
}

static void
note(struct file *f, uint64_t at, const void *bytes, size_t n)
{
	struct change *c;

	if (f->changes == NULL)
		f->changes = calloc(CHANGES, sizeof *f->changes);
	assert(f->changes != NULL && f->n < CHANGES);
	c = &f->changes[f->n++];
	*c = (struct change){ .at = at, .n = n };
	if (bytes == NULL)
		return;
	c->bytes = malloc(n);
	assert(c->bytes != NULL);
	memcpy(c->bytes, bytes, n);
}

static void
forget_changes(struct file *f)
{
	for (unsigned i = 0; i < f->n; i++)
		free(f->changes[i].bytes);
	f->n = 0;
}

static void
put(struct file *f, const uint8_t *bytes, size_t n, uint64_t at)
{
	grow(f, at + n);
	memcpy(f->now + at, bytes, n);
	if (at + n > f->size)
		f->size = at + n;
}

static void
cut(struct file *f, uint64_t size)
{
	grow(f, size);
	f->size = size;
}

int64_t
disk_size(int file)
{
	return (int64_t)d.files[file].size;
}

size_t
disk_read(int file, void *ret, size_t n, uint64_t at)
{
	const struct file *f = &d.files[file];

	if (at >= f->size)
		return 0;
	n = n < f->size - at ? n : f->size - at;
	memcpy(ret, f->now + at, n);
	return n;
}

int
disk_write(int file, const void *bytes, size_t n, uint64_t at, enum visit what)
{
	struct file *f = &d.files[file];
	int err = begin(what);

	/* Some of it may have been on its way. */
	if (err == -EIO && d.is_stopped && d.ops == d.stop_at)
		note(f, at, bytes, n);
	if (err < 0)
		return err;
	note(f, at, bytes, n);
	put(f, bytes, n, at);
	return 0;
}

int
disk_truncate(int file, uint64_t size)
{
	int err = begin(VISIT_TRUNCATE);

	if (err < 0)
		return err;
	note(&d.files[file], size, NULL, 0);
	cut(&d.files[file], size);
	return 0;
}

static void
keep(struct file *f)
{
	forget_changes(f);
	free(f->kept);
	f->kept = malloc(f->size + 1);
	assert(f->kept != NULL);
	if (f->size > 0)
		memcpy(f->kept, f->now, f->size);
	f->kept_size = f->size;
}

int
disk_sync(int file)
{
	int err = begin(VISIT_SYNC);

	if (err == 0)
		keep(&d.files[file]);
	return err;
}

/* ---- names ---- */

static struct names *
names_now(void)
{
	return &d.history[d.n - 1];
}

static int
index_of(const char *name)
{
	for (int i = 0; i < NAMES; i++)
		if (strcmp(names_now()->at[i].text, name) == 0)
			return i;
	return -ENOENT;
}

int
disk_find(const char *name)
{
	int i = index_of(name);

	return i < 0 ? i : names_now()->at[i].file;
}

/* The names are other ones from now on. */
static void
change_names(void)
{
	assert(d.n < HISTORY);
	d.history[d.n] = d.history[d.n - 1];
	d.n++;
}

int
disk_create(const char *name)
{
	int err = begin(VISIT_CREATE), i;

	if (err < 0)
		return err;
	i = index_of("");
	assert(i >= 0 && d.n_files < FILES && strlen(name) < NAME_BYTES);
	change_names();
	memcpy(names_now()->at[i].text, name, strlen(name) + 1);
	return names_now()->at[i].file = d.n_files++;
}

int
disk_unlink(const char *name)
{
	int i = index_of(name), err;

	if (i < 0)
		return i;
	err = begin(VISIT_UNLINK);
	if (err < 0)
		return err;
	change_names();
	names_now()->at[i].text[0] = '\0';
	return 0;
}

int
disk_rename(const char *from, const char *to)
{
	int i = index_of(from), old = index_of(to), err;

	if (i < 0)
		return i;
	err = begin(VISIT_RENAME);
	if (err < 0)
		return err;
	change_names();
	if (old >= 0)
		names_now()->at[old].text[0] = '\0';
	memcpy(names_now()->at[i].text, to, strlen(to) + 1);
	return 0;
}

int
disk_sync_names(void)
{
	int err = begin(VISIT_SYNC_NAMES);

	if (err < 0)
		return err;
	d.history[0] = *names_now();
	d.n = 1;
	return 0;
}

/* ---- power ---- */

/* Of what was not synced each sector is there or not; p: so likely. */
static void
lose(struct file *f, uint32_t p)
{
	unsigned lost = 0, late = 0;

	cut(f, 0);
	if (f->kept_size > 0)
		put(f, f->kept, f->kept_size, 0);
	for (unsigned i = 0; i < f->n; i++) {
		const struct change *c = &f->changes[i];

		if (c->bytes == NULL && rng_chance(&d.rng, p))
			cut(f, c->at);
		for (size_t k = 0; c->bytes != NULL && k < c->n;) {
			size_t some = SECTOR - (c->at + k) % SECTOR;

			some = some < c->n - k ? some : c->n - k;
			if (rng_chance(&d.rng, p))
				put(f, c->bytes + k, some, c->at + k);
			else
				lost++;
			late += lost > 0;
			k += some;
		}
	}
	visits[VISIT_LOST_SECTORS] += late > lost;
	keep(f);
}

void
disk_go_on(bool is_power)
{
	static const uint32_t likely[] = { 0, 100, 500, 900, 1000 };

	d.is_stopped = false;
	d.stop_at = d.fails = 0;
	if (!is_power)
		return;
	if (d.n > 1) {
		unsigned at = rng_below(&d.rng, d.n);

		visits[VISIT_LOST_NAMES] += at + 1 < d.n;
		d.history[0] = d.history[at];
	}
	d.n = 1;
	for (int i = 0; i < d.n_files; i++)
		lose(&d.files[i], likely[rng_below(&d.rng, 5)]);
}

void
disk_new(uint64_t seed)
{
	for (int i = 0; i < d.n_files; i++) {
		forget_changes(&d.files[i]);
		free(d.files[i].changes);
		free(d.files[i].now);
		free(d.files[i].kept);
	}
	memset(&d, 0, sizeof d);
	d.n = 1;
	rng_init(&d.rng, seed, 1);
}
