/* A registry in a directory of its own, for the tests of this folder. */
#ifndef REGISTRY_TEST_FIXTURE_H
#define REGISTRY_TEST_FIXTURE_H

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "registry/registry.h"

static char dir[64], path[128];
static struct registry *r;
static struct registry_error error;

static inline int
start(void **state)
{
	(void)state;
	strncpy(dir, "/tmp/openisw-registry-XXXXXX", sizeof dir - 1);
	if (mkdtemp(dir) == NULL || snprintf(path, sizeof path, "%s/registry.db", dir) < 0)
		return -1;
	return registry_open(path, &r, &error);
}

static inline int
stop(void **state)
{
	struct dirent *e;
	DIR *d;

	(void)state;
	registry_close(r);
	r = NULL;
	d = opendir(dir);
	if (d == NULL)
		return -1;
	while ((e = readdir(d)) != NULL)
		(void)unlinkat(dirfd(d), e->d_name, 0); /* "." and ".." stay */
	closedir(d);
	return rmdir(dir);
}

static inline void
reopen(void)
{
	registry_close(r);
	assert_int_equal(registry_open(path, &r, &error), 0);
}

static inline struct registry_address
address(const char *text, uint16_t port, uint16_t tpgt)
{
	struct registry_address a = { .port = port, .tpgt = tpgt };

	(void)snprintf(a.address, sizeof a.address, "%s", text);
	return a;
}

/* The key's value at the scope, "-" where it is not set. */
static inline const char *
value_of(const struct registry_scope *scope, enum registry_key key)
{
	static char text[256];
	char *value;
	int err = registry_get(r, scope, key, &value);

	if (err == -ENOENT)
		return "-";
	assert_int_equal(err, 0);
	(void)snprintf(text, sizeof text, "%s", value);
	free(value);
	return text;
}

#define OPENED(f) cmocka_unit_test_setup_teardown(f, start, stop)

#endif
