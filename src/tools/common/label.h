/*
 * Displays of the form "Label                      : value", one a line.  Site
 * scripts parse them: the colon stands in column 28, counted from 1, and a
 * space follows it also where the value is empty.
 */
#ifndef TOOLS_LABEL_H
#define TOOLS_LABEL_H

#include <jansson.h>
#include <stdio.h>

enum label_kind {
	LABEL_TEXT,
	LABEL_IF_ANY, /* as LABEL_LIMITS; no line at all where there are none */
	LABEL_IF_SET, /* a text or number; no line at all where there is none */
	LABEL_NUMBER, /* nothing where there is none */
	LABEL_WORDS,  /* a list; "(default)" where "<key>_is_default" says so */
	LABEL_PAIRS, /* an object's strings and lists: "MaxBurstLength=65536 DataDigest=CRC32C,None"
		      */
	LABEL_LIMITS, /* an object of limits: "NOPTimeout=5 CommandTimeout=90 (target)" */
	LABEL_SECRET, /* a truth: set or not set */
	LABEL_TRUTH,  /* yes or no */
	LABEL_BLANK,  /* an empty line */
};

/* One row of a labels.def. */
struct label {
	unsigned sections; /* bits: the displays it stands in */
	const char *label;
	enum label_kind kind;
	const char *key; /* in the driver's answer */
};

#define LABEL_WIDTH 27

/* The object's values under the labels of these sections, in the rows' order. */
void label_print(
    FILE *out, const struct label *rows, size_t n, unsigned sections, const json_t *object);
/* One line. */
void label_put(FILE *out, const char *label, const char *value);

#endif
