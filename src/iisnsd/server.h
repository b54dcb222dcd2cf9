/*
 * One iSNS server: connect, register, ask for targets, and ask again when it notifies; where that
 * fails, begin anew after a while.  What it answered last stays until another good answer.  On the
 * loop's thread.
 */
#ifndef IISNSD_SERVER_H
#define IISNSD_SERVER_H

#include "core/addr.h"
#include "iisnsd/answer.h"
#include "iisnsd/dialog.h"
#include "iisnsd/listener.h"
#include "names/lookup.h"

/* Addresses of one name that are tried, one after the other. */
#define SERVER_ADDRESSES_MAX 8
#define SERVER_WHY_BYTES     200

enum server_count {
#define ISNS_COUNT(id, name, text) SERVER_COUNT_##id,
#include "ipc/isns_count.def"
#undef ISNS_COUNT
	SERVER_COUNTS
};

enum server_state {
	SERVER_WAITING, /* for the next try */
	SERVER_RESOLVING,
	SERVER_CONNECTING,
	SERVER_REGISTERING,
	SERVER_SUBSCRIBING, /* to notifications */
	SERVER_QUERYING,
	SERVER_ONLINE,
};

struct server_cfg {
	struct loop *loop;
	struct lookup_pool *names;
	uint64_t refresh_us, limit_us;
	uint16_t scn_port; /* 0: any */
};

struct server {
	/* For whoever has it. */
	struct list link;
	bool is_wanted;
	/* What can be told of it is another than before; never from inside server_new(). */
	void (*changed)(struct server *s);
	/* A question has ended, well or not. */
	void (*asked)(struct server *s);
	void *user;

	/* To be read. */
	char text[LIMIT_ADDRESS_BYTES + 1]; /* as it is configured */
	enum server_state state;
	bool is_known;     /* it has answered once: `targets` is what it said last */
	bool is_notifying; /* it has accepted the registration for notifications */
	struct answer_targets targets;
	char error[SERVER_WHY_BYTES]; /* "": none */
	char peer[ENDPOINT_BYTES];    /* "": it was never reached */
	uint64_t counts[SERVER_COUNTS];
	unsigned outcomes; /* questions that ended */

	/* The server's. */
	const struct server_cfg *cfg;
	struct addr at;
	char name[LIMIT_ISCSI_NAME_BYTES + 1], alias[LIMIT_ALIAS_BYTES + 1];
	struct dialog dialog;
	struct listener listener;
	struct lookup_waiter waiter;
	bool is_looking_up;
	char addresses[SERVER_ADDRESSES_MAX][LOOKUP_ADDRESS_BYTES];
	size_t n_addresses, address; /* the next one to try */
	struct endpoint to;
	struct agenda_timer timer;
	uint64_t backoff_us, asked_us;
	uint32_t period_s;
	bool is_up;                     /* as it was told last: it is online */
	bool has_registered;            /* there is something to take back */
	bool must_query;                /* it has notified since the question was sent */
	char refusal[SERVER_WHY_BYTES]; /* why it does not notify; "" */
};

/* `text`: host or address, and maybe a port.  NULL: no memory, or it is none (`why` says so). */
struct server *server_new(const struct server_cfg *cfg, const char *text, const char *name,
    const char *alias, void (*changed)(struct server *s), void (*asked)(struct server *s),
    void *user, char why[SERVER_WHY_BYTES]);
/*
 * Take the registration back, and end.  limit_ms: wait so long for the server to say that it has
 * heard that.
 */
void server_free(struct server *s, unsigned limit_ms);
/* Ask now; it has ended when `outcomes` has reached what is returned, or its state is WAITING. */
unsigned server_refresh(struct server *s);
/* "online", "connecting" or "waiting" */
const char *server_word(const struct server *s);

#endif
