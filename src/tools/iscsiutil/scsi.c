/*
 * iscsiutil --scsi: a command for a unit, and what it answers.  Data go where --output says, or
 * to the standard output: as they are, on a terminal as a dump.  Everything else is a sentence.
 */
#include <sys/socket.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/hex.h"
#include "tools/common/args.h"
#include "tools/common/devname.h"
#include "tools/common/hwpath.h"
#include "tools/common/result.h"
#include "tools/common/say.h"
#include "tools/iscsiutil/ask.h"
#include "tools/iscsiutil/run.h"
#include "tools/iscsiutil/scsi_word.h"

#define STATUS_CODE_CONFLICT 0x18
#define DUMP_COLUMNS         16

struct scsi {
	const struct cmdline *line;
	struct call call;
	struct scsi_word word;
	uint8_t *data; /* what it sends: n bytes, owned */
	size_t n;
};

/* ---- what it sends ---- */

/* All of the file, at most LIMIT_PASS_BYTES; false, with a sentence. */
static bool
read_data(struct scsi *x, const char *path)
{
	bool is_stdin = strcmp(path, "-") == 0;
	int fd = is_stdin ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
	ssize_t got = fd < 0 ? -1 : 0;

	x->data = say_need(malloc(LIMIT_PASS_BYTES + 1));
	while (fd >= 0 && x->n <= LIMIT_PASS_BYTES &&
	       (got = read(fd, x->data + x->n, LIMIT_PASS_BYTES + 1 - x->n)) > 0)
		x->n += (size_t)got;
	if (got < 0)
		say_problem("name a file that can be read", "%s: %s", path, strerror(errno));
	else if (x->n > LIMIT_PASS_BYTES)
		say_problem("send less at once", "%s has more than the %u bytes of one command",
		    path, LIMIT_PASS_BYTES);
	if (fd >= 0 && !is_stdin)
		(void)close(fd); /* it was only read */
	return got >= 0 && x->n <= LIMIT_PASS_BYTES;
}

/* The driver wants the data on a socket of its own. */
static void
progress(void *user, const json_t *report)
{
	struct scsi *x = user;
	int fd = ipc_client_take_fd(x->call.client);
	size_t at = 0;

	if (fd < 0 || result_number(report, "send") != (json_int_t)x->n)
		return;
	while (at < x->n) {
		ssize_t sent = send(fd, x->data + at, x->n - at, MSG_NOSIGNAL);
		struct pollfd p = { fd, POLLOUT, 0 };

		if (sent > 0)
			at += (size_t)sent;
		else if (sent < 0 && errno == EAGAIN)
			(void)poll(
			    &p, 1, -1); /* the driver ends it when it has waited long enough */
		else if (sent == 0 || errno != EINTR)
			break; /* the driver says why */
	}
	(void)close(fd); /* all of it is sent, or nobody wants it */
}

/* ---- which unit ---- */

static bool
put_unit(struct scsi *x, json_t *args)
{
	const struct cmdline *line = x->line;
	const char *word, *name;

	if (line->values[OPT_S].given)
		return args_put(args, "instance", line, OPT_S) &&
		       args_put(args, "lun", line, OPT_lun);
	word = line->values[OPT_unit].text;
	name = devname_find(word, x->call.paths.root);
	if (name != NULL)
		return args_put_text(args, "name", name);
	return hwpath_is_valid(word) ? args_put_text(args, "hw_path", word)
				     : args_put_text(args, "name", word);
}

static void
put_hex(json_t *args, const char *key, const uint8_t *bytes, size_t n)
{
	char *text = say_need(malloc(2 * n + 1));

	hex_encode(text, bytes, n);
	(void)args_put_text(args, key, text); /* digits are UTF-8 */
	free(text);
}

static bool
put_command(struct scsi *x, json_t *args)
{
	const struct cmdline_value *in = &x->line->values[OPT_in];
	const struct cmdline_value *seconds = &x->line->values[OPT_timeout];
	long want = in->given ? in->number : (long)x->word.in;

	put_hex(args, "cdb", x->word.cdb, x->word.cdb_len);
	if (x->n > LIMIT_PASS_INLINE_BYTES)
		say_need(json_object_set_new(args, "out", json_integer((json_int_t)x->n)) == 0
			     ? args
			     : NULL);
	else if (x->n > 0)
		put_hex(args, "data", x->data, x->n);
	if (want > 0)
		say_need(json_object_set_new(args, "in", json_integer(want)) == 0 ? args : NULL);
	if (seconds->given)
		say_need(json_object_set_new(
			     args, "timeout_ms", json_integer(seconds->number * 1000)) == 0
			     ? args
			     : NULL);
	return args_put(args, "force", x->line, OPT_force);
}

/* ---- what it answers ---- */

static void
dump(const uint8_t *p, size_t n)
{
	for (size_t at = 0; at < n; at += DUMP_COLUMNS) {
		printf("%06zx ", at);
		for (size_t i = at; i < at + DUMP_COLUMNS; i++)
			i < n ? printf(" %02x", p[i]) : printf("   ");
		printf("  |");
		for (size_t i = at; i < at + DUMP_COLUMNS && i < n; i++)
			putchar(p[i] >= ' ' && p[i] < 0x7f ? p[i] : '.');
		printf("|\n");
	}
}

/* False, with a sentence. */
static bool
write_out(const char *path, const uint8_t *p, size_t n)
{
	bool is_stdout = strcmp(path, "-") == 0;
	FILE *f = is_stdout ? stdout : fopen(path, "we");
	bool ok = f != NULL && fwrite(p, 1, n, f) == n && fflush(f) == 0;

	if (!ok)
		say_failure(IPC_ERR_INTERNAL, NULL, "the command was executed: its data are lost",
		    "%s: %s", path, strerror(errno));
	if (f != NULL && !is_stdout)
		(void)fclose(f); /* flushed before */
	return ok;
}

