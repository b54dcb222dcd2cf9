/*
 * usage: store [--seed N | --seeds A-B] [--trace] [--visits]
 *
 * Worlds of the real registry over a disk that fails, stops and forgets: a driver's lives, one
 * after the other.  Each has a copy in memory that it changes, and has its changes made in the
 * file, as driver/iscsi/keeper does on its thread; here one thread does both, and the disk stops at
 * any operation of its.  What was answered is there in the next life; what was not is there whole
 * or not at all.
 */
#include <errno.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "disk.h"
#include "old.h"
#include "ops.h"
#include "registry/copy.h"
#include "vfs.h"

#define MAYBE_MAX 256
#define FILE_NAME STORE_ROOT "registry"
#define OLD_MAX   32

static struct {
	uint64_t first, last;
	const char *program;
	bool is_traced, are_visits_wanted;
} opt = { .first = 1, .last = 1 };

static struct {
	uint64_t seed, step, keeps, lives;
	struct rng rng;
	struct registry *file, *copy;
	struct list pending;   /* registry_change.link */
	bool is_behind;        /* the file needs the whole copy */
	bool is_undoable;      /* what is changed now may be taken back */
	uint64_t empty;        /* what is in a new one */
	uint64_t old[OLD_MAX]; /* and in an older version's, once it is brought up */
	bool is_old;           /* the file is an older version's, as far as anybody knows */
	uint32_t making;       /* operations of the disk until it is there */
	uint64_t kept;         /* what the file has now */
	uint64_t maybe[MAYBE_MAX];
	unsigned maybes; /* what it may have after its end instead: what was tried since the last
			    answer */
	bool was_power;  /* the last life ended so: what is there now stays */
} w;

__attribute__((noreturn, format(printf, 2, 3))) static void
fail(const char *oracle, const char *fmt, ...)
{
	char text[700];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	(void)fflush(stdout);
	(void)fprintf(stderr,
	    "FAILED seed %llu, step %llu, %s: %s; replay: %s --seed %llu --trace\n",
	    (unsigned long long)w.seed, (unsigned long long)w.step, oracle, text, opt.program,
	    (unsigned long long)w.seed);
	exit(1);
}

__attribute__((format(printf, 1, 2))) static void
trace(const char *fmt, ...)
{
	va_list ap;

	if (!opt.is_traced)
		return;
	(void)printf("%6llu %6llu  ", (unsigned long long)w.step, (unsigned long long)disk_ops());
	va_start(ap, fmt);
	(void)vprintf(fmt, ap);
	va_end(ap);
	(void)putchar('\n');
}

/* ---- what may be in the file ---- */

static uint64_t
digest(struct registry *r, const char *what)
{
	uint64_t h = ops_digest(r);

	if (h == 0)
		fail("readable", "%s cannot be read", what);
	return h;
}

static void
may_have(uint64_t h)
{
	if (w.maybes == MAYBE_MAX)
		fail("simulator", "too many tries without an answer");
	w.maybe[w.maybes++] = h;
}

static void
keeps(uint64_t h)
{
	w.kept = h;
	w.maybes = 0;
}

/* A new life looks. */
static void
check_found(uint64_t h)
{
	bool is_known = h == w.kept;

	for (unsigned i = 0; i < w.maybes && !is_known; i++)
		is_known = h == w.maybe[i];
	visits[h == w.empty  ? VISIT_FOUND_NONE
	       : h == w.kept ? VISIT_FOUND_KEPT
			     : VISIT_FOUND_MORE]++;
	trace("it has %016llx", (unsigned long long)h);
	if (!is_known)
		fail("remembered",
		    "the registry has %016llx; answered was %016llx, and %u tries were not",
		    (unsigned long long)h, (unsigned long long)w.kept, w.maybes);
	/* What a process that was killed had written is there, and may go with the next power. */
	if (w.was_power)
		keeps(h);
	else if (h != w.kept)
		may_have(w.kept);
	w.kept = h;
}

/* ---- changes ---- */

static void
changed(void *user, struct registry_change *c)
{
	(void)user;
	c->is_undoable = w.is_undoable;
	list_push_back(&w.pending, &c->link);
}

static void
drop(struct list *l)
{
	LIST_EACH(node, tmp, l)
	{
		list_remove(node);
		registry_change_free(LIST_ENTRY(node, struct registry_change, link));
	}
}

/* An operation of a user, whose changes may be taken back, or something that was found. */
static void
change(void)
{
	bool is_one = rng_chance(&w.rng, 500);

	w.is_undoable = rng_chance(&w.rng, 500);
	if (!is_one && registry_begin(w.copy) != 0)
		fail("machine", "no transaction: %s", registry_error(w.copy)->message);
	for (unsigned i = is_one ? 1 : 1 + rng_below(&w.rng, 8); i > 0; i--)
		ops_one(w.copy, &w.rng);
	if (!is_one && rng_chance(&w.rng, 150))
		registry_rollback(w.copy);
	else if (!is_one && registry_commit(w.copy) != 0)
		fail("machine", "no commit: %s", registry_error(w.copy)->message);
	w.is_undoable = false;
}

