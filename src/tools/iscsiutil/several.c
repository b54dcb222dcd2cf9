/* What iscsiutil does to several sessions: log them out. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "tools/common/args.h"
#include "tools/common/result.h"
#include "tools/common/say.h"
#include "tools/iscsiutil/ask.h"
#include "tools/iscsiutil/run.h"

/* Is it one that is meant: of this target, at one of these addresses? */
static bool
is_meant(const struct cmdline *line, const json_t *session)
{
	const struct cmdline_value *v = line->values;
	bool is_there = !v[OPT_I].given;

	/* The driver knows names as RFC 3722 does; here only letters differ. */
	if (v[OPT_T].given && strcasecmp(v[OPT_T].text, result_text(session, "target_name")) != 0)
		return false;
	for (int i = 0; i < v[OPT_I].list_count; i++)
		is_there |= strcasecmp(v[OPT_I].list[i], result_text(session, "address")) == 0;
	if (!is_there)
		return false;
	if (v[OPT_P].given && v[OPT_P].number != result_number(session, "port"))
		return false;
	return !v[OPT_M].given || v[OPT_M].number == result_number(session, "tpgt");
}

/* One that is named by its number alone has no name here. */
static void
tell_logged_out(const json_t *session, const json_t *result)
{
	long long instance = (long long)result_number(session, "instance");
	const char *name = result_text(session, "target_name");
	const char *error = result_text(result, "last_error");

	if (say_is_json())
		return;
	if (error[0] != '\0')
		say_note("session %lld is closed, but the target did not confirm the logout: %s",
		    instance, error);
	else if (name[0] != '\0')
		say_note("session %lld (%s) is logged out", instance, name);
	else
		say_note("session %lld is logged out", instance);
}

static enum status
log_out(struct call *c, const struct cmdline *line, const json_t *session, json_t *all)
{
	json_t *result,
	    *args = say_need(json_pack("{s:I}", "instance", result_number(session, "instance")));
	enum status status;

	if (!args_put(args, "force", line, OPT_force))
		return STATUS_USAGE; /* it has no text */
	status = call_request(c, IPC_OP_session_logout, args, &result);
	if (status != STATUS_OK)
		return status;
	tell_logged_out(session, result);
	say_need(json_array_append_new(all, result) == 0 ? all : NULL);
	return STATUS_OK;
}

static void
print_logged_out(json_t *all)
{
	json_t *answer;

	if (!say_is_json())
		return;
	answer = say_need(json_pack("{s:O}", "logged_out", all));
	result_print(stdout, answer);
	json_decref(answer);
}

static enum status
log_out_several(const struct cmdline *line, const json_t *sessions, struct call *c, size_t *ret_n)
{
	json_t *all = say_need(json_array());
	struct status_tally tally = { 0 };
	const json_t *session;
	size_t i;

	*ret_n = 0;
	json_array_foreach(sessions, i, session)
	{
		if (!is_meant(line, session) ||
		    strcmp(result_text(session, "state"), "offline") == 0)
			continue;
		(*ret_n)++;
		status_count(&tally, log_out(c, line, session, all));
	}
	print_logged_out(all);
	json_decref(all);
	return *ret_n > 0 ? status_sum(&tally) : STATUS_OK;
}

enum status
run_logout_name(const struct cmdline *line)
{
	json_t *listed = NULL;
	struct call c;
	enum status status = call_open(&c, line, CALL_ISCSI);
	size_t n = 0;

	if (status == STATUS_OK)
		status = call_request(&c, IPC_OP_session_list, NULL, &listed);
	if (status == STATUS_OK)
		status = log_out_several(line, json_object_get(listed, "sessions"), &c, &n);
	call_close(&c);
	json_decref(listed);
	if (status == STATUS_OK && n == 0 && !say_is_json())
		say_note("no such session is open; 'iscsiutil -p -S' lists sessions");
	return status;
}

enum status
run_logout_all(const struct cmdline *line)
{
	return run_logout_name(line);
}

enum status
run_logout(const struct cmdline *line)
{
	json_t *all = say_need(json_array());
	json_t *session =
	    say_need(json_pack("{s:I}", "instance", (json_int_t)line->values[OPT_S].number));
	struct call c;
	enum status status = call_open(&c, line, CALL_ISCSI);

	if (status == STATUS_OK)
		status = log_out(&c, line, session, all);
	call_close(&c);
	if (status == STATUS_OK)
		print_logged_out(all);
	json_decref(session);
	json_decref(all);
	return status;
}
