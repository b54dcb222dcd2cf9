/*
 * What iSNS servers name, as iisnsd follows it: a copy of what it knows, which is
 * there anew whenever that changes.  On the main loop.
 */
#ifndef ISCSI_ISNS_H
#define ISCSI_ISNS_H

#include <jansson.h>

#include "driver/iscsi/find.h"

/* iisnsd has every server answer, or fail, within this when a scan asks. */
#define ISNS_TIMEOUT_MS 10000

struct isns_server {
	struct registry_address at; /* as it stands in the registry's lists of what was found */
	char text[LIMIT_ADDRESS_BYTES + 1]; /* as it is configured */
	bool is_known; /* it has answered once: `found` is its last good answer */
	bool is_all;   /* … and all that it names */
	bool has_failed;
	char error[FAULT_MESSAGE_BYTES]; /* has_failed: why */
	struct discovered *found;        /* n of them, sorted: isns_compare(); owned */
	size_t n;
	json_t *shown; /* what iisnsd says of it; NULL: nothing yet */
};

struct isns;

/*
 * Listen for iisnsd, and have it follow the servers that are configured.  changed(): there is
 * another copy.  False with *ret_fault.
 */
bool isns_open(struct driver *d, void (*changed)(struct driver *d), struct fault *ret_fault);
/* NULL is fine (d->isns). */
void isns_close(struct driver *d);
/* The servers that are configured, or who this initiator is, have changed. */
void isns_push(struct driver *d);
/* iisnsd's pid, 0 where it does not run. */
pid_t isns_pid(const struct driver *d);
/* The servers that are configured, as far as they are known; borrowed until the loop's next turn.
 */
const struct isns_server *isns_servers(const struct driver *d, size_t *ret_n);
/* NULL: it is not configured. */
const struct isns_server *isns_find(const struct driver *d, const char *text);
/* Order of what was found: name, host, port. */
int isns_compare(const void *a, const void *b);
#define ISNS_PORT 3205
/* As it is configured where somebody gives an address and a port. */
void isns_text(const struct registry_address *a, char ret[LIMIT_ADDRESS_BYTES + 1]);
/* "host" and a port, default 3205, of text as it is configured.  False: it is none. */
bool isns_address(const char *text, struct registry_address *ret);

/* The servers that are configured, each as it was typed. */
struct isns_server_list {
	size_t n;
	char text[LIMIT_ISNS_SERVERS][LIMIT_ADDRESS_BYTES + 1];
};
void isns_configured(struct driver *d, struct isns_server_list *ret);
/* As it is stored: with commas between; for free(). */
char *isns_join(const struct isns_server_list *list);
/* Such a text; "": none.  False with *ret_fault: a server cannot be, or there are too many. */
bool isns_parse(const char *text, struct isns_server_list *ret, struct fault *ret_fault);

/*
 * Have the server asked now.  done() follows, never from inside, when what it says is in the copy,
 * or cannot be had: why->is_set.
 */
struct isns_ask;
typedef void isns_asked(void *user, const struct fault *why);
struct isns_ask *isns_ask(struct driver *d, const char *text, isns_asked *done, void *user);
/* done() is not called. */
void isns_ask_cancel(struct isns_ask *a);

#endif
