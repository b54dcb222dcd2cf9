#include "tools/iscsidiag/slurp.h"

#include <sys/stat.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tools/common/say.h"
#include "tools/iscsidiag/step.h"

/* At most `max` bytes from `offset` on.  O_NONBLOCK: a FIFO in a file's place does not hold us up.
 */
static char *
read_part(const char *path, off_t offset, size_t max)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	size_t len = 0;
	ssize_t n = 0;
	char *buf;
	int err;

	if (fd < 0)
		return NULL;
	buf = say_need(malloc(max + 1));
	/* Files of /proc and /sys cannot be sought but from their beginning. */
	if (offset > 0 && lseek(fd, offset, SEEK_SET) < 0)
		n = -1;
	while (n >= 0 && len < max && (n = read(fd, buf + len, max - len)) > 0)
		len += (size_t)n;
	err = errno;
	(void)close(fd); /* only read */
	if (n < 0) {
		free(buf);
		errno = err;
		return NULL;
	}
	/* What was asked for is text. */
	for (size_t i = 0; i < len; i++)
		if (buf[i] == '\0' || buf[i] == '\t')
			buf[i] = ' ';
	buf[len] = '\0';
	return buf;
}

char *
slurp(const char *path)
{
	return read_part(path, 0, SLURP_BYTES);
}

static char *
vslurp(const char *fmt, va_list ap)
{
	char path[4200];

	(void)vsnprintf(path, sizeof path, fmt, ap); /* a cut path does not exist */
	return slurp(path);
}

char *
slurpf(const char *fmt, ...)
{
	va_list ap;
	char *text;

	va_start(ap, fmt);
	text = vslurp(fmt, ap);
	va_end(ap);
	return text;
}

char *
slurp_line(const char *fmt, ...)
{
	va_list ap;
	char *text;

	va_start(ap, fmt);
	text = vslurp(fmt, ap);
	va_end(ap);
	if (text == NULL)
		return say_format("%s", "");
	text[strcspn(text, "\n")] = '\0';
	return text;
}

char *
slurp_tail(const char *path, size_t max)
{
	struct stat st;
	off_t offset;
	char *text, *line;

	if (stat(path, &st) != 0)
		return NULL;
	offset = st.st_size > (off_t)max ? st.st_size - (off_t)max : 0;
	text = read_part(path, offset, max);
	if (text == NULL || offset == 0)
		return text;
	line = strchr(text, '\n');
	if (line != NULL)
		memmove(text, line + 1, strlen(line + 1) + 1);
	return text;
}

char *
slurp_program(char *const *argv, size_t max)
{
	char *const env[] = { (char *)"PATH=/usr/sbin:/usr/bin:/sbin:/bin",
		(char *)"LC_ALL=C.UTF-8", NULL };
	posix_spawn_file_actions_t actions;
	char *text = say_need(malloc(max + 1));
	size_t len = 0;
	ssize_t n;
	int fds[2];
	pid_t pid;

	text[0] = '\0';
	if (pipe2(fds, O_CLOEXEC) != 0)
		return text;
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&actions, fds[1], 1);
	posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
	if (posix_spawn(&pid, argv[0], &actions, NULL, argv, env) != 0)
		pid = -1;
	(void)close(fds[1]); /* the child's */
	while (pid > 0 && len < max && (n = read(fds[0], text + len, max - len)) > 0)
		len += (size_t)n;
	(void)close(fds[0]); /* only read; one that prints more ends of it */
	if (pid > 0)
		(void)waitpid(pid, NULL, 0); /* the step's time limit ends it where it hangs */
	posix_spawn_file_actions_destroy(&actions);
	text[len] = '\0';
	return text;
}

json_t *
slurp_lines(char *text)
{
	json_t *list = say_need(json_array());
	char *line;

	while ((line = strsep(&text, "\n")) != NULL)
		if (line[0] != '\0')
			step_add_text(list, line);
	return list;
}

char *
slurp_value(const char *text, const char *name)
{
	size_t n = strlen(name);

	for (const char *p = text; p != NULL && *p != '\0';
	     p = strchr(p, '\n') != NULL ? strchr(p, '\n') + 1 : NULL) {
		if (strncmp(p, name, n) != 0 || p[n] != ':')
			continue;
		p += n + 1 + strspn(p + n + 1, " \t");
		return say_format("%.*s", (int)strcspn(p, "\n"), p);
	}
	return NULL;
}
