#include "ipc/ops.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

static const struct ipc_op_row rows[IPC_OPS] = {
#define OP(id, word, may, patience_ms, what) \
	[IPC_OP_##id] = {                    \
		.name = word,                \
		.access = IPC_##may,         \
		.deadline_ms = patience_ms,  \
		.help = what,                \
	},
#include "ipc/messages.def"
};

/* Sorted by operation, as messages.def is. */
static const struct ipc_arg arg_rows[] = {
#define ARG(id, word, kind, must_or_may, what) \
	{                                      \
		.op = IPC_OP_##id,             \
		.name = word,                  \
		.type = IPC_##kind,            \
		.need = IPC_##must_or_may,     \
		.help = what,                  \
	},
#include "ipc/messages.def"
};
#define ARG_ROWS (sizeof arg_rows / sizeof arg_rows[0])

static const struct ipc_arg *find_arg(enum ipc_op op, const char *name);
static int check_type(const struct ipc_arg *a, const json_t *value, char *why, size_t why_bytes);
static void explain_unknown(enum ipc_op op, const char *name, char *why, size_t why_bytes);

const char *
ipc_error_name(enum ipc_error_code code)
{
	switch (code) {
#define FAULT(id, text)    \
	case IPC_ERR_##id: \
		return #id;
#include "base/fault.def"
	case IPC_ERR_UNKNOWN_OP:
		return "UNKNOWN_OP";
	case IPC_ERROR_CODES:
		break;
	}
	return "INTERNAL";
}

int
ipc_error_find(const char *name, enum ipc_error_code *ret_code)
{
	for (enum ipc_error_code code = 0; code < IPC_ERROR_CODES; code++) {
		if (strcmp(name, ipc_error_name(code)) == 0) {
			*ret_code = code;
			return 0;
		}
	}
	return -ENOENT;
}

enum ipc_error_code
ipc_error_of(enum fault_code code)
{
	static const enum ipc_error_code codes[] = {
#define FAULT(id, text) [FAULT_##id] = IPC_ERR_##id,
#include "base/fault.def"
	};

	return codes[code];
}

const struct ipc_op_row *
ipc_op_row(enum ipc_op op)
{
	assert(op < IPC_OPS);
	return &rows[op];
}

bool
ipc_op_keeps(enum ipc_op op)
{
	static const bool keeps[IPC_OPS] = {
#define KEEPS(id) [IPC_OP_##id] = true,
#include "ipc/messages.def"
	};

	assert(op < IPC_OPS);
	return keeps[op];
}

int
ipc_op_find(const char *name, enum ipc_op *ret_op)
{
	for (enum ipc_op op = 0; op < IPC_OPS; op++) {
		if (strcmp(name, rows[op].name) == 0) {
			*ret_op = op;
			return 0;
		}
	}
	return -ENOENT;
}

const struct ipc_arg *
ipc_op_arg(enum ipc_op op, size_t n)
{
	for (size_t i = 0; i < ARG_ROWS; i++)
		if (arg_rows[i].op == op && n-- == 0)
			return &arg_rows[i];
	return NULL;
}

static bool
is_hidden(const char *member)
{
	static const char *const hidden[] = {
#define HIDE(name) name,
#include "ipc/messages.def"
	};

	for (size_t i = 0; i < sizeof hidden / sizeof hidden[0]; i++)
		if (strcmp(member, hidden[i]) == 0)
			return true;
	return false;
}

void
ipc_op_hide(json_t *answer)
{
	const char *name;
	json_t *value;
	size_t i;

	json_object_foreach(answer, name, value)
	{
		if (is_hidden(name))
			(void)json_object_set_new(answer, name, json_null()); /* takes no memory */
		else
			ipc_op_hide(value);
	}
	json_array_foreach(answer, i, value) ipc_op_hide(value);
}

static bool
is_secret(const char *argument)
{
	static const char *const secret[] = {
#define SECRET(name) name,
#include "ipc/messages.def"
	};

	for (size_t i = 0; i < sizeof secret / sizeof secret[0]; i++)
		if (strcmp(argument, secret[i]) == 0)
			return true;
	return false;
}

