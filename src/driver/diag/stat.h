/*
 * The guide's statistics (Appendices B and D), from stats.def: what the driver
 * counts itself, beside what the core (conn_stats.def) and the session's machine
 * (ini/counts.def) count, and all of it as it is shown.
 *
 * A block of counters belongs to the driver as a whole or to one session.  Any
 * thread may count and read; numbers only grow, "cleared" means that what had
 * been counted by then is subtracted when they are shown.
 */
#ifndef DRIVER_DIAG_STAT_H
#define DRIVER_DIAG_STAT_H

#include <stdatomic.h>
#include <time.h>

#include "core/conn.h"
#include "ini/counts.h"

/* The guide's tables; "title" as it prints it. */
enum stat_section {
	STAT_TRANSPORT_GLOBAL,
	STAT_TRANSPORT_SESSION,
	STAT_SWD_GLOBAL,
	STAT_SWD_CONNECTION,
	STAT_SECTIONS
};

enum stat_id {
#define STAT_CORE(section, id, ...) STAT_##section##_##id,
#define STAT_INI(section, id, ...)  STAT_##section##_##id,
#define STAT_NOW(section, id, ...)  STAT_##section##_##id,
#define STAT(section, id, ...)      STAT_##section##_##id,
#define STAT_TIME(section, id, ...) STAT_##section##_##id,
#include "driver/diag/stats.def"
	STAT_COUNT
};

enum stat_kind {
	STAT_KIND_CORE,   /* the session's connections count it */
	STAT_KIND_INI,    /* its machine counts it */
	STAT_KIND_DRIVER, /* stat_add() */
	STAT_KIND_NOW,    /* the same, and it can sink again: not cleared */
	STAT_KIND_TIME,   /* when its block was cleared */
};

struct stat_info {
	enum stat_section section;
	enum stat_kind kind;
	const char *id, *name, *class, *description;
	size_t offset; /* STAT_KIND_CORE, _INI: of the field of struct conn_counts, ini_counts */
};

const struct stat_info *stat_info(enum stat_id id);
/* "transport_global" and "Transport Global Statistics" */
const char *stat_section_id(enum stat_section section);
const char *stat_section_title(enum stat_section section);

struct stat_block {
	atomic_uint_least64_t n[STAT_COUNT];
};

/* NULL: nobody wants to know (a discovery session has no statistics of its own). */
static inline void
stat_add(struct stat_block *b, enum stat_id id)
{
	if (b != NULL)
		atomic_fetch_add_explicit(&b->n[id], 1, memory_order_relaxed);
}

static inline void
stat_add_n(struct stat_block *b, enum stat_id id, uint64_t n)
{
	if (b != NULL)
		atomic_fetch_add_explicit(&b->n[id], n, memory_order_relaxed);
}

/* What was counted when somebody cleared. */
struct stat_base {
	uint64_t n[STAT_COUNT];
	time_t cleared; /* or when counting began */
};

/* As it is shown; a time is seconds since 1970. */
struct stat_values {
	uint64_t n[STAT_COUNT];
};

/* Everything that is counted of one thing; core and ini may be NULL: zeros. */
struct stat_sources {
	const struct stat_block *block;
	const struct conn_counts *core;
	const struct ini_counts *ini;
};

void stat_values(
    struct stat_values *ret, const struct stat_sources *from, const struct stat_base *base);
/* Clear the rows of one section. */
void stat_clear(
    struct stat_base *base, enum stat_section section, const struct stat_sources *from, time_t now);

/* Sums: what a connection counted is added to what earlier ones did. */
void stat_add_core(struct conn_counts *to, const struct conn_counts *more);
void stat_add_ini(struct ini_counts *to, const struct ini_counts *more);

#endif
