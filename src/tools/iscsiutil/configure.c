/* What iscsiutil configures beside names and addresses: -t, -u, -g, -b (the guide, chapter 4,
 * appendices A and C). */
#include <stdlib.h>
#include <string.h>

#include "sys/log.h"
#include "tools/common/args.h"
#include "tools/common/result.h"
#include "tools/common/say.h"
#include "tools/iscsiutil/ask.h"
#include "tools/iscsiutil/onboot.h"
#include "tools/iscsiutil/renew.h"
#include "tools/iscsiutil/run.h"
#include "tools/iscsiutil/secret.h"

static enum status configure(
    const struct cmdline *line, enum ipc_op op, json_t *args, bool args_ok);
static char *join(char *const *words, int n);
static bool put_scope(json_t *args, const struct cmdline *line);
static bool put_joined(json_t *args, const char *key, char *const *words, int n);

enum status
run_keys(const struct cmdline *line)
{
	const struct cmdline_value *t = &line->values[OPT_t];
	json_t *args;
	bool ok;

	if (t->list_count < 2) {
		say_problem("write iscsiutil -t <login-key> <login-val> ..., for example "
			    "-t headerdigest CRC32C None; 'default' takes the setting away",
		    "-t %s needs a value, which is missing", t->list[0]);
		return STATUS_USAGE;
	}
	args = say_need(json_object());
	ok = args_put_text(args, "key", t->list[0]) &&
	     put_joined(args, "values", t->list + 1, t->list_count - 1) && put_scope(args, line);
	return configure(line, IPC_OP_keys_set, args, ok);
}

enum status
run_keys_unit(const struct cmdline *line)
{
	return run_keys(line);
}

/* What may need RADIUS. */
static enum status
configure_auth(const struct cmdline *line, enum ipc_op op, json_t *args, bool args_ok)
{
	unsigned needed = args_ok ? onboot_needs(op, args) : 0;
	enum status status = configure(line, op, args, args_ok);

	if (status == STATUS_OK)
		onboot_mark(line, needed);
	return status;
}

enum status
run_auth(const struct cmdline *line)
{
	const struct cmdline_value *secret = &line->values[OPT_W];
	const struct cmdline_value *target_secret = &line->values[OPT_target_secret];
	const cmdline_set settings = CMDLINE_BIT(OPT_H) | CMDLINE_BIT(OPT_N) | CMDLINE_BIT(OPT_W) |
				     CMDLINE_BIT(OPT_target_name) | CMDLINE_BIT(OPT_target_secret) |
				     CMDLINE_BIT(OPT_algorithms);
	enum status status = STATUS_OK;
	json_t *args;
	bool ok;

	if ((line->given & settings) == 0) {
		say_problem("add -H, -N, -W, -R, --target-name, --target-secret or --algorithms",
		    "-u says that authentication is to be configured, but not what");
		return STATUS_USAGE;
	}
	args = say_need(json_object());
	ok = ask_put_setting(args, "method", line, OPT_H) &&
	     ask_put_setting(args, "name", line, OPT_N) &&
	     ask_put_setting(args, "target_name", line, OPT_target_name) &&
	     ask_put_setting(args, "algorithms", line, OPT_algorithms) && put_scope(args, line);
	if (ok && secret->given)
		status = secret_put(args, "secret", secret->text, "CHAP secret");
	if (ok && status == STATUS_OK && target_secret->given)
		status =
		    secret_put(args, "target_secret", target_secret->text, "target's CHAP secret");
	if (status == STATUS_OK)
		return configure_auth(line, IPC_OP_auth_set, args, ok);
	json_decref(args);
	return status;
}

enum status
run_radius(const struct cmdline *line)
{
	const struct cmdline_value *r = &line->values[OPT_R];
	enum status status;
	json_t *args;
	bool ok;

	if (r->list_count == 1 && ask_is_default(r->list[0]))
		return configure(line, IPC_OP_radius_set,
		    say_need(json_pack(
			"{s:s, s:s, s:s}", "nas_hostname", "", "nas_secret", "", "server", "")),
		    true);
	if (r->list_count != 3) {
		say_problem("write iscsiutil -u -R <nas-hostname> <nas-secret> "
			    "<radius-server-hostname>; - for the secret asks for it; default takes "
			    "all of it away",
		    "-R takes three words, not %d", r->list_count);
		return STATUS_USAGE;
	}
	args = say_need(json_object());
	ok = args_put_text(args, "nas_hostname", r->list[0]) &&
	     args_put_text(args, "server", r->list[2]);
	status = ok ? secret_put(args, "nas_secret", r->list[1], "NAS secret") : STATUS_USAGE;
	if (status != STATUS_OK) {
		json_decref(args);
		return status;
	}
	return configure_auth(line, IPC_OP_radius_set, args, true);
}

enum status
run_slp(const struct cmdline *line)
{
	const struct cmdline_value *f = &line->values[OPT_F];
	json_t *args = say_need(json_object());

	return configure(
	    line, IPC_OP_slp_set, args, put_joined(args, "scopes", f->list, f->list_count));
}

enum status
run_level(const struct cmdline *line)
{
	const char *word = line->values[OPT_b].text;
	enum log_level level = LOG_LVL_ERR;

	if (!ask_is_default(word) && !ask_level(word, &level)) {
		say_problem(ASK_LEVELS, "-b %s: not a valid <dbg_level>", word);
		return STATUS_USAGE;
	}
	return configure(
	    line, IPC_OP_log_level, say_need(json_pack("{s:i}", "level", (int)level)), true);
}

/* The driver's answer may have warnings, and sessions that the change does not reach yet. */
static enum status
configure(const struct cmdline *line, enum ipc_op op, json_t *args, bool args_ok)
{
	json_t *result = NULL, *warning;
	enum status status = renew_after(line, op, args, args_ok, &result);
	size_t i;

	if (result == NULL)
		return status;
	if (!ask_wants_json(line)) {
		json_array_foreach(json_object_get(result, "warnings"), i, warning)
		{
			if (json_is_string(warning))
				say_note("warning: %s", json_string_value(warning));
		}
		if (!line->values[OPT_now].given)
			ask_tell_sessions(result);
	}
	json_decref(result);
	return status;
}

static bool
put_scope(json_t *args, const struct cmdline *line)
{
	if (!line->values[OPT_I].given &&
	    (line->values[OPT_P].given || line->values[OPT_M].given)) {
		say_problem("add -I <ip-address>", "-P and -M belong to an address");
		return false;
	}
	return args_put(args, "target", line, OPT_T) && args_put(args, "unit", line, OPT_unit) &&
	       ask_put_portal(args, line);
}

static bool
put_joined(json_t *args, const char *key, char *const *words, int n)
{
	char *text = join(words, n);
	bool ok = args_put_text(args, key, text);

	free(text);
	return ok;
}

/* Words and lists with commas, in any mixture, as one list: "a, b ,c" is "a,b,c". */
static char *
join(char *const *words, int n)
{
	const char *comma = "";
	char *text = NULL;
	size_t len;
	FILE *f = say_need(open_memstream(&text, &len));

	for (int i = 0; i < n; i++) {
		const char *p = words[i] + strspn(words[i], " ,");

		while (*p != '\0') {
			size_t word = strcspn(p, " ,");

			fprintf(f, "%s%.*s", comma, (int)word, p);
			comma = ",";
			p += word;
			p += strspn(p, " ,");
		}
	}
	say_need(fclose(f) == 0 ? text : NULL);
	return text;
}
