/* What the files of a nexus share: nexus*.c.  Nobody else includes this. */
#ifndef ISCSI_NEXUS_IMPL_H
#define ISCSI_NEXUS_IMPL_H

#include "driver/iscsi/nexus.h"

struct nexus {
	struct list link; /* iothread.hosts */
	struct iothread *iothread;
	struct iscsi_world world;
	struct mail_slot slot;
	struct nexus_cfg cfg;
	struct session *s;
	char filters[LIMIT_FILTERS_BYTES]; /* as configured */
	void *user;                        /* the adaptation layer's */
	struct list opens, closes;         /* questions that are not answered yet */
	bool is_last;
	struct agenda_timer drain;
	struct agenda_work opened; /* the session has decided what to do about an open */
	/* Notes that are away, or NULL; what happened meanwhile is told when they are back. */
	struct mail_view *view;
	struct mail_luns *luns;
	struct mail_places *places;
	bool is_view_due, are_luns_due;
	uint64_t redirects;              /* as they were told */
	bool is_online, is_out, is_down; /* as events told */
	/* What the driver's statistics have of it already. */
	struct ini_counts counted;
	uint64_t failed_counted;
};

/* Before it does what it was asked: what the session is told now counts from now. */
struct nexus *nexus_at_work(void *owner);
/* What all sessions count together. */
void nexus_count(struct nexus *x);

#endif
