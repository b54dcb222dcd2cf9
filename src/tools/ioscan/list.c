#include "tools/ioscan/list.h"

#include <stdlib.h>
#include <string.h>

#include "tools/common/hwpath.h"
#include "tools/common/result.h"
#include "tools/common/say.h"
#include "tools/common/table.h"

/* What a field needs beside the node's own members. */
struct extra {
	const char *class, *driver;
	char instance[24], card[24];
	char *module_path;
	bool is_root, is_device;
};

static void extra_init(struct extra *x, const json_t *tree, const json_t *n);
static void put_field(FILE *out, const char *value);
static char *files_of(const json_t *n);
static const char *driver_of(const json_t *n);

bool
list_wants(const struct list_filter *f, const json_t *node)
{
	if (f->class != NULL && strcmp(f->class, result_text(node, "class")) != 0)
		return false;
	if (f->driver != NULL && strcmp(f->driver, result_text(node, "driver")) != 0)
		return false;
	if (f->instance >= 0 && f->instance != result_number(node, "instance"))
		return false;
	if (f->hw_path != NULL && !hwpath_covers(f->hw_path, result_text(node, "hw_path")))
		return false;
	return !f->usable || strcmp(result_text(node, "sw_state"), "CLAIMED") == 0;
}

size_t
list_count(const json_t *tree, const struct list_filter *filter)
{
	const json_t *node;
	size_t i, n = 0;

	json_array_foreach(json_object_get(tree, "nodes"), i, node) n += list_wants(filter, node);
	return n;
}

json_t *
list_select(const json_t *tree, const struct list_filter *filter)
{
	json_t *copy = say_need(json_object()), *nodes = say_need(json_array()), *node;
	size_t i;

	json_array_foreach(json_object_get(tree, "nodes"), i, node) if (list_wants(filter, node))
	    say_need(json_array_append(nodes, node) == 0 ? nodes : NULL);
	say_need(json_object_set_new(copy, "nodes", nodes) == 0 ? copy : NULL);
	return copy;
}

void
list_table(FILE *out, const json_t *tree, const struct list_filter *filter, bool full, bool files)
{
	static const struct table_column full_columns[] = {
		{ "Class", 8, 2, false },
		{ "I", 1, 2, true },
		{ "H/W Path", 8, 2, false },
		{ "Driver", 7, 2, false },
		{ "S/W State", 9, 3, false },
		{ "H/W Type", 10, 3, false },
		{ "Description", 0, 0, false },
	};
	static const struct table_column short_columns[] = {
		{ "H/W Path", 15, 2, false },
		{ "Class", 8, 2, false },
		{ "Description", 0, 0, false },
	};
	struct table *t = full ? table_new(full_columns, 7) : table_new(short_columns, 3);
	const json_t *n;
	size_t i;

	json_array_foreach(json_object_get(tree, "nodes"), i, n)
	{
		const char *class = result_text(n, "class"), *path = result_text(n, "hw_path");
		const char *description = result_text(n, "description");
		char instance[24], *names;

		if (!list_wants(filter, n))
			continue;
		snprintf(
		    instance, sizeof(instance), "%lld", (long long)result_number(n, "instance"));
		if (full)
			table_row(t, (const char *[]){ class, instance, path, driver_of(n),
					 result_text(n, "sw_state"), result_text(n, "hw_type"),
					 description });
		else
			table_row(t, (const char *[]){ path, class, description });
		names = files ? files_of(n) : NULL;
		/* Under the driver in the full listing, under the class in the short one. */
		if (names != NULL)
			table_line(t, full ? 3 : 1, names);
		free(names);
	}
	table_print(t, out);
	table_free(t);
}

void
list_fields(FILE *out, const json_t *tree, const struct list_filter *filter, bool files)
{
	const json_t *n;
	size_t i;

	json_array_foreach(json_object_get(tree, "nodes"), i, n)
	{
		struct extra extra, *x = &extra;
		const char *colon = "";
		char *names = files ? files_of(n) : NULL;

		if (!list_wants(filter, n)) {
			free(names);
			continue;
		}
		extra_init(x, tree, n);
#define FIELD(name, help, value) \
	fputs(colon, out);       \
	colon = ":";             \
	put_field(out, value);
#include "tools/ioscan/fields.def"
		fputc('\n', out);
		if (names != NULL) {
			fputs("    ", out);
			say_text(out, names);
			fputc('\n', out);
		}
		free(names);
		free(x->module_path);
	}
}

void
list_manual(FILE *out)
{
	fputs(".Bl -enum -compact\n", out);
#define FIELD(name, help, value) fprintf(out, ".It\n%s: %s.\n", name, help);
#include "tools/ioscan/fields.def"
	fputs(".El\n", out);
}

static void
extra_init(struct extra *x, const json_t *tree, const json_t *n)
{
	const char *path = result_text(n, "hw_path");
	const json_t *above;
	size_t i, len;
	FILE *f;

	*x = (struct extra){
		.class = result_text(n, "class"),
		.driver = driver_of(n),
		.card = "-1",
	};
	x->is_root = strcmp(result_text(n, "hw_type"), "VIRTBUS") == 0;
	x->is_device =
	    strcmp(result_text(n, "hw_type"), "DEVICE") == 0 && strcmp(x->class, "target") != 0;
	snprintf(x->instance, sizeof(x->instance), "%lld", (long long)result_number(n, "instance"));
	f = say_need(open_memstream(&x->module_path, &len));
	fputs("root", f);
	/* The tree is in depth-first order: what is above a node stands before it. */
	json_array_foreach(json_object_get(tree, "nodes"), i, above)
	{
		if (!hwpath_covers(result_text(above, "hw_path"), path))
			continue;
		if (result_text(above, "driver")[0] != '\0')
			fprintf(f, "/%s", result_text(above, "driver"));
		if (strcmp(result_text(above, "class"), "ext_bus") == 0 && above != n)
			snprintf(x->card, sizeof(x->card), "%lld",
			    (long long)result_number(above, "instance"));
	}
	say_need(fclose(f) == 0 ? x->module_path : NULL);
}

/* A target writes the description: a colon in it must not look like the end of the field. */
static void
put_field(FILE *out, const char *value)
{
	char *clean = say_clean(value);

	for (const char *p = clean; *p != '\0'; p++) {
		if (*p == ':')
			fputc('\\', out);
		fputc(*p, out);
	}
	free(clean);
}

/* "/dev/dsk/c1t0d0   /dev/rdsk/c1t0d0", "/dev/nbd/c1t0d0", or NULL; the caller frees it. */
static char *
files_of(const json_t *n)
{
	const char *dsk = result_text(n, "dsk"), *rdsk = result_text(n, "rdsk");

	if (result_text(n, "nbd")[0] != '\0')
		return say_format("%s", result_text(n, "nbd"));
	if (dsk[0] == '\0' && rdsk[0] == '\0')
		return NULL;
	return say_format("%s%s%s", dsk, dsk[0] != '\0' && rdsk[0] != '\0' ? "   " : "", rdsk);
}

static const char *
driver_of(const json_t *n)
{
	const char *driver = result_text(n, "driver");

	return driver[0] != '\0' ? driver : "?";
}