/* What could not be kept and may be taken back is; the whole copy is written next. */
static void
take_back(struct list *batch)
{
	struct list old;
	bool is_all = true;

	list_init(&old);
	list_splice_front(&old, &w.pending); /* none */
	list_splice_front(&old, batch);
	while (!list_empty(&old)) {
		struct list *node = old.prev;
		struct registry_change *c = LIST_ENTRY(node, struct registry_change, link);

		/* Something that was found later may stand on it: then it stays. */
		if (c->is_undoable && registry_undo(w.copy, c) == 0)
			visits[VISIT_TAKEN_BACK]++;
		else if (c->is_undoable && is_all)
			fail("taken back", "%s", registry_error(w.copy)->message);
		else if (c->is_undoable)
			trace("a change stays: %s", registry_error(w.copy)->message);
		is_all = is_all && c->is_undoable;
		list_remove(node);
		registry_change_free(c);
	}
	if (is_all && digest(w.copy, "the copy") != w.kept)
		fail("taken back", "the copy is not what is kept, and nothing else was changed");
	drop(&w.pending);
	w.is_behind = true;
}

static void
refused(struct list *batch, bool is_whole, int err)
{
	trace("not kept: %s", registry_error(w.file)->message);
	if (disk_is_stopped()) {
		drop(batch);
		return;
	}
	if (!disk_has_failed())
		fail("no reason", "%d: %s", err, registry_error(w.file)->message);
	visits[VISIT_REFUSED]++;
	if (digest(w.file, "the file") != w.kept)
		fail("all or nothing", "what was refused has changed something");
	if (is_whole)
		drop(batch);
	else
		take_back(batch);
}

/* As keeper's thread. */
static void
keep(void)
{
	uint64_t h = digest(w.copy, "the copy");
	bool is_whole = w.is_behind;
	struct registry_change *whole;
	struct list batch;
	int err;

	list_init(&batch);
	if (is_whole) {
		if (registry_whole(w.copy, &whole) != 0)
			fail("machine", "no image: %s", registry_error(w.copy)->message);
		drop(&w.pending);
		list_push_back(&batch, &whole->link);
	} else {
		list_splice_front(&batch, &w.pending);
	}
	if (list_empty(&batch))
		return;
	may_have(h);
	err = registry_apply(w.file, &batch);
	if (err != 0) {
		refused(&batch, is_whole, err);
		return;
	}
	drop(&batch);
	trace("kept %016llx%s", (unsigned long long)h, is_whole ? ", all of it" : "");
	w.keeps++;
	visits[is_whole ? VISIT_KEPT_WHOLE : VISIT_KEPT]++;
	w.is_behind = false;
	keeps(h);
	if (digest(w.file, "the file") != h)
		fail("right data", "the file is not what the copy is");
}

/* ---- a life ---- */

static bool
open_all(void)
{
	struct registry_error why;
	int err = registry_open(FILE_NAME, &w.file, &why);

	if (w.is_old)
		visits[err == 0 ? VISIT_BROUGHT_UP : VISIT_NOT_BROUGHT]++;
	w.is_old = w.is_old && err != 0;
	if (err == 0) {
		check_found(digest(w.file, "the file"));
		err = registry_copy(w.file, changed, NULL, &w.copy);
		why = *registry_error(w.file);
	}
	if (err == 0 && digest(w.copy, "the copy") != w.kept)
		fail("right data", "the copy is not what the file is");
	if (err == 0)
		return true;
	trace("not opened: %s", why.message);
	visits[VISIT_NOT_OPENED] += !disk_is_stopped();
	if (!disk_is_stopped() && !disk_has_failed())
		fail("restart", "%d: %s", err, why.message);
	return false;
}

static void
close_all(void)
{
	drop(&w.pending);
	registry_close(w.copy);
	registry_close(w.file);
	w.copy = w.file = NULL;
	w.is_behind = false;
}

static void
live(bool is_first)
{
	static const int errors[] = { EIO, ENOSPC };
	unsigned steps = rng_below(&w.rng, 30);

	w.lives++;
	if (is_first && rng_chance(&w.rng, 400))
		disk_stop_in(1 + rng_below(&w.rng, w.making));
	else if (rng_chance(&w.rng, 800))
		disk_stop_in(rng_chance(&w.rng, 500) ? 1 + rng_span(&w.rng, 1, 400)
						     : 1 + rng_below(&w.rng, 120));
	if (rng_chance(&w.rng, 400))
		disk_fail_in(1 + rng_span(&w.rng, 1, 300), 1 + rng_below(&w.rng, 4),
		    errors[rng_below(&w.rng, 2)]);
	if (open_all())
		for (; steps > 0 && !disk_is_stopped(); steps--) {
			w.step++;
			if (rng_chance(&w.rng, 600))
				change();
			else
				keep();
		}
	if (w.copy != NULL && !disk_is_stopped())
		keep();
	close_all();
}