static const char *
arg_text(const char *name, const json_t *value, char number[static 32])
{
	if (json_is_string(value) && json_string_value(value)[0] == '\0')
		return "default";
	if (is_secret(name))
		return "(not told)";
	if (json_is_string(value))
		return json_string_value(value);
	(void)snprintf(number, 32, "%lld", (long long)json_integer_value(value)); /* fits */
	return json_is_integer(value) ? number : json_is_true(value) ? "yes" : "no";
}

void
ipc_op_describe(enum ipc_op op, const json_t *args, char *buf, size_t bytes)
{
	const struct ipc_arg *a;
	size_t at = strlen(rows[op].name);
	char number[32];

	(void)snprintf(buf, bytes, "%s", rows[op].name);
	for (size_t i = 0; (a = ipc_op_arg(op, i)) != NULL && at < bytes; i++) {
		const json_t *value = json_object_get(args, a->name);

		if (value == NULL || json_is_null(value))
			continue;
		/* What is too long is cut. */
		(void)snprintf(
		    buf + at, bytes - at, " %s=%s", a->name, arg_text(a->name, value, number));
		at += strlen(buf + at);
	}
}

int
ipc_args_check(enum ipc_op op, const json_t *args, char *why, size_t why_bytes)
{
	const struct ipc_arg *a;
	const char *name;
	json_t *value;

	if (args != NULL && !json_is_object(args)) {
		(void)snprintf(
		    why, why_bytes, "the arguments of %s are not an object", rows[op].name);
		return -EINVAL;
	}
	/* jansson's iterators are not const, but change nothing. */
	json_object_foreach((json_t *)args, name, value)
	{
		a = find_arg(op, name);
		if (a == NULL) {
			explain_unknown(op, name, why, why_bytes);
			return -EINVAL;
		}
		if (!json_is_null(value) && check_type(a, value, why, why_bytes) < 0)
			return -EINVAL;
	}
	for (size_t n = 0; (a = ipc_op_arg(op, n)) != NULL; n++) {
		value = json_object_get(args, a->name);
		if (a->need == IPC_MUST && (value == NULL || json_is_null(value))) {
			(void)snprintf(why, why_bytes, "%s needs the argument \"%s\" (%s)",
			    rows[op].name, a->name, a->help);
			return -EINVAL;
		}
	}
	return 0;
}

static const struct ipc_arg *
find_arg(enum ipc_op op, const char *name)
{
	for (size_t i = 0; i < ARG_ROWS; i++)
		if (arg_rows[i].op == op && strcmp(arg_rows[i].name, name) == 0)
			return &arg_rows[i];
	return NULL;
}

static int
check_type(const struct ipc_arg *a, const json_t *value, char *why, size_t why_bytes)
{
	const char *type = NULL;

	switch (a->type) {
	case IPC_STRING:
		type = json_is_string(value) ? NULL : "a string";
		break;
	case IPC_INT:
		type = json_is_integer(value) ? NULL : "a whole number";
		break;
	case IPC_BOOL:
		type = json_is_boolean(value) ? NULL : "true or false";
		break;
	}
	if (type == NULL)
		return 0;
	(void)snprintf(why, why_bytes, "the argument \"%s\" of %s must be %s", a->name,
	    rows[a->op].name, type);
	return -EINVAL;
}

/* Name it, and those that there are. */
static void
explain_unknown(enum ipc_op op, const char *name, char *why, size_t why_bytes)
{
	const struct ipc_arg *a;
	size_t at;
	int n;

	n = snprintf(why, why_bytes, "%s has no argument \"%.64s\"%s", rows[op].name, name,
	    ipc_op_arg(op, 0) == NULL ? "; it takes none" : "; it has");
	at = n > 0 ? (size_t)n : 0;
	for (size_t i = 0; (a = ipc_op_arg(op, i)) != NULL && at < why_bytes; i++) {
		n = snprintf(why + at, why_bytes - at, "%s %s", i > 0 ? "," : "", a->name);
		at += n > 0 ? (size_t)n : 0;
	}
}
