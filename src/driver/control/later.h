/* A call of the control protocol whose answer comes later; a base for structs that need more. */
#ifndef CONTROL_LATER_H
#define CONTROL_LATER_H

#include <stdlib.h>

#include "driver/call.h"
#include "driver/driver.h"

struct later {
	struct driver *d;
	struct ipc_call *call;
};

static inline struct later *
later_new(struct driver *d, struct ipc_call *call)
{
	struct later *l = call_alloc(sizeof *l);

	l->d = d;
	l->call = call;
	return l;
}

static inline void
later_free(struct later *l)
{
	free(l);
}

#endif
