#include "driver/diag/stat.h"

#include <stddef.h>

static const struct stat_info info[STAT_COUNT] = {
#define STAT_CORE(section_, id_, field, name_, class_, description_) \
	[STAT_##section_##_##id_] = {                                \
		.section = STAT_##section_,                          \
		.kind = STAT_KIND_CORE,                              \
		.id = #id_,                                          \
		.name = name_,                                       \
		.class = class_,                                     \
		.description = description_,                         \
		.core_offset = offsetof(struct conn_counts, field),  \
	},
#define STAT_ROW(section_, id_, name_, class_, description_, kind_) \
	[STAT_##section_##_##id_] = {                               \
		.section = STAT_##section_,                         \
		.kind = kind_,                                      \
		.id = #id_,                                         \
		.name = name_,                                      \
		.class = class_,                                    \
		.description = description_,                        \
	},
#define STAT(section_, id_, name_, class_, description_) \
	STAT_ROW(section_, id_, name_, class_, description_, STAT_KIND_DRIVER)
#define STAT_TIME(section_, id_, name_, class_, description_) \
	STAT_ROW(section_, id_, name_, class_, description_, STAT_KIND_TIME)
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

/* All that was ever counted. */
static uint64_t
counted(size_t i, const struct stat_block *block, const struct conn_counts *core)
{
	if (info[i].kind == STAT_KIND_DRIVER)
		return atomic_load_explicit(&block->n[i], memory_order_relaxed);
	/* "Command not supported" has no row of its own in the guide. */
	if (i == STAT_SWD_CONNECTION_reject_other && core != NULL)
		return core->reject_other + core->reject_unsupported;
	if (info[i].kind == STAT_KIND_CORE && core != NULL)
		return *(const uint64_t *)(const void *)((const char *)core + info[i].core_offset);
	return 0;
}

void
stat_values(struct stat_values *ret, const struct stat_block *block, const struct conn_counts *core,
    const struct stat_base *base)
{
	for (size_t i = 0; i < STAT_COUNT; i++)
		ret->n[i] = info[i].kind == STAT_KIND_TIME ? (uint64_t)base->cleared
							   : counted(i, block, core) - base->n[i];
}

void
stat_clear(struct stat_base *base, enum stat_section section, const struct stat_block *block,
    const struct conn_counts *core, time_t now)
{
	for (size_t i = 0; i < STAT_COUNT; i++)
		if (info[i].section == section)
			base->n[i] = counted(i, block, core);
	base->cleared = now;
}

void
stat_add_core(struct conn_counts *to, const struct conn_counts *more)
{
#define CONN_STAT(id, text) to->id += more->id;
#include "core/conn_stats.def"
}
