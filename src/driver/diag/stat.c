#include "driver/diag/stat.h"

#include <stddef.h>

static const struct stat_info info[STAT_COUNT] = {
#define STAT_FIELD(section_, id_, name_, class_, description_, kind_, offset_) \
	[STAT_##section_##_##id_] = {                                          \
		.section = STAT_##section_,                                    \
		.kind = kind_,                                                 \
		.id = #id_,                                                    \
		.name = name_,                                                 \
		.class = class_,                                               \
		.description = description_,                                   \
		.offset = offset_,                                             \
	},
#define STAT_CORE(section_, id_, field, name_, class_, description_)           \
	STAT_FIELD(section_, id_, name_, class_, description_, STAT_KIND_CORE, \
	    offsetof(struct conn_counts, field))
#define STAT_INI(section_, id_, field, name_, class_, description_)           \
	STAT_FIELD(section_, id_, name_, class_, description_, STAT_KIND_INI, \
	    offsetof(struct ini_counts, field))
#define STAT(section_, id_, name_, class_, description_) \
	STAT_FIELD(section_, id_, name_, class_, description_, STAT_KIND_DRIVER, 0)
#define STAT_NOW(section_, id_, name_, class_, description_) \
	STAT_FIELD(section_, id_, name_, class_, description_, STAT_KIND_NOW, 0)
#define STAT_TIME(section_, id_, name_, class_, description_) \
	STAT_FIELD(section_, id_, name_, class_, description_, STAT_KIND_TIME, 0)
#include "driver/diag/stats.def"
};

static const struct {
	const char *id, *title;
} sections[STAT_SECTIONS] = {
	[STAT_TRANSPORT_GLOBAL] = { "transport_global", "Transport Global Statistics" },
	[STAT_TRANSPORT_SESSION] = { "transport_session", "Transport Session Statistics" },
	[STAT_SWD_GLOBAL] = { "swd_global",
	    "Software Interface Driver Global Interface Statistics" },
	[STAT_SWD_CONNECTION] = { "swd_connection",
	    "Software Interface Driver Connection Statistics" },
};

const struct stat_info *
stat_info(enum stat_id id)
{
	return &info[id];
}

const char *
stat_section_id(enum stat_section section)
{
	return sections[section].id;
}

const char *
stat_section_title(enum stat_section section)
{
	return sections[section].title;
}

/* The number at this place of a struct of numbers; 0 without one. */
static uint64_t
field(const void *counts, size_t offset)
{
	return counts != NULL ? *(const uint64_t *)(const void *)((const char *)counts + offset)
			      : 0;
}

/* All that was ever counted. */
static uint64_t
counted(size_t i, const struct stat_sources *from)
{
	switch (info[i].kind) {
	case STAT_KIND_CORE:
		/* "Command not supported" has no row of its own in the guide. */
		if (i == STAT_SWD_CONNECTION_reject_other && from->core != NULL)
			return from->core->reject_other + from->core->reject_unsupported;
		return field(from->core, info[i].offset);
	case STAT_KIND_INI:
		return field(from->ini, info[i].offset);
	case STAT_KIND_DRIVER:
	case STAT_KIND_NOW:
		return atomic_load_explicit(&from->block->n[i], memory_order_relaxed);
	case STAT_KIND_TIME:
		break;
	}
	return 0;
}

void
stat_values(struct stat_values *ret, const struct stat_sources *from, const struct stat_base *base)
{
	for (size_t i = 0; i < STAT_COUNT; i++)
		ret->n[i] = info[i].kind == STAT_KIND_TIME ? (uint64_t)base->cleared
							   : counted(i, from) - base->n[i];
}

void
stat_clear(
    struct stat_base *base, enum stat_section section, const struct stat_sources *from, time_t now)
{
	for (size_t i = 0; i < STAT_COUNT; i++)
		if (info[i].section == section && info[i].kind != STAT_KIND_NOW)
			base->n[i] = counted(i, from);
	base->cleared = now;
}

void
stat_add_core(struct conn_counts *to, const struct conn_counts *more)
{
#define CONN_STAT(id, text) to->id += more->id;
#include "core/conn_stats.def"
}

void
stat_add_ini(struct ini_counts *to, const struct ini_counts *more)
{
#define INI_COUNT(id, text) to->id += more->id;
#include "ini/counts.def"
}
