/* What isns.c (following), isns_copy.c (what was told) and isns_ask.c (asking now) share; nobody
 * else includes it. */
#ifndef ISCSI_ISNS_IMPL_H
#define ISCSI_ISNS_IMPL_H

#include "base/cut.h"
#include "core/addr.h"
#include "driver/iscsi/isns.h"
#include "ipc/helper.h"

struct isns_copy {
	int64_t serial;              /* iisnsd's, of what this is; 0: of nothing */
	struct isns_server *servers; /* n of them; owned */
	size_t n;
};

enum isns_copy_step { ISNS_COPY_MORE, ISNS_COPY_WHOLE, ISNS_COPY_BAD };

/*
 * An answer to "follow": the first page, or the next one of the same serial; another serial begins
 * anew.  MORE: *ret_next is where the next one begins.
 */
enum isns_copy_step isns_copy_take(struct isns_copy *c, const json_t *result, size_t *ret_next);
void isns_copy_drop(struct isns_copy *c);
const struct isns_server *isns_copy_find(const struct isns_copy *c, const char *text);

struct isns {
	struct driver *d;
	struct helper_server *daemon;
	void (*changed)(struct driver *d);
	int64_t id; /* of the question that is out; -1: none */
	struct agenda_timer again;
	struct isns_copy copy, coming;
	struct list asks; /* isns_ask.c's */
};

/* What is coming is whole. */
void isns_take_over(struct isns *x);
/* There is another copy. */
void isns_asks_look(struct isns *x);
/* Nobody is told. */
void isns_asks_end(struct isns *x);

#endif
