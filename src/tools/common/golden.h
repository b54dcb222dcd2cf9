/*
 * For tests: a display's output beside a file that has it byte for byte, in
 * the directory golden/ of where the test runs.  With GOLDEN_UPDATE in the
 * environment the file is written instead, to be read before it is committed.
 */
#ifndef TOOLS_GOLDEN_H
#define TOOLS_GOLDEN_H

#include <jansson.h>
#include <stdio.h>

/* golden/<name>.json, a driver's answer; to be json_decref()ed. */
json_t *golden_load(const char *name);

struct golden {
	FILE *out; /* the display goes here */
	char *text;
	size_t len;
};

void golden_open(struct golden *g);
/* Closes, and compares with golden/<name>.txt; the test fails where they differ. */
void golden_check(struct golden *g, const char *name);

#endif
