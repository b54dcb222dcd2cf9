/* --export and --apply: the configuration as lines, each an operation of the control protocol. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ipc/codec.h"
#include "sys/confine.h"
#include "tools/common/args.h"
#include "tools/common/result.h"
#include "tools/common/say.h"
#include "tools/iscsiutil/ask.h"
#include "tools/iscsiutil/onboot.h"
#include "tools/iscsiutil/run.h"

/* What a file may ask for: what config.get answers with. */
static const enum ipc_op allowed[] = { IPC_OP_initiator_set, IPC_OP_log_level, IPC_OP_slp_set,
	IPC_OP_isns_set, IPC_OP_radius_set, IPC_OP_auth_set, IPC_OP_keys_set, IPC_OP_discovery_add,
	IPC_OP_target_add };

#define LINE_BYTES_MAX 65536

/* ---- export ---- */

static enum status
get(struct call *c, bool with_secrets, json_t **ret_result)
{
	enum status status = call_request(c, IPC_OP_config_get,
	    say_need(json_pack("{s:b}", "secrets", with_secrets)), ret_result);

	if (status != STATUS_OK || result_is_true(*ret_result, "is_complete"))
		return status;
	say_failure(IPC_ERR_INTERNAL, NULL, "look at the driver's log, and try again",
	    "the driver could not tell all that is configured");
	json_decref(*ret_result);
	*ret_result = NULL;
	return STATUS_FAILED;
}

static void
print_line(const json_t *operation)
{
	char *text = say_need(json_dumps(operation, JSON_COMPACT));

	puts(text);
	ipc_wipe(text, strlen(text));
}

/* Without what had to be left out it cannot be done: it stands there as a comment. */
static bool
is_usable(const json_t *operation)
{
	enum ipc_op op;
	char why[512];

	return ipc_op_find(result_text(operation, "op"), &op) == 0 &&
	       ipc_args_check(op, json_object_get(operation, "args"), why, sizeof(why)) == 0;
}

enum status
run_export(const struct cmdline *line)
{
	json_t *result = NULL;
	const json_t *o;
	struct call c;
	enum status status = call_open(&c, line, CALL_ISCSI);
	size_t i, left_out = 0;

	confine_private();
	if (status == STATUS_OK)
		status = get(&c, line->values[OPT_secrets].given, &result);
	call_close(&c);
	if (status != STATUS_OK)
		return status;
	json_array_foreach(json_object_get(result, "operations"), i, o)
	{
		left_out += json_array_size(json_object_get(o, "not_told"));
		if (!is_usable(o))
			fputs("# ", stdout);
		print_line(o);
	}
	json_decref(result);
	if (left_out > 0)
		say_note("%zu secret%s not in it: --secrets has them, too", left_out,
		    left_out == 1 ? " is" : "s are");
	return STATUS_OK;
}

/* ---- apply ---- */

/*
 * Which operations can say the same: of one scope, and where there are many of them, of one target
 * or key.  However much is configured, a line is held against these only.  The caller frees it.
 */
static char *
bucket_of(const json_t *operation)
{
	const char *op = result_text(operation, "op");
	const json_t *args = json_object_get(operation, "args");
	enum ipc_op id = IPC_OPS;

	(void)ipc_op_find(op, &id); /* unknown: a bucket of its own */
	return say_format("%s\n%s\n%s\n%s\n%s", op, result_text(args, "target"),
	    result_text(args, "address"), id == IPC_OP_target_add ? result_text(args, "name") : "",
	    id == IPC_OP_keys_set ? result_text(args, "key") : "");
}

/* The driver's operations by their buckets. */
static json_t *
index_of(const json_t *operations)
{
	json_t *index = say_need(json_object());
	json_t *o, *bucket;
	size_t i;

	json_array_foreach(operations, i, o)
	{
		char *name = bucket_of(o);

		bucket = json_object_get(index, name);
		if (bucket == NULL) {
			bucket = say_need(json_array());
			say_need(json_object_set_new(index, name, bucket) == 0 ? bucket : NULL);
		}
		say_need(json_array_append(bucket, o) == 0 ? bucket : NULL);
		free(name);
	}
	return index;
}

/* Each argument is the same, and neither is of a scope that the other does not name. */
static bool
says_so(const json_t *operation, const json_t *wanted)
{
	static const char *const place[] = { "target", "address", "tpgt" };
	const json_t *has, *args = json_object_get(operation, "args");
	json_t *wanted_args = json_object_get(wanted, "args"), *value;
	const char *name;

	/* jansson's comparison is not const, but changes nothing. */
	json_object_foreach(wanted_args, name, value)
	{
		has = json_object_get(args, name);
		if (!json_equal((json_t *)(uintptr_t)has, value) &&
		    !(has == NULL && json_is_false(value)))
			return false;
	}
	for (size_t k = 0; k < sizeof(place) / sizeof(place[0]); k++)
		if ((json_object_get(args, place[k]) == NULL) !=
		    (json_object_get(wanted_args, place[k]) == NULL))
			return false;
	return true;
}

/* It is so already: an operation of the driver's says the same, and maybe more. */
static bool
is_so(const json_t *index, const json_t *wanted)
{
	char *name = bucket_of(wanted);
	const json_t *bucket = json_object_get(index, name), *o;
	size_t i;

	free(name);
	json_array_foreach(bucket, i, o)
	{
		if (says_so(o, wanted))
			return true;
	}
	return false;
}

