/* -s --metrics: for who reads them, for a file that a collector reads, for one HTTP request. */
#include "tools/iscsiutil/scrape.h"

#include <sys/stat.h>

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tools/common/args.h"
#include "tools/common/say.h"
#include "tools/iscsiutil/ask.h"
#include "tools/iscsiutil/http.h"
#include "tools/iscsiutil/metrics.h"
#include "tools/iscsiutil/run.h"

#define PATH       "/metrics"
#define OPEN_TYPE  "application/openmetrics-text; version=1.0.0; charset=utf-8"
#define PROM_TYPE  "text/plain; version=0.0.4; charset=utf-8"
#define ERROR_TYPE "text/plain; charset=utf-8"
/* What people find there, who may not write it. */
#define FILE_MODE 0644

enum status
scrape_states(
    const struct cmdline *line, FILE *out, enum metrics_format format, const json_t *stats)
{
	json_t *states = NULL, *tree = NULL, *isns = NULL, *paths = NULL, *args;
	enum status status = STATUS_OK;
	bool is_one = line->values[OPT_S].given;

	if (json_is_array(json_object_get(stats, "sessions"))) {
		args = say_need(json_object());
		status = ask_driver(line, IPC_OP_session_list, args,
		    args_put(args, "instance", line, OPT_S), CALL_ISCSI, &states);
		if (status == STATUS_OK && !is_one)
			status = ask_driver(line, IPC_OP_io_tree, NULL, true, CALL_ISCSI, &tree);
		if (status == STATUS_OK && !is_one)
			status = ask_driver(line, IPC_OP_isns_list, NULL, true, CALL_ISCSI, &isns);
		if (status == STATUS_OK && !is_one)
			status = ask_driver(line, IPC_OP_path_list, NULL, true, CALL_ISCSI, &paths);
	}
	if (status == STATUS_OK)
		metrics_show(
		    out, format, &(struct metrics_answers){ stats, states, tree, isns, paths });
	json_decref(states);
	json_decref(tree);
	json_decref(isns);
	json_decref(paths);
	return status;
}

/* All there is. */
static enum status
scrape(const struct cmdline *line, FILE *out, enum metrics_format format)
{
	json_t *result, *args = say_need(json_object());
	enum status status;

	for (size_t i = 0; i < 3; i++)
		say_need(json_object_set_new(args,
			     (const char *const[]){ "global", "sessions", "connections" }[i],
			     json_true()) == 0
			     ? args
			     : NULL);
	status = ask_driver(line, IPC_OP_stats_get, args, args_put_text(args, "device", "iscsi"),
	    CALL_ISCSI, &result);
	if (status != STATUS_OK)
		return status;
	status = scrape_states(line, out, format, result);
	json_decref(result);
	return status;
}

/* ---- a file ---- */

static enum status
failed(const char *what, const char *path)
{
	say_problem("name a file in a directory that can be written to", "cannot %s %s: %s", what,
	    path, strerror(errno));
	return STATUS_FAILED;
}

/* A collector that reads at any moment finds all of it, of one moment: it takes the place of what
 * was there. */
enum status
run_metrics_file(const struct cmdline *line)
{
	const char *path = line->values[OPT_output].text;
	char *fresh = say_format("%s.XXXXXX", path);
	enum status status = STATUS_OK;
	int fd = mkstemp(fresh);
	FILE *f = fd >= 0 ? fdopen(fd, "w") : NULL;

	if (f == NULL) {
		status = failed("write beside", path);
		if (fd >= 0)
			close(fd);
	} else {
		status = scrape(line, f, METRICS_PROMETHEUS);
		if (status == STATUS_OK &&
		    (fchmod(fd, FILE_MODE) < 0 || fflush(f) != 0 || ferror(f)))
			status = failed("write", fresh);
		if (fclose(f) != 0 && status == STATUS_OK)
			status = failed("write", fresh);
		if (status == STATUS_OK && rename(fresh, path) < 0)
			status = failed("replace", path);
	}
	if (status != STATUS_OK && fd >= 0)
		(void)unlink(fresh); /* what was there stays */
	free(fresh);
	return status;
}

/* ---- one request ---- */

enum status
run_metrics_http(const struct cmdline *line)
{
	struct http_request r = http_receive(STDIN_FILENO, PATH);
	enum metrics_format format = r.wants_openmetrics ? METRICS_OPEN : METRICS_PROMETHEUS;
	enum status status = STATUS_OK;
	char *body = NULL;
	size_t n = 0;
	FILE *f;
	bool ok;

	if (r.status == 0)
		return STATUS_OK; /* somebody looked whether there is anybody */
	(void)signal(SIGPIPE, SIG_IGN);
	f = say_need(open_memstream(&body, &n));
	if (r.status == 200)
		status = scrape(line, f, format);
	if (status != STATUS_OK)
		r.status = 503;
	if (r.status != 200) {
		rewind(f);
		fprintf(f, "%s\n",
		    r.status == 503 ? "The iSCSI driver does not answer; its log, and this "
				      "service's, say more."
				    : "There is " PATH " here, for GET and HEAD.");
	}
	say_need(fclose(f) == 0 ? body : NULL);
	ok = http_answer(STDOUT_FILENO, &r,
	    r.status != 200          ? ERROR_TYPE
	    : format == METRICS_OPEN ? OPEN_TYPE
				     : PROM_TYPE,
	    body, n);
	free(body);
	return ok ? status : STATUS_FAILED;
}
