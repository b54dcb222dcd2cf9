#include "tools/iscsiutil/ask.h"

#include <string.h>
#include <strings.h>

#include "tools/common/args.h"
#include "tools/common/result.h"
#include "tools/common/say.h"

/* The guide, chapter 7: what the interface driver's device file is good for. */
static bool
has_isw(ptrdiff_t form)
{
	return form == FORM_driver || form == FORM_stats || form == FORM_clear;
}

enum status
ask_device(const struct cmdline *line, enum call_device *ret_device)
{
	bool has_word = line->form - line->tool->forms == FORM_path_set;
	const char *word =
	    line->n_operands > has_word ? line->operands[0] : call_device_name(CALL_ISCSI);

	if (strcmp(word, call_device_name(CALL_ISCSI)) == 0) {
		*ret_device = CALL_ISCSI;
		return STATUS_OK;
	}
	if (strcmp(word, call_device_name(CALL_ISW)) != 0) {
		say_problem("give /dev/iscsi (transport driver) or /dev/isw (interface driver); "
			    "--root says under which directory they are",
		    "(%s) Wrong device file: it is none of the iSCSI drivers'", word);
		return STATUS_USAGE;
	}
	if (!has_isw(line->form - line->tool->forms)) {
		say_problem("leave the device file out, or give /dev/iscsi",
		    "(%s) Wrong device file: this is a matter of the transport driver", word);
		return STATUS_USAGE;
	}
	*ret_device = CALL_ISW;
	return STATUS_OK;
}

enum status
ask_driver(const struct cmdline *line, enum ipc_op op, json_t *args, bool args_ok,
    enum call_device device, json_t **ret_result)
{
	enum status status = STATUS_USAGE;
	struct call c;

	if (!args_ok) {
		json_decref(args);
		return status;
	}
	status = call_open(&c, line, device);
	if (status == STATUS_OK)
		status = call_request(&c, op, args, ret_result);
	else
		json_decref(args);
	call_close(&c);
	if (status == STATUS_OK && ask_wants_json(line))
		result_print(stdout, *ret_result);
	return status;
}

bool
ask_is_default(const char *word)
{
	return word[0] == '\0' || strcasecmp(word, "default") == 0;
}

bool
ask_put_setting(json_t *args, const char *key, const struct cmdline *line, size_t option)
{
	const char *text = line->values[option].text;

	return text == NULL || args_put_text(args, key, ask_is_default(text) ? "" : text);
}

bool
ask_level(const char *word, enum log_level *ret_level)
{
	return log_level_parse(word + (strncasecmp(word, "LVL_", 4) == 0 ? 4 : 0), ret_level);
}

bool
ask_put_level(json_t *args, const struct cmdline *line)
{
	const char *word = line->values[OPT_level].text;
	enum log_level level;

	if (word == NULL)
		return true;
	if (!ask_level(word, &level)) {
		say_problem(ASK_LEVELS, "--level %s: not a valid <dbg_level>", word);
		return false;
	}
	say_need(json_object_set_new(args, "level", json_integer((int)level)) == 0 ? args : NULL);
	return true;
}

bool
ask_put_portal(json_t *args, const struct cmdline *line)
{
	return args_put(args, "address", line, OPT_I) && args_put(args, "port", line, OPT_P) &&
	       args_put(args, "tpgt", line, OPT_M);
}

bool
ask_wants_json(const struct cmdline *line)
{
	return cmdline_common(line, CMDLINE_COMMON_json)->given;
}

void
ask_tell_sessions(const json_t *result)
{
	json_int_t n = result_number(result, "active_sessions");

	if (n > 0)
		say_note("this counts from the next login: %lld session%s %s logged in with what "
			 "was configured before; 'iscsiutil --relogin' has it count now",
		    (long long)n, n == 1 ? "" : "s", n == 1 ? "is" : "are");
}

enum status
ask_no_session(long instance)
{
	say_failure(IPC_ERR_NOTFOUND, NULL, "list the sessions with 'iscsiutil -p -S'",
	    "there is no session %ld: no session has this instance", instance);
	return STATUS_NOT_FOUND;
}
