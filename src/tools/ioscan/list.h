/* ioscan's listings: from the I/O tree (doc/control-protocol.md, io.tree) to text. */
#ifndef IOSCAN_LIST_H
#define IOSCAN_LIST_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

/* What to list of the tree; NULL, -1 and false: everything. */
struct list_filter {
	const char *class, *driver, *hw_path;
	long instance;
	bool usable; /* claimed by a driver */
};

bool list_wants(const struct list_filter *filter, const json_t *node);
/* How many of the tree's nodes are wanted. */
size_t list_count(const json_t *tree, const struct list_filter *filter);
/* A copy of the answer with the wanted nodes only, to be json_decref()ed. */
json_t *list_select(const json_t *tree, const struct list_filter *filter);

/*
 * The guide's table (chapter 3), with a header.  `full`: all columns, else
 * path, class and description; `files`: device files under each device.
 * Nothing where no node is wanted.
 */
void list_table(
    FILE *out, const json_t *tree, const struct list_filter *filter, bool full, bool files);
/* One line a node: the fields of fields.def, colons between. */
void list_fields(FILE *out, const json_t *tree, const struct list_filter *filter, bool files);
/* The rows of fields.def as an mdoc list, for ioscan(8). */
void list_manual(FILE *out);

#endif
