/* Files of the initiator: settings, the event log, disks. */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "sys/jsonmem.h"
#include "sys/sysfs.h"
#include "tools/common/say.h"
#include "tools/iscsidiag/gather.h"
#include "tools/iscsidiag/slurp.h"

/* Of the event log, at most so many lines and bytes. */
#define EVENTS_LINES 500
#define EVENTS_BYTES (512u << 10)

static void
put_settings(json_t *data, json_t *missing, const char *path)
{
	char *text = slurp(path);

	if (text != NULL)
		step_put(data, path, slurp_lines(text));
	else if (errno == ENOENT || errno == ENOTDIR)
		step_put_text(data, path, "there is no such file");
	else
		step_missing(missing, "%s: %s", path, strerror(errno));
	free(text);
}

void
gather_files(const struct paths *paths, json_t *data, json_t *missing)
{
	put_settings(data, missing, paths->initiatorname);
	put_settings(data, missing, paths->islpd_conf);
	put_settings(data, missing, paths->iisnsd_conf);
	put_settings(data, missing, paths->iradd_conf);
}

/* The lines of one file before those of `list`; false where there is no such file. */
static bool
add_events(json_t *list, const char *path, json_t *missing)
{
	char *text = slurp_tail(path, EVENTS_BYTES);
	json_t *lines, *line;
	size_t i, at = 0;

	if (text == NULL) {
		if (errno != ENOENT)
			step_missing(missing, "%s: %s", path, strerror(errno));
		return false;
	}
	lines = slurp_lines(text);
	free(text);
	json_array_foreach(lines, i, line)
	{
		/* Each line is an object; one that was cut short stays what it is, text. */
		json_t *event =
		    jsonmem_load(json_string_value(line), json_string_length(line), 0, NULL);

		if (json_array_size(lines) - i + json_array_size(list) - at > EVENTS_LINES) {
			json_decref(event);
			continue;
		}
		say_need(json_array_insert_new(
			     list, at++, event != NULL ? event : json_incref(line)) == 0
			     ? list
			     : NULL);
	}
	json_decref(lines);
	return true;
}

void
gather_events(const struct paths *paths, json_t *data, json_t *missing)
{
	json_t *list = say_need(json_array());
	char *older = say_format("%s.1", paths->events);

	if (!add_events(list, paths->events, missing) && json_array_size(missing) == 0)
		step_missing(missing, "there is no event log at %s", paths->events);
	if (json_array_size(list) < EVENTS_LINES)
		(void)add_events(list, older, missing); /* only there after a rotation */
	free(older);
	step_put(data, "events", list);
}

/* ---- disks ---- */

static bool
is_below(const char *path, const char *dir)
{
	size_t n = strlen(dir);

	return strncmp(path, dir, n) == 0 && (path[n] == '/' || path[n] == '\0');
}

/* Loop devices on files of the initiator; *ret_names: ",/dev/loop0,/dev/loop1,". */
static json_t *
loop_devices(const struct paths *paths, char **ret_names)
{
	json_t *loops = say_need(json_object());
	char *names = say_format("%s", ",");
	DIR *dir = sysfs_dir("block");
	const struct dirent *e;
	char file[PATH_MAX];

	while (dir != NULL && (e = readdir(dir)) != NULL) {
		char *name, *more;

		if (strncmp(e->d_name, "loop", 4) == 0 &&
		    sysfs_line(file, sizeof file, "block/%s/loop/backing_file", e->d_name) &&
		    is_below(file, paths->disks)) {
			name = say_format("/dev/%s", e->d_name);
			step_put_text(loops, name, file);
			more = say_format("%s%s,", names, name);
			free(names);
			names = more;
			free(name);
		}
	}
	if (dir != NULL)
		(void)closedir(dir); /* only read */
	*ret_names = names;
	return loops;
}

/* A line of mountinfo is ours: below the disks' directory, or from one of our loop devices. */
static bool
is_our_mount(const char *line, const struct paths *paths, const char *loops)
{
	char *copy = say_need(strdup(line)), *rest = copy, *word, *source;
	const char *dash = strstr(line, " - ");
	bool is_ours = false;

	for (int i = 0; (word = strsep(&rest, " ")) != NULL && i <= 4; i++)
		if (i == 4)
			is_ours = is_below(word, paths->disks);
	free(copy);
	if (is_ours || dash == NULL)
		return is_ours;
	dash += 3;
	dash += strcspn(dash, " ");
	dash += strspn(dash, " ");
	source = say_format(",%.*s,", (int)strcspn(dash, " "), dash);
	is_ours = strstr(loops, source) != NULL;
	free(source);
	return is_ours;
}

void
gather_disks(const struct paths *paths, json_t *data, json_t *missing)
{
	char *text = slurp("/proc/self/mountinfo"), *rest = text, *line, *loops;
	json_t *mounts = say_need(json_array());

	step_put(data, "loop devices of the initiator", loop_devices(paths, &loops));
	if (text == NULL)
		step_missing(missing, "the mounts: %s", strerror(errno));
	while ((line = strsep(&rest, "\n")) != NULL)
		if (is_our_mount(line, paths, loops))
			step_add_text(mounts, line);
	free(text);
	free(loops);
	step_put(data, "mounts of the initiator and its disks", mounts);
}
