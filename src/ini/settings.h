/*
 * What an administrator has configured for one session (or one discovery
 * address): a snapshot that was pushed, so that nothing needs to be read when a
 * connection is lost.  Plain data, owned by whoever has it.
 */
#ifndef INI_SETTINGS_H
#define INI_SETTINGS_H

#include "base/limits.h"
#include "core/neg.h"
#include "ini/chapcfg.h"
#include "ini/choices.h"
#include "ini/portal.h"
#include "ini/timers.h"

/* Where connections come from; "": wherever the system's routes say.  And how they go. */
struct connect_from {
	char source[LIMIT_ADDRESS_BYTES + 1]; /* a literal address of this host */
	char interface[16];                   /* the name of a network interface */
	char congestion_control[16];          /* of TCP; "": the system's */
};

/* The last permanent redirection that worked. */
struct settings_redirect {
	bool is_set;
	struct portal_address to;
};

struct settings {
	uint64_t serial; /* the owner's: a later snapshot has a higher one */
	char initiator_name[LIMIT_ISCSI_NAME_BYTES + 1];
	char initiator_alias[LIMIT_ALIAS_BYTES + 1];
	struct neg_offer offer;
	struct timers timers;
	bool has_chap; /* only where AuthMethod offers it */
	/* Its challenge and identifier are filled for each login (chapcfg_refresh()). */
	struct chapcfg chap;
	bool is_chap_default; /* the administrator chose no algorithms: MD5 alone may be tried again
			       */
	struct connect_from from;
	struct settings_redirect redirect;
	struct choices choices;
	char filters[LIMIT_FILTERS_BYTES]; /* in front of its disks, export/filterspec.h */
};

/* Heap, zeroed but for defaults; NULL when memory is short. */
struct settings *settings_new(void);
/* Wipes its secrets.  NULL is fine. */
void settings_free(struct settings *s);

#endif
