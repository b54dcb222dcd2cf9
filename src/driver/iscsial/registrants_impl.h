/* Between registrants.c (keys, and commands that change them) and registrants_look.c (a path has
 * come); nobody else includes it. */
#ifndef ISCSIAL_REGISTRANTS_IMPL_H
#define ISCSIAL_REGISTRANTS_IMPL_H

#include "driver/iscsial/registrants.h"
#include "scsi/sense.h"

#define REGISTRANTS_TIMEOUT_MS 10000

struct registrant {
	struct list link;
	char unit[32]; /* the name of the unit's device, also where a twin is another path to it */
	uint64_t key;
	bool aptpl;
	uint32_t generation; /* PRGENERATION as it was seen last with the key */
};

struct registrants {
	struct list all;
};

struct look {
	struct driver *d;
	struct passing_to to;
	char unit[32];
	uint64_t key;
	uint32_t count; /* so many nexuses had it, before our step */
	bool was_lost;
	unsigned again; /* READ KEYS met a unit attention so often */
};

/* The name of the unit that it is a path to. */
const char *registrants_unit(const struct node *n);
/* NULL: no key is registered for it. */
struct registrant *registrants_find(const struct driver *d, const char *unit);
void registrants_forget(const struct driver *d, const char *unit);
bool registrants_has_status(const struct mail_pass *q, enum sense_status status);
/* A PERSISTENT RESERVE IN. */
struct mail_pass *registrants_question(
    enum reserve_in action, void (*done)(struct question *q), void *user);
bool registrants_take_keys(const struct mail_pass *q, struct reserve_keys *ret);
/* registrants_look.c */
void registrants_look_end(struct look *l, struct mail_pass *q);

#endif
