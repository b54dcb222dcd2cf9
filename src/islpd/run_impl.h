/* What the files of a discovery share; nobody else includes it. */
#ifndef ISLPD_RUN_IMPL_H
#define ISLPD_RUN_IMPL_H

#include "islpd/exchange.h"
#include "islpd/mcast.h"
#include "islpd/run.h"

/* Exchanges about attributes at once. */
#define QUERIES 16
/* A request with everything at its longest; it goes by TCP then. */
#define RUN_REQUEST_BYTES 16384
#define PREDICATE_BYTES   (3 * LIMIT_ISCSI_NAME_BYTES + 32)
#define ERROR_BYTES       160
#define EXAMPLE_BYTES     160
enum stage {
	STAGE_CONFIGURED,  /* those that are configured are asked */
	STAGE_DIRECTORIES, /* directory agents are searched by multicast */
	STAGE_SERVICES,    /* service agents are asked by multicast */
	STAGE_REST,        /* nobody new is searched any more */
};

enum agent_state {
	AGENT_ADVERT,  /* asked for its advertisement */
	AGENT_URLS,    /* asked for URLs */
	AGENT_SETTLED, /* answered, or failed */
};

struct agent {
	struct run *run;
	size_t index;
	enum agent_state state;
	struct exchange x;
	struct endpoint at;
	struct scopes scopes;       /* to ask it for */
	bool is_directory, is_mute; /* is_mute: does not answer about attributes */
	bool has_answered;          /* whatever it said */
	size_t targets, tagless;
	char error[ERROR_BYTES]; /* "": none */
};

/* An exchange about the attributes of a target. */
struct query {
	struct run *run;
	struct exchange x;
	bool busy;
	size_t target;
};

/* A configured agent whose name is being looked up. */
struct named {
	struct run *run;
	struct lookup_waiter waiter;
	const struct config_agent *agent;
	bool busy;
};

struct run {
	struct loop *loop;
	const struct config *config;
	struct lookup_pool *names;
	struct named named[CONFIG_AGENTS_MAX];
	size_t n_lookups; /* of them, that are busy */
	run_done *done;
	void *user;
	enum stage stage;
	struct scopes scopes, uncovered; /* uncovered: when the service agents were asked */
	char predicate[PREDICATE_BYTES];
	uint64_t end_us, retry_us, share_us; /* share_us: the longest that one step may take */
	struct agenda_timer deadline, patience;
	struct agenda_work work;
	struct mcast cast;
	bool casting, was_sent;
	int err;
	struct agent *agents[LIMIT_SLP_AGENTS];
	size_t n_agents;
	struct query queries[QUERIES];
	size_t next_target; /* the first whose attributes may not have been asked for */
	struct found found;
	struct notes notes;
	/* URLs that were no targets, by fault, and the first of each. */
	unsigned bad_urls[SURL_FAULTS];
	char examples[SURL_FAULTS][EXAMPLE_BYTES];
};

uint16_t run_xid(void);
uint64_t run_earlier(uint64_t a, uint64_t b);
/* When a step that begins now has to end. */
uint64_t run_give_up_at(const struct run *r);

/* run_agents.c: ask those who are configured, and send what is multicast. */
void run_ask_configured(struct run *r);
void run_ask_advert(struct run *r, const struct endpoint *at);
void run_find_directories(struct run *r);
/* For r->uncovered. */
void run_find_services(struct run *r);

/* run_names.c: an agent that is configured by its name. */
void run_ask_named(struct run *r, const struct config_agent *c);
/* Nobody waits for names any more; those that were waited for are noted. */
void run_names_cancel(struct run *r);

/* run_attrs.c: ask for attributes that are not known yet.  True while some are being asked for. */
bool run_attrs(struct run *r);

#endif
