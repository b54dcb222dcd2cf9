/*
 * The adaptation layer on the main loop: what probes find becomes nodes of
 * the I/O tree with instances from the registry, and disks that are shown.
 */
#ifndef ISCSIAL_LUNS_H
#define ISCSIAL_LUNS_H

#include "driver/iscsi/wanted.h"
#include "driver/iscsial/tree.h"

struct luns_failure {
	char what[64]; /* a hardware path, or "LUN 3" */
	struct fault fault;
};

struct luns_result {
	struct fault fault; /* set: nothing was learned */
	size_t claimed, unclaimed;
	struct luns_failure *failures; /* n_failures of them, valid during the call */
	size_t n_failures;
	const struct probe_result *probe; /* what was left out, and why; NULL with a fault */
};
typedef void luns_done(void *user, const struct luns_result *r);

/* The nodes that the registry knows, all NO_HW; devices that are installed. */
bool luns_load(struct driver *d, struct fault *ret_fault);
/* Look at the session's LUNs; done() is never called from inside, and may be NULL. */
void luns_probe(struct wanted *w, luns_done *done, void *user);

/* Its target is not there any more: nodes are NO_HW until the session is online again. */
void luns_gone(struct driver *d, uint32_t instance);

/* What the session tells. */
extern const struct wanted_ops luns_ops;

/* A bus or target is there as long as something below it is. */
void luns_settle(struct driver *d, uint32_t instance);
/* The exporter shows this unit no more, and its block device goes. */
void luns_hide(struct wanted *w, struct node *n);
/* How many disks are shown, and how many of them are in use. */
size_t luns_count(const struct driver *d, size_t *ret_in_use);
/* NULL: there is no such node. */
struct node *luns_find(const struct driver *d, uint32_t instance, uint32_t lun);
/* The range of a session's nodes in the tree: from *ret_from up to the result. */
size_t luns_range(const struct driver *d, uint32_t instance, size_t *ret_from);

#endif
