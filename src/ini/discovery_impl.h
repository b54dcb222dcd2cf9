/* What discovery.c and discovery_told.c share.  Nobody else includes this. */
#ifndef INI_DISCOVERY_IMPL_H
#define INI_DISCOVERY_IMPL_H

#include "ini/discovery.h"

enum phase {
	TRYING,  /* until it is online */
	ASKED,   /* SendTargets is under way */
	LEAVING, /* the answer is complete, and a logout was sent */
	OVER,    /* done() follows */
};

struct discovery {
	struct world *world;
	discovery_done *done;
	void *user;
	struct settings *settings;
	struct portal_address a; /* as it is configured */
	char label[LIMIT_ADDRESS_BYTES + 48];
	struct login_run *run;
	enum phase phase;
	bool is_cut_short; /* its logout was not answered */
	struct agenda_timer text_deadline, finish;
	struct sendtargets *parser;
	struct discovery_result result;
	size_t room, bytes, n_unreachable;
	char last_name[LIMIT_ISCSI_NAME_BYTES + 1];
	char peer_host[LIMIT_HOST_BYTES + 1]; /* the literal address that answered */
};

/* It is over, for this reason. */
void discovery_fail(struct discovery *x, const struct fault *why);
/* What the parser has: targets into the result. */
void discovery_take(struct discovery *x);

#endif