static void
end(void)
{
	bool was_stopped = disk_is_stopped(), is_power = rng_chance(&w.rng, 600);

	trace("%s", is_power ? "power is lost" : was_stopped ? "killed" : "closed");
	w.was_power = is_power;
	visits[is_power ? VISIT_POWER : was_stopped ? VISIT_KILLED : VISIT_CLOSED]++;
	disk_go_on(is_power);
}

/* An older version had it, and its computer was shut down in order. */
static void
begin_old(int version)
{
	const char *why = old_make(FILE_NAME, version);

	if (why != NULL || disk_sync_names() != 0)
		fail("simulator", "a file of version %d: %s", version, why != NULL ? why : "disk");
	trace("version %d left it", version);
	keeps(w.old[version]);
	w.is_old = true;
}

static void
world(uint64_t seed)
{
	w.seed = seed;
	w.step = 0;
	w.is_old = false;
	rng_init(&w.rng, seed, 0);
	list_init(&w.pending);
	disk_new(seed);
	vfs_begin(seed);
	keeps(w.empty);
	if (rng_chance(&w.rng, 250))
		begin_old(1 + (int)rng_below(&w.rng, (uint32_t)OLD_VERSIONS));
	for (unsigned n = 2 + rng_below(&w.rng, 5), i = 0; i < n; i++) {
		live(i == 0);
		end();
	}
	/* All is well, once more. */
	if (!open_all())
		fail("restart", "it does not open");
	change();
	keep();
	close_all();
}

/* What is in a registry that nobody has changed: a new one, or one of an older version. */
static uint64_t
learn(int version)
{
	struct registry_error why;
	uint64_t h;

	disk_new(0);
	vfs_begin(0);
	if (version > 0)
		begin_old(version);
	w.is_old = false;
	if (registry_open(FILE_NAME, &w.file, &why) != 0)
		fail("restart", "%s", why.message);
	h = digest(w.file, "the file");
	w.making = (uint32_t)disk_ops();
	close_all();
	return h;
}

/* ---- the program ---- */

static unsigned
print_visits(void)
{
	static const char *const names[] = {
#define VISIT(id, text) #id,
#include "store.def"
	};
	unsigned missing = 0;

	for (unsigned i = 0; i < VISITS; i++) {
		missing += visits[i] == 0;
		(void)printf("visit store.def %s %llu%s\n", names[i], (unsigned long long)visits[i],
		    visits[i] == 0 ? " NEVER" : "");
	}
	return missing;
}

static bool
parse(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		char *at;

		if (strcmp(argv[i], "--trace") == 0) {
			opt.is_traced = true;
		} else if (strcmp(argv[i], "--visits") == 0) {
			opt.are_visits_wanted = true;
		} else if (strcmp(argv[i], "--last") == 0 && i + 1 < argc) {
			i++; /* as sim has it: there are no rows here */
		} else if (strncmp(argv[i], "--seed", 6) == 0 && i + 1 < argc) {
			opt.first = opt.last = strtoull(argv[++i], &at, 10);
			if (*at == '-')
				opt.last = strtoull(at + 1, &at, 10);
			if (*at != '\0' || opt.last < opt.first)
				return false;
		} else {
			return false;
		}
	}
	return true;
}

static double
seconds(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

int
main(int argc, char **argv)
{
	double begin, took;
	uint64_t n;

	opt.program = argv[0];
	if (!parse(argc, argv)) {
		(void)fprintf(
		    stderr, "usage: %s [--seed N | --seeds A-B] [--trace] [--visits]\n", argv[0]);
		return 2;
	}
	/* One thread, and nobody counts its memory. */
	(void)sqlite3_config(SQLITE_CONFIG_SINGLETHREAD);
	(void)sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
	begin = seconds();
	list_init(&w.pending);
	for (int version = 1; version <= OLD_VERSIONS && version < OLD_MAX; version++)
		w.old[version] = learn(version);
	w.empty = learn(0);
	for (uint64_t seed = opt.first; seed <= opt.last; seed++)
		world(seed);
	took = seconds() - begin;
	n = opt.last - opt.first + 1;
	(void)printf(
	    "%llu registries, %llu lives, %llu answers; %.1f s, %.0f registries a second\n",
	    (unsigned long long)n, (unsigned long long)w.lives, (unsigned long long)w.keeps, took,
	    (double)n / took);
	return opt.are_visits_wanted && print_visits() > 0 ? 1 : 0;
}
