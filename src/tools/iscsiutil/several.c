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
	if (!say_is_json())
		say_note("session %lld (%s) is logged out",
		    (long long)result_number(session, "instance"),
		    result_text(session, "target_name"));
	say_need(json_array_append_new(all, result) == 0 ? all : NULL);
	return STATUS_OK;
}

static enum status
log_out_several(const struct cmdline *line, const json_t *sessions, struct call *c, size_t *ret_n)
{
	json_t *all = say_need(json_array()), *answer;
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
	if (say_is_json()) {
		answer = say_need(json_pack("{s:O}", "logged_out", all));
		result_print(stdout, answer);
		json_decref(answer);
	}
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