static bool
show_data(const struct scsi *x, const json_t *result)
{
	const char *text = result_text(result, "data");
	const struct cmdline_value *output = &x->line->values[OPT_output];
	const json_t *words = json_object_get(result, "words"), *one;
	size_t n, room = strlen(text) / 2, i;
	uint8_t *p = say_need(malloc(room + 1));
	bool ok = hex_decode(text, p, room, &n);

	if (ok && output->given) {
		ok = write_out(output->text, p, n);
	} else if (ok && !ask_wants_json(x->line)) {
		if (x->word.is_word && json_array_size(words) > 0)
			json_array_foreach(words, i, one)
			{
				say_text(stdout, json_string_value(one));
				putchar('\n');
			}
		else if (isatty(STDOUT_FILENO))
			dump(p, n);
		else
			ok = write_out("-", p, n);
	}
	free(p);
	return ok;
}

/* Not of an answer that is good: what is known of its fate, and what it means. */
static void
tell(const json_t *result)
{
	const json_t *sense = json_object_get(result, "sense");
	const json_t *conflict = json_object_get(result, "conflict");
	const char *name = result_text(result, "name"), *command = result_text(result, "command");

	if (strcmp(result_text(result, "fate"), "answered") != 0)
		say_failure(IPC_ERR_TIMEOUT, result,
		    "look at the unit before it is sent again: it may have been executed",
		    "%s for %s: %s", command, name, result_text(result, "fate_text"));
	else if (json_is_object(conflict))
		say_failure(IPC_ERR_BUSY, result, "have the holder release it, or see pr-preempt",
		    "%s for %s: RESERVATION CONFLICT: %s", command, name,
		    result_text(conflict, "text"));
	else
		say_failure(IPC_ERR_INTERNAL, result, NULL, "%s for %s: %s%s%s%s", command, name,
		    json_is_object(sense) ? result_text(sense, "text")
					  : result_text(result, "status_text"),
		    json_is_object(sense) ? " (sense " : "",
		    json_is_object(sense) ? result_text(sense, "bytes") : "",
		    json_is_object(sense) ? ")" : "");
}

static enum status
status_of(const json_t *result)
{
	json_int_t status = result_number(result, "status");

	if (strcmp(result_text(result, "fate"), "answered") != 0)
		return STATUS_UNKNOWN;
	if (status == STATUS_CODE_CONFLICT)
		return STATUS_CONFLICT;
	/* GOOD and CONDITION MET, SAM-5, section 5.3.1. */
	return status == 0 || status == 4 ? STATUS_OK : STATUS_CHECK;
}

static enum status
show(const struct scsi *x, const json_t *result)
{
	enum status status = status_of(result);
	bool has_json = ask_wants_json(x->line);

	if (!show_data(x, result))
		return STATUS_FAILED;
	if (has_json)
		result_print(stdout, result);
	else if (status != STATUS_OK)
		tell(result);
	if (!has_json && !x->word.is_word && result_number(result, "residual") > 0)
		say_note("%lld bytes fewer than asked for moved",
		    (long long)result_number(result, "residual"));
	if (!has_json && result_number(result, "overflow") > 0)
		say_note("the command had %lld bytes more",
		    (long long)result_number(result, "overflow"));
	if (!has_json && result_number(result, "other_paths_failed") > 0)
		say_note("%lld of %lld other paths of the unit refused it",
		    (long long)result_number(result, "other_paths_failed"),
		    (long long)result_number(result, "other_paths"));
	return status;
}

/* ---- the line ---- */

static bool
prepare(struct scsi *x)
{
	const struct cmdline_value *data = &x->line->values[OPT_data];

	if (!scsi_word_parse(x->line->values[OPT_scsi].text, &x->word))
		return false;
	if (data->given)
		return read_data(x, data->text);
	if (x->word.list_len > 0) {
		x->n = x->word.list_len;
		x->data = say_need(malloc(x->n));
		memcpy(x->data, x->word.list, x->n);
	}
	return true;
}

enum status
run_scsi(const struct cmdline *line)
{
	struct scsi x = { .line = line };
	json_t *result = NULL, *args = say_need(json_object());
	enum status status = prepare(&x) ? STATUS_OK : STATUS_USAGE;
	bool is_asked;

	if (status == STATUS_OK)
		status = call_open(&x.call, line, CALL_ISCSI);
	if (status == STATUS_OK && (!put_unit(&x, args) || !put_command(&x, args)))
		status = STATUS_USAGE;
	is_asked = status == STATUS_OK;
	if (is_asked)
		status =
		    call_watch(&x.call, IPC_OP_unit_scsi, json_incref(args), progress, &x, &result);
	/* It ended while it had the command: then nobody is left who knows. */
	if (is_asked && (status == STATUS_NOT_RUNNING || status == STATUS_TIMEOUT)) {
		say_failure(IPC_ERR_TIMEOUT, NULL,
		    "look at the unit before it is sent again: it may have been executed",
		    "what became of the command is not known");
		status = STATUS_UNKNOWN;
	}
	if (status == STATUS_OK)
		status = show(&x, result);
	json_decref(result);
	json_decref(args);
	call_close(&x.call);
	free(x.data);
	return status;
}

enum status
run_scsi_lun(const struct cmdline *line)
{
	return run_scsi(line);
}
