/*
 * What the initiator's programs wrote to the system's log: the journal has it, where there is one,
 * else the files that log daemons write.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "tools/common/say.h"
#include "tools/iscsidiag/gather.h"
#include "tools/iscsidiag/slurp.h"

/* Of each source at most so many lines, from so many bytes of a file's end. */
#define LOG_LINES "500"
#define LOG_BYTES (512u << 10)

static const char *const programs[] = {
	"iscsi_driverd",
#define PATH_DAEMON(id, program) program,
#include "sys/paths.def"
	"iscsi",
};
#define PROGRAMS (sizeof(programs) / sizeof(programs[0]))

static const char *const files[] = { "/var/log/syslog", "/var/log/messages",
	"/var/log/daemon.log" };

/* "iscsi_driverd[123]: ", "iswd: ". */
static bool
is_ours(const char *line)
{
	for (size_t i = 0; i < PROGRAMS; i++) {
		size_t n = strlen(programs[i]);

		for (const char *p = strstr(line, programs[i]); p != NULL;
		     p = strstr(p + n, programs[i]))
			if ((p == line || p[-1] == ' ') && (p[n] == '[' || p[n] == ':'))
				return true;
	}
	return false;
}

static void
put_file(json_t *data, json_t *missing, const char *path)
{
	char *text = slurp_tail(path, LOG_BYTES);
	size_t lines = (size_t)strtoul(LOG_LINES, NULL, 10);
	json_t *all, *ours, *line;
	size_t i;

	if (text == NULL) {
		if (errno != ENOENT)
			step_missing(missing, "%s: %s", path, strerror(errno));
		return;
	}
	all = slurp_lines(text);
	ours = say_need(json_array());
	json_array_foreach(all, i, line)
	{
		if (is_ours(json_string_value(line)))
			step_add_text(ours, json_string_value(line));
		if (json_array_size(ours) > lines)
			(void)json_array_remove(ours, 0); /* there is one */
	}
	step_put(data, path, ours);
	json_decref(all);
	free(text);
}

static void
put_journal(json_t *data)
{
	char *argv[6 + 2 * PROGRAMS] = { (char *)"/usr/bin/journalctl", (char *)"--no-pager",
		(char *)"--quiet", (char *)"--lines=" LOG_LINES, (char *)"--output=short-iso" };
	size_t n = 5;
	char *text;

	for (size_t i = 0; i < PROGRAMS; i++) {
		argv[n++] = (char *)"--identifier";
		argv[n++] = (char *)(uintptr_t)programs[i];
	}
	text = slurp_program(argv, LOG_BYTES);
	if (text[0] != '\0')
		step_put(data, "the journal", slurp_lines(text));
	free(text);
}

void
gather_syslog(const struct paths *paths, json_t *data, json_t *missing)
{
	(void)paths; /* it is the host's, and all its initiators' */
	put_journal(data);
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		put_file(data, missing, files[i]);
	if (json_object_size(data) == 0)
		step_put_text(data, "none",
		    "neither the journal nor a log file of this host has anything: look where the "
		    "standard error of the daemons goes");
}
