/*
 * iscsiutil -a and -d: discovery targets, operational targets and their addresses, iSNS servers.
 * Several addresses are several requests: one that fails keeps no other back.
 */
#include <stdlib.h>

#include "tools/common/args.h"
#include "tools/common/result.h"
#include "tools/common/say.h"
#include "tools/iscsiutil/ask.h"
#include "tools/iscsiutil/onboot.h"
#include "tools/iscsiutil/run.h"

/* Says what was done to one address, or one of those that an answer names. */
typedef void tell(const struct cmdline *line, const json_t *one, const char *portal);

static void
tell_each(const struct cmdline *line, const json_t *list, tell *say)
{
	const json_t *one;
	size_t i;

	json_array_foreach(list, i, one)
	{
		char *portal = result_portal(one);

		say(line, one, portal);
		free(portal);
	}
}

/* All that such a line can say; NULL, with a sentence: it cannot be sent. */
static json_t *
make_args(const struct cmdline *line)
{
	json_t *args = say_need(json_object());

	if (args_put(args, "name", line, OPT_T) && ask_put_portal(args, line) &&
	    args_put(args, "if_absent", line, OPT_if_absent) &&
	    args_put(args, "targets", line, OPT_targets) &&
	    args_put(args, "force", line, OPT_force))
		return args;
	json_decref(args);
	return NULL;
}

/* One address, or none where the line has none; what was done is added to `all`. */
static enum status
change_one(struct call *c, const struct cmdline *line, enum ipc_op op, json_t *all)
{
	json_t *result = NULL, *args = make_args(line);
	enum status status = args != NULL ? call_request(c, op, args, &result) : STATUS_USAGE;
	const json_t *removed = json_object_get(result, "removed");

	if (status != STATUS_OK)
		return status;
	/* A target that is removed is all its addresses. */
	if (removed != NULL)
		say_need(json_array_extend(all, (json_t *)(uintptr_t)removed) == 0 ? all : NULL);
	else
		say_need(json_array_append(all, result) == 0 ? all : NULL);
	json_decref(result);
	return STATUS_OK;
}

/* Each address of the line; `member`: what they are in JSON. */
static enum status
change(const struct cmdline *line, enum ipc_op op, const char *member, tell *say)
{
	const struct cmdline_value *addresses = &line->values[OPT_I];
	json_t *all = say_need(json_array()), *answer;
	struct cmdline one = *line;
	struct status_tally tally = { 0 };
	struct call c;
	enum status status = call_open(&c, line, CALL_ISCSI);

	for (int i = 0; status == STATUS_OK && i < addresses->list_count; i++) {
		one.values[OPT_I].text = addresses->list[i];
		status_count(&tally, change_one(&c, &one, op, all));
	}
	if (status == STATUS_OK && addresses->list_count == 0)
		status_count(&tally, change_one(&c, line, op, all));
	call_close(&c);
	if (tally.done > 0 && say_is_json()) {
		answer = say_need(json_pack("{s:O}", member, all));
		result_print(stdout, answer);
		json_decref(answer);
	} else if (say != NULL) {
		tell_each(line, all, say);
	}
	json_decref(all);
	return status != STATUS_OK ? status : status_sum(&tally);
}

/* The guide's commands say nothing of one address; of several each is told. */
static void
say_discovery(const struct cmdline *line, const json_t *one, const char *portal)
{
	(void)one;
	if (line->values[OPT_I].list_count > 1)
		say_note("%s is %s discovery target address", portal,
		    line->values[OPT_a].given ? "a" : "no longer a");
}

enum status
run_add(const struct cmdline *line)
{
	return change(line, IPC_OP_discovery_add, "addresses", say_discovery);
}

/* What was found through it is not deleted with it, which is not what everybody expects. */
static void
say_deleted(const struct cmdline *line, const json_t *one, const char *portal)
{
	json_int_t n = result_number(one, "addresses_kept");

	say_discovery(line, one, portal);
	if (n > 0)
		say_note("%lld operational target address%s that only %s has named stay%s, with "
			 "sessions "
			 "and disks: 'iscsiutil -p -O' lists them, 'iscsiutil -d -T <target-name>' "
			 "deletes a target, and --targets would have deleted them together",
		    (long long)n, n == 1 ? "" : "es", portal, n == 1 ? "s" : "");
}

enum status
run_del(const struct cmdline *line)
{
	return change(line, IPC_OP_discovery_remove, "addresses", say_deleted);
}

static void
say_added(const struct cmdline *line, const json_t *one, const char *portal)
{
	(void)line;
	say_note("%s has the address %s; ioscan opens it", result_text(one, "name"), portal);
}

enum status
run_add_addr(const struct cmdline *line)
{
	return change(line, IPC_OP_target_add, "addresses", say_added);
}

static void
say_purged(const struct cmdline *line, const json_t *one, const char *portal)
{
	json_int_t n = result_number(one, "addresses_removed");

	say_discovery(line, one, portal);
	say_note("%lld operational target address%s deleted with it", (long long)n,
	    n == 1 ? " was" : "es were");
}

enum status
run_del_found(const struct cmdline *line)
{
	return change(line, IPC_OP_discovery_remove, "addresses", say_purged);
}

static void
say_cleared(const struct cmdline *line, const json_t *one, const char *portal)
{
	(void)line;
	(void)portal;
	say_note("logins are not sent to %s any more; this counts from the next login",
	    result_text(one, "was"));
}

enum status
run_clear_redirect(const struct cmdline *line)
{
	return change(line, IPC_OP_redirect_clear, "addresses", say_cleared);
}

static void
say_removed(const struct cmdline *line, const json_t *one, const char *portal)
{
	(void)line;
	say_note("%s at %s is deleted", result_text(one, "name"), portal);
}

enum status
run_del_name(const struct cmdline *line)
{
	return change(line, IPC_OP_target_remove, "removed", say_removed);
}

enum status
run_del_addr(const struct cmdline *line)
{
	return run_del_name(line);
}

static void
say_isns(const struct cmdline *line, const json_t *one, const char *portal)
{
	json_int_t n = result_number(one, "addresses_removed");

	(void)portal; /* it has no portal group tag */
	if (line->values[OPT_I].list_count > 1)
		say_note("%s port %lld is %s iSNS server", result_text(one, "address"),
		    (long long)result_number(one, "port"),
		    line->values[OPT_a].given ? "an" : "no longer an");
	if (line->values[OPT_targets].given)
		say_note("%lld operational target address%s deleted with it", (long long)n,
		    n == 1 ? " was" : "es were");
}

enum status
run_isns_add(const struct cmdline *line)
{
	enum status status = change(line, IPC_OP_isns_add, "servers", say_isns);

	if (status == STATUS_OK)
		onboot_mark(line, ONBOOT_IISNSD);
	return status;
}

enum status
run_isns_del(const struct cmdline *line)
{
	return change(line, IPC_OP_isns_remove, "servers", say_isns);
}
