/* iscsiutil --relogin and --now. */
#include "tools/iscsiutil/renew.h"

#include "tools/common/args.h"
#include "tools/common/progress.h"
#include "tools/common/result.h"
#include "tools/common/say.h"
#include "tools/iscsiutil/ask.h"
#include "tools/iscsiutil/run.h"

static enum status
ask(struct call *c, json_t *args, json_t **ret_result)
{
	struct progress p;
	enum status status;

	progress_init_stderr(&p);
	status = call_watch(c, IPC_OP_session_renew, args, progress_renew, &p, ret_result);
	progress_end(&p);
	return status;
}

/* What became of each session is counted, and told where no program reads it. */
static void
tell(const json_t *sessions, struct status_tally *tally)
{
	const json_t *session;
	size_t i;

	json_array_foreach(sessions, i, session)
	{
		const char *error = result_text(session, "error");
		long long instance = result_number(session, "instance");

		status_count(tally, error[0] != '\0' ? STATUS_FAILED : STATUS_OK);
		if (say_is_json())
			continue;
		if (error[0] != '\0')
			say_failure(IPC_ERR_OFFLINE, NULL, result_text(session, "next"),
			    "session %lld: %s", instance, error);
		else
			say_note("session %lld is logged in with what is configured now", instance);
	}
}

enum status
run_relogin(const struct cmdline *line)
{
	json_t *result = NULL, *args = say_need(json_object());
	struct status_tally tally = { 0 };
	struct call c;
	enum status status = STATUS_USAGE;
	size_t n;

	if (args_put(args, "instance", line, OPT_S) && args_put(args, "target", line, OPT_T)) {
		status = call_open(&c, line, CALL_ISCSI);
		if (status == STATUS_OK)
			status = ask(&c, json_incref(args), &result);
		call_close(&c);
	}
	json_decref(args);
	if (status != STATUS_OK)
		return status;
	if (say_is_json())
		result_print(stdout, result);
	tell(json_object_get(result, "sessions"), &tally);
	n = json_array_size(json_object_get(result, "sessions"));
	if (n == 0 && line->values[OPT_S].given)
		status = ask_no_session(line->values[OPT_S].number);
	else if (n == 0 && !say_is_json())
		say_note("no session of this is online; ioscan opens them");
	json_decref(result);
	return n > 0 ? status_sum(&tally) : status;
}

/* Those that logged in with something else; a discovery address has none. */
static enum status
renew_now(struct call *c, const struct cmdline *line, json_t *result)
{
	json_t *renewed = NULL, *sessions;
	json_t *args = say_need(json_pack("{s:b, s:b}", "outdated", true, "in_turn", true));
	enum status status = STATUS_USAGE;

	if (line->values[OPT_I].given && !line->values[OPT_T].given)
		renewed = say_need(json_pack("{s:[]}", "sessions"));
	else if (args_put(args, "target", line, OPT_T) && ask_put_portal(args, line))
		status = ask(c, json_incref(args), &renewed);
	json_decref(args);
	if (renewed == NULL)
		return status;
	sessions = json_object_get(renewed, "sessions");
	say_need(json_object_set(result, "sessions", sessions) == 0 ? result : NULL);
	json_decref(renewed);
	return STATUS_OK;
}

enum status
renew_after(
    const struct cmdline *line, enum ipc_op op, json_t *args, bool args_ok, json_t **ret_result)
{
	struct status_tally tally = { .done = 1 };
	bool is_now = line->values[OPT_now].given;
	json_t *result = NULL;
	enum status status = STATUS_USAGE;
	struct call c;

	if (!args_ok) {
		json_decref(args);
		return status;
	}
	status = call_open(&c, line, CALL_ISCSI);
	if (status == STATUS_OK)
		status = call_request(&c, op, args, &result);
	else
		json_decref(args);
	if (status == STATUS_OK && is_now)
		status_count(&tally, renew_now(&c, line, result));
	call_close(&c);
	if (status != STATUS_OK)
		return status;
	if (say_is_json())
		result_print(stdout, result);
	tell(json_object_get(result, "sessions"), &tally);
	if (is_now && !say_is_json() && json_array_size(json_object_get(result, "sessions")) == 0)
		say_note("every session that this concerns is logged in with it, or is not online");
	*ret_result = result;
	return status_sum(&tally);
}
