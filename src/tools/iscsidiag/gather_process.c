/* The programs, and those of them that run. */
#include <sys/stat.h>

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sys/daemon.h"
#include "tools/common/say.h"
#include "tools/iscsidiag/gather.h"
#include "tools/iscsidiag/slurp.h"

/* The programs that stay, with their pid files. */
static const struct {
	const char *name;
	size_t pid_path; /* in struct paths */
} daemons[] = {
	{ "iscsi_driverd", offsetof(struct paths, driver_pid) },
#define PATH_DAEMON(id, program) { program, offsetof(struct paths, id##_pid) },
#include "sys/paths.def"
};
#define DAEMONS (sizeof(daemons) / sizeof(daemons[0]))

/* Of what a program says of its version. */
#define VERSION_BYTES 255

static const char *const commands[] = { "iscsi", "iscsiutil", "ioscan", "insf", "rmsf",
	"iscsidiag" };

static pid_t
pid_of(const struct paths *paths, size_t i)
{
	const char *const *path = (const void *)((const char *)paths + daemons[i].pid_path);

	return daemon_pid_owner(*path);
}

/* ---- programs ---- */

/* What "program --version" prints, its first line; "" for nothing. */
static char *
version_of(const char *program)
{
	char *const argv[] = { (char *)program, (char *)"--version", NULL };
	char *text = slurp_program(argv, VERSION_BYTES);

	text[strcspn(text, "\n")] = '\0';
	return text;
}

/* Beside this program, or where the shell finds it; NULL: not installed.  The caller frees it. */
static char *
find_program(const char *name)
{
	char self[4096], *copy, *rest, *dir, *path;
	const char *from_env = getenv("PATH");
	ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);

	self[n > 0 ? n : 0] = '\0';
	if (n > 0 && strrchr(self, '/') != NULL)
		*strrchr(self, '/') = '\0';
	copy = rest = say_format("%s:%s", self, from_env != NULL ? from_env : "");
	while ((dir = strsep(&rest, ":")) != NULL) {
		struct stat st;

		if (dir[0] != '/')
			continue;
		path = say_format("%s/%s", dir, name);
		if (stat(path, &st) == 0 && S_ISREG(st.st_mode) && access(path, X_OK) == 0) {
			free(copy);
			return path;
		}
		free(path);
	}
	free(copy);
	return NULL;
}

static void
put_program(json_t *list, const char *name)
{
	char *path = find_program(name), *version;

	if (path == NULL) {
		step_put_text(list, name, "not installed");
		return;
	}
	/* The start-up script has the version of what it starts. */
	version = strcmp(name, "iscsi") != 0 ? version_of(path) : say_format("%s", "");
	step_put(list, name, json_pack("{s:s, s:s}", "path", path, "version", version));
	free(version);
	free(path);
}

/* The libraries a process has loaded: the names of their files tell their versions. */
static json_t *
libraries_of(pid_t pid, json_t *missing, const char *name)
{
	char *text = slurpf("/proc/%d/maps", (int)pid), *rest = text, *line;
	json_t *list = say_need(json_array());
	const char *last = "";

	if (text == NULL)
		step_missing(missing, "the libraries of %s cannot be seen: %s; run it as root",
		    name, strerror(errno));
	while ((line = strsep(&rest, "\n")) != NULL) {
		const char *path = strchr(line, '/');
		char real[4096];

		if (path == NULL || strstr(path, ".so") == NULL || strcmp(path, last) == 0)
			continue;
		last = path;
		step_add_text(list, realpath(path, real) != NULL ? real : path);
	}
	free(text);
	return list;
}

void
gather_programs(const struct paths *paths, json_t *data, json_t *missing)
{
	json_t *programs = say_need(json_object()), *libraries = say_need(json_object());

	for (size_t i = 0; i < DAEMONS; i++)
		put_program(programs, daemons[i].name);
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		put_program(programs, commands[i]);
	step_put(data, "programs", programs);
	for (size_t i = 0; i < DAEMONS; i++) {
		pid_t pid = pid_of(paths, i);

		if (pid > 0)
			step_put(libraries, daemons[i].name,
			    libraries_of(pid, missing, daemons[i].name));
	}
	step_put(data, "libraries of what runs", libraries);
}

/* ---- processes ---- */

static size_t
count_entries(const char *path)
{
	DIR *dir = opendir(path);
	size_t n = 0;

	if (dir == NULL)
		return 0;
	while (readdir(dir) != NULL)
		n++;
	(void)closedir(dir); /* only read */
	return n >= 2 ? n - 2 : 0;
}

static void
put_line(json_t *data, const char *key, pid_t pid, const char *file)
{
	char *line = slurp_line("/proc/%d/%s", (int)pid, file);

	step_put_text(data, key, line);
	free(line);
}

static json_t *
process(pid_t pid)
{
	static const char *const fields[] = { "State", "Uid", "Threads", "VmRSS", "VmLck", "CapEff",
		"NoNewPrivs", "Seccomp", "voluntary_ctxt_switches", "nonvoluntary_ctxt_switches" };
	char *status = slurpf("/proc/%d/status", (int)pid), path[64];
	json_t *p = say_need(json_pack("{s:b, s:i}", "running", 1, "pid", (int)pid));

	for (size_t i = 0; status != NULL && i < sizeof(fields) / sizeof(fields[0]); i++) {
		char *value = slurp_value(status, fields[i]);

		if (value != NULL)
			step_put_text(p, fields[i], value);
		free(value);
	}
	free(status);
	put_line(p, "command", pid, "cmdline");
	put_line(p, "waits in", pid, "wchan");
	put_line(p, "oom_score_adj", pid, "oom_score_adj");
	put_line(p, "cgroup", pid, "cgroup");
	snprintf(path, sizeof path, "/proc/%d/fd", (int)pid);
	step_put(p, "open files", json_integer((json_int_t)count_entries(path)));
	return p;
}

/* What mounts for the driver is a child of it. */
static void
put_child(json_t *data, pid_t driver)
{
	char *children = slurpf("/proc/%d/task/%d/children", (int)driver, (int)driver);
	long pid = children != NULL ? strtol(children, NULL, 10) : 0;

	if (pid > 0)
		step_put(data, "iscsi_driverd, its process for mounts", process((pid_t)pid));
	free(children);
}

void
gather_processes(const struct paths *paths, json_t *data, json_t *missing)
{
	for (size_t i = 0; i < DAEMONS; i++) {
		pid_t pid = pid_of(paths, i);

		if (pid > 0)
			step_put(data, daemons[i].name, process(pid));
		else
			step_put(data, daemons[i].name, json_pack("{s:b}", "running", 0));
		if (pid > 0 && i == 0)
			put_child(data, pid);
		if (pid < 0 && pid != -ENOENT)
			step_missing(missing, "whether %s runs cannot be told: %s", daemons[i].name,
			    strerror(-pid));
	}
}

void
gather_limits(const struct paths *paths, json_t *data, json_t *missing)
{
	pid_t pid = pid_of(paths, 0);
	char *own = slurp("/proc/self/limits"), *drivers = NULL;

	if (pid > 0)
		drivers = slurpf("/proc/%d/limits", (int)pid);
	if (drivers != NULL)
		step_put(data, "of the driver", slurp_lines(drivers));
	else
		step_missing(missing, "the driver's limits: %s",
		    pid > 0 ? "they cannot be read" : "it does not run");
	if (own != NULL)
		step_put(data, "of iscsidiag", slurp_lines(own));
	free(own);
	free(drivers);
}