/* NULL, and a sentence was printed. */
static json_t *
parse(const char *text, size_t n, unsigned number, enum ipc_op *ret_op)
{
	json_error_t error;
	json_t *o = jsonmem_load(text, n, JSON_REJECT_DUPLICATES, &error);
	bool is_allowed = false;
	char why[512];

	if (o == NULL) {
		say_problem("write {\"op\":\"…\",\"args\":{…}}, as --export does",
		    "line %u cannot be read: %s", number, error.text);
		return NULL;
	}
	if (ipc_op_find(result_text(o, "op"), ret_op) == 0)
		for (size_t i = 0; i < sizeof(allowed) / sizeof(allowed[0]); i++)
			is_allowed |= allowed[i] == *ret_op;
	if (!is_allowed)
		say_problem("leave it out; --export prints those that there are",
		    "line %u: \"%s\" is no operation that configures", number,
		    result_text(o, "op"));
	else if (ipc_args_check(*ret_op, json_object_get(o, "args"), why, sizeof(why)) == 0)
		return o;
	else
		say_problem("correct it", "line %u: %s", number, why);
	json_decref(o);
	return NULL;
}

/* Lines that are asked of the driver together, so that one wait for its disk is enough for them. */
struct batch {
	struct ipc_many asked[IPC_MANY_MAX];
	json_t *lines[IPC_MANY_MAX]; /* what is asked, owned */
	unsigned number[IPC_MANY_MAX];
	size_t n;
};

struct apply {
	struct call call;
	json_t *now; /* what is configured: index_of() */
	bool is_dry;
	unsigned needed; /* daemons: onboot_needs() */
	unsigned changed;
	struct status_tally tally; /* of lines */
	struct batch batch;
};

static void
apply_batch(struct apply *a)
{
	struct batch *b = &a->batch;

	call_request_many(&a->call, b->asked, b->n);
	for (size_t i = 0; i < b->n; i++) {
		struct ipc_many *q = &b->asked[i];
		enum status status = call_told(&a->call, q);

		if (status == STATUS_OK)
			a->needed |= onboot_needs(q->op, json_object_get(b->lines[i], "args"));
		if (status != STATUS_OK && !say_is_json())
			say_note("that was line %u", b->number[i]);
		status_count(&a->tally, status);
		json_decref(q->result);
		json_decref(b->lines[i]);
	}
	b->n = 0;
}

/* Takes `o`. */
static void
apply_one(struct apply *a, json_t *o, enum ipc_op op, unsigned number)
{
	struct batch *b = &a->batch;
	json_t *args = json_object_get(o, "args");

	bool is_new = !is_so(a->now, o);

	a->changed += is_new;
	if (is_new && a->is_dry)
		print_line(o);
	if (!is_new || a->is_dry) {
		json_decref(o);
		status_count(&a->tally, STATUS_OK);
		return;
	}
	if (op == IPC_OP_discovery_add || op == IPC_OP_target_add)
		say_need(json_object_set_new(args, "if_absent", json_true()) == 0 ? args : NULL);
	b->lines[b->n] = o;
	b->number[b->n] = number;
	b->asked[b->n++] = (struct ipc_many){ .op = op, .args = json_incref(args) };
	if (b->n == IPC_MANY_MAX)
		apply_batch(a);
}

static enum status
apply_lines(struct apply *a, FILE *f)
{
	char *text = NULL;
	size_t room = 0;
	unsigned number = 0;
	ssize_t n;

	while ((n = getline(&text, &room, f)) > 0) {
		size_t blanks = strspn(text, " \t\r\n");
		enum ipc_op op;
		json_t *o = NULL;

		number++;
		if (text[blanks] == '\0' || text[blanks] == '#')
			continue;
		if (n > LINE_BYTES_MAX)
			say_problem("correct it", "line %u is too long", number);
		else
			o = parse(text, (size_t)n, number, &op);
		if (o != NULL)
			apply_one(a, o, op, number);
		else
			status_count(&a->tally, STATUS_USAGE);
	}
	apply_batch(a);
	ipc_wipe(text, room);
	return number > 0 ? status_sum(&a->tally) : STATUS_OK;
}

enum status
run_apply(const struct cmdline *line)
{
	const char *path = line->values[OPT_apply].text;
	struct apply a = { .is_dry = line->values[OPT_dry_run].given };
	FILE *f = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
	json_t *result = NULL;
	enum status status;

	confine_private();
	if (f == NULL) {
		say_failure(IPC_ERR_NOTFOUND, NULL, "see that it is there and can be read",
		    "cannot open %s: %s", path, strerror(errno));
		return STATUS_FAILED;
	}
	status = call_open(&a.call, line, CALL_ISCSI);
	if (status == STATUS_OK)
		status = get(&a.call, true, &result);
	if (status == STATUS_OK) {
		a.now = index_of(json_object_get(result, "operations"));
		status = apply_lines(&a, f);
		json_decref(a.now);
		if (!a.is_dry)
			say_note("%u of the lines changed something", a.changed);
		onboot_mark(line, a.needed);
	}
	call_close(&a.call);
	json_decref(result);
	if (f != stdin)
		(void)fclose(f); /* it was only read */
	return status;
}
