#include "export/calltest.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static void *
run(void *arg)
{
	struct calltest *c = arg;

	c->n = c->is_write ? pwrite(c->fd, c->buf, sizeof c->buf, c->off)
			   : pread(c->fd, c->buf, sizeof c->buf, c->off);
	c->err = c->n < 0 ? errno : 0;
	return NULL;
}

void
calltest_begin(struct calltest *c, int fd, bool is_write, off_t off)
{
	c->fd = fd;
	c->is_write = is_write;
	c->off = off;
	memset(c->buf, 0x5a, sizeof c->buf);
	assert_int_equal(pthread_create(&c->thread, NULL, run, c), 0);
}
