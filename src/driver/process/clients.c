#include "driver/process/clients.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ipc/client.h"
#include "ipc/codec.h"
#include "sys/usedby.h"

/* "c0t0d1 (process 4711, process 4712)", as usedby.h reads it. */
static void
describe(const char *name, const json_t *users, char *ret_text, size_t size)
{
	const json_t *v;
	size_t i;
	int n = snprintf(ret_text, size, "%s", name);

	json_array_foreach(users, i, v)
	{
		if (n >= 0 && (size_t)n < size)
			n += snprintf(ret_text + n, size - (size_t)n, "%sprocess %lld",
			    i == 0 ? " (" : ", ", (long long)json_integer_value(v));
	}
	if (json_array_size(users) > 0 && n >= 0 && (size_t)n < size)
		(void)snprintf(ret_text + n, size - (size_t)n, ")"); /* a long one is cut */
}

static bool
tell(const char *program, const struct paths *paths, const json_t *node)
{
	const char *file = json_string_value(json_object_get(node, "nbd"));
	char text[256], *by;

	if (file == NULL || !json_is_true(json_object_get(node, "in_use")))
		return false;
	describe(strrchr(file, '/') != NULL ? strrchr(file, '/') + 1 : file,
	    json_object_get(node, "users"), text, sizeof text);
	by = usedby_text(paths, text);
	fprintf(stderr, "%s: %s is in use: %s\n", program, text,
	    by != NULL && by[0] != '\0' ? by : "a client is connected");
	free(by);
	return true;
}

/* The driver's disks, as they are now; NULL: whoever cannot be asked is said by what stops it next.
 */
static json_t *
ask(const struct paths *paths)
{
	struct ipc_error e = { 0 };
	struct ipc_client *c;
	json_t *tree = NULL;

	if (ipc_connect(paths->dev_iscsi, &c, &e) == 0) {
		(void)ipc_request(c, IPC_OP_io_tree, json_pack("{s:b}", "fresh", 1), NULL, NULL,
		    &tree, &e); /* as above */
		ipc_client_free(c);
	}
	ipc_error_fini(&e);
	return tree;
}

bool
clients_are_leaving(const struct paths *paths, const struct diskuse *use)
{
	json_t *tree = ask(paths), *node;
	bool is_any = false;
	size_t i;

	json_array_foreach(json_object_get(tree, "nodes"), i, node)
	{
		const char *file = json_string_value(json_object_get(node, "nbd"));
		const char *slash = file != NULL ? strrchr(file, '/') : NULL;

		if (slash != NULL && json_is_true(json_object_get(node, "in_use")))
			is_any = is_any || !diskuse_is_connected(use, slash + 1);
	}
	json_decref(tree);
	return is_any;
}

bool
clients_tell(const char *program, const struct paths *paths)
{
	json_t *tree = ask(paths), *node;
	bool is_any = false;
	size_t i;

	json_array_foreach(json_object_get(tree, "nodes"), i, node) is_any |=
	    tell(program, paths, node);
	json_decref(tree);
	return is_any;
}
