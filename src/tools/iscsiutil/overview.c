/* iscsiutil -o: all of it in a few lines, one a session and one a disk. */
#include "tools/iscsiutil/overview.h"

#include <stdlib.h>
#include <string.h>

#include "tools/common/result.h"
#include "tools/common/say.h"
#include "tools/common/size.h"
#include "tools/common/table.h"
#include "tools/common/wrap.h"
#include "tools/iscsiutil/ask.h"
#include "tools/iscsiutil/run.h"
#include "tools/iscsiutil/watch.h"

/* Where the last column of the sessions begins, as wide as its neighbours usually are. */
#define TARGET_WIDTH_MIN 24

static char *
number_text(const json_t *object, const char *key)
{
	return json_is_integer(json_object_get(object, key))
		   ? say_format("%lld", (long long)result_number(object, key))
		   : say_format("-");
}

/* Names differ at their ends: what a terminal has no room for is cut off at the front. */
static char *
cut_front(const char *name, size_t room)
{
	size_t len = strlen(name);

	if (room == 0 || len <= room || room < 4)
		return say_format("%s", name);
	return say_format("...%s", name + len - (room - 3));
}

static size_t
widest_portal(const json_t *targets)
{
	const json_t *target, *address;
	size_t widest = strlen("Address"), i, j;

	json_array_foreach(json_object_get(targets, "targets"), i, target)
	    json_array_foreach(json_object_get(target, "addresses"), j, address)
	{
		char *portal = result_portal(address);

		if (strlen(portal) > widest)
			widest = strlen(portal);
		free(portal);
	}
	return widest;
}

/* A line an address of a target; under it why it is not online. */
static void
put_address(struct table *t, const json_t *target, const json_t *address, size_t room)
{
	const char *state = result_text(address, "state");
	char *instance = number_text(address, "session_instance"), *portal = result_portal(address);
	char *name = cut_front(result_text(target, "name"), room);
	const char *cells[] = { instance, state[0] != '\0' ? state : "none", portal, name };

	table_row(t, cells);
	if (strcmp(state, "online") != 0 && result_text(address, "last_error")[0] != '\0')
		table_note(t, 1, result_text(address, "last_error"));
	free(name);
	free(portal);
	free(instance);
}

static void
put_addresses(FILE *out, const json_t *targets, size_t width)
{
	static const struct table_column columns[] = {
		{ "Session", 7, 2, true },
		{ "State", 9, 2, false },
		{ "Address", 7, 2, false },
		{ "Target", 6, 0, false },
	};
	struct table *t = table_new(columns, sizeof(columns) / sizeof(columns[0]));
	size_t used = 7 + 2 + 9 + 2 + widest_portal(targets) + 2, i, j;
	size_t room = width == 0                        ? 0
		      : width > used + TARGET_WIDTH_MIN ? width - used
							: TARGET_WIDTH_MIN;
	const json_t *target, *address;

	json_array_foreach(json_object_get(targets, "targets"), i, target) json_array_foreach(
	    json_object_get(target, "addresses"), j, address) put_address(t, target, address, room);
	table_print(t, out);
	table_free(t);
}

static const char *
base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash != NULL ? slash + 1 : path;
}

/* A line a unit; under it what is unusual about it. */
static void
put_unit(struct table *t, const json_t *node)
{
	const json_t *bytes = json_object_get(node, "size_bytes");
	const char *nbd = result_text(node, "nbd");
	const char *device = base_name(nbd[0] != '\0' ? nbd : result_text(node, "rdsk"));
	char size[SIZE_TEXT_BYTES] = "-", *session = number_text(node, "session_instance");
	const char *block = nbd[0] != '\0' ? "NBD" : result_text(node, "block");
	const char *cells[] = { result_text(node, "hw_path"), device[0] != '\0' ? device : "-",
		result_text(node, "sw_state"), size, block[0] != '\0' ? block : "-",
		result_is_true(node, "in_use") ? "yes" : "no" };

	if (json_is_integer(bytes) && json_integer_value(bytes) >= 0)
		size_text((uint64_t)json_integer_value(bytes), size);
	table_row(t, cells);
	if (result_text(node, "note")[0] != '\0')
		table_note(t, 1, result_text(node, "note"));
	free(session);
}

static void
put_units(FILE *out, const json_t *tree)
{
	static const struct table_column columns[] = {
		{ "H/W Path", 13, 2, false },
		{ "Device", 7, 2, false },
		{ "S/W State", 9, 2, false },
		{ "Size", 8, 2, true },
		{ "Block", 5, 2, false },
		{ "Used", 4, 0, false },
	};
	struct table *t = table_new(columns, sizeof(columns) / sizeof(columns[0]));
	const json_t *node;
	size_t i;

	json_array_foreach(json_object_get(tree, "nodes"), i, node)
	{
		if (json_is_integer(json_object_get(node, "lun")))
			put_unit(t, node);
	}
	table_print(t, out);
	table_free(t);
}

void
overview_show(FILE *out, const json_t *targets, const json_t *tree, size_t width)
{
	put_addresses(out, targets, width);
	fputc('\n', out);
	put_units(out, tree);
}

static enum status
show_once(void *user, bool is_again)
{
	const struct cmdline *line = user;
	json_t *targets = NULL, *tree = NULL, *all;
	struct call c;
	enum status status = call_open(&c, line, CALL_ISCSI);

	(void)is_again; /* all of it is shown each time */
	if (status == STATUS_OK)
		status = call_request(&c, IPC_OP_target_list, NULL, &targets);
	if (status == STATUS_OK)
		status = call_request(&c, IPC_OP_io_tree, NULL, &tree);
	call_close(&c);
	if (status == STATUS_OK && ask_wants_json(line)) {
		all = say_need(json_pack("{s:O, s:O}", "targets",
		    json_object_get(targets, "targets"), "nodes", json_object_get(tree, "nodes")));
		result_print(stdout, all);
		json_decref(all);
	} else if (status == STATUS_OK &&
		   json_array_size(json_object_get(targets, "targets")) == 0) {
		say_note(
		    "no operational target is known; 'iscsiutil -a -I <ip-address>' and 'ioscan' "
		    "find some");
	} else if (status == STATUS_OK) {
		overview_show(stdout, targets, tree, wrap_width(stdout));
	}
	json_decref(targets);
	json_decref(tree);
	return status;
}

enum status
run_overview(const struct cmdline *line)
{
	return watch(line, show_once, (void *)(uintptr_t)line);
}
