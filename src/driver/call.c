#include "driver/call.h"

#include <stdlib.h>
#include <string.h>

#include "sys/log.h"

struct call {
	struct loop_msg msg;
	void (*fn)(void *arg);
	void *arg;
};

static void
run(struct loop_msg *m)
{
	struct call c = *(struct call *)(void *)m;

	free(m);
	c.fn(c.arg);
}

void
call_no_memory(void)
{
	log_crit("out of memory: the driver cannot go on");
	abort();
}

void *
call_alloc(size_t bytes)
{
	void *p = calloc(1, bytes);

	if (p == NULL)
		call_no_memory();
	return p;
}

char *
call_strdup(const char *s)
{
	size_t n = strlen(s) + 1;

	return memcpy(call_alloc(n), s, n);
}

void
call_post(struct loop *to, void (*fn)(void *arg), void *arg)
{
	struct call *c = call_alloc(sizeof *c);

	c->msg.run = run;
	c->fn = fn;
	c->arg = arg;
	loop_post(to, &c->msg);
}
