#include "tools/iscsidiag/step.h"

#include <sys/types.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "sys/jsonmem.h"
#include "tools/common/say.h"

static uint64_t
clock_ms(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts); /* cannot fail with this clock */
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

/* The process of a step: gather, and write it all. */
static _Noreturn void
child(step_gather *gather, const struct paths *paths, int fd)
{
	json_t *data = say_need(json_object()), *missing = say_need(json_array());
	FILE *out = say_need(fdopen(fd, "w"));
	json_t *all;

	/* Its own group: what it starts goes with it. */
	(void)setpgid(0, 0); /* the parent does it, too */
	gather(paths, data, missing);
	all = say_need(json_pack("{s:o, s:o}", "data", data, "missing", missing));
	_exit(json_dumpf(all, out, JSON_COMPACT) != 0 || fflush(out) != 0);
}

/* Everything up to the end or the limit; NULL: too late or too long, `*ret_why` says which. */
static char *
read_all(int fd, uint64_t until_ms, size_t *ret_len, const char **ret_why)
{
	char *buf = NULL;
	size_t len = 0, cap = 0;

	for (;;) {
		struct pollfd p = { .fd = fd, .events = POLLIN };
		uint64_t now = clock_ms();
		ssize_t n;

		*ret_why = "it took too long";
		if (now >= until_ms || (poll(&p, 1, (int)(until_ms - now)) <= 0 && errno != EINTR))
			break;
		if (p.revents == 0)
			continue;
		if (len == cap) {
			cap = cap == 0 ? 65536 : 2 * cap;
			*ret_why = "it is too much";
			if (cap > STEP_BYTES)
				break;
			buf = say_need(realloc(buf, cap));
		}
		n = read(fd, buf + len, cap - len);
		if (n == 0) {
			*ret_len = len;
			return say_need(buf);
		}
		if (n > 0)
			len += (size_t)n;
		*ret_why = "it could not be read";
		if (n < 0 && errno != EINTR)
			break;
	}
	free(buf);
	return NULL;
}

/* A process that hangs in the kernel stays; it is not waited for. */
static void
end(pid_t pid)
{
	(void)kill(-pid, SIGKILL); /* ESRCH: it has ended */
	(void)kill(pid, SIGKILL);
	for (int i = 0; i < 100 && waitpid(pid, NULL, WNOHANG) == 0; i++)
		(void)poll(NULL, 0, 10); /* only to let time pass */
}

json_t *
step_run(step_gather *gather, const struct paths *paths, uint32_t limit_ms)
{
	uint64_t start = clock_ms();
	const char *why = "its process could not be started";
	char *text = NULL;
	size_t len = 0;
	json_t *all = NULL;
	int fds[2];
	pid_t pid;

	fflush(NULL);
	if (pipe2(fds, O_CLOEXEC) == 0) {
		pid = fork();
		if (pid == 0)
			child(gather, paths, fds[1]);
		(void)close(fds[1]); /* the child's */
		if (pid > 0) {
			(void)setpgid(pid, pid); /* EACCES, ESRCH: it has done so, or ended */
			text = read_all(fds[0], start + limit_ms, &len, &why);
			end(pid);
		}
		(void)close(fds[0]); /* only read */
	}
	if (text != NULL) {
		why = "its process ended early";
		all = jsonmem_load(text, len, 0, NULL);
	}
	free(text);
	if (all == NULL)
		all = say_need(json_pack("{s:{}, s:[o]}", "data", "missing",
		    json_sprintf("this section could not be gathered: %s", why)));
	step_put(all, "ms", json_integer((json_int_t)(clock_ms() - start)));
	return all;
}

void
step_missing(json_t *missing, const char *fmt, ...)
{
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof text, fmt, ap); /* cut is good enough */
	va_end(ap);
	step_add_text(missing, text);
}

void
step_put(json_t *data, const char *key, json_t *value)
{
	say_need(json_object_set_new(data, key, say_need(value)) == 0 ? data : NULL);
}

/* Text of a file or of the kernel may be any bytes; JSON has UTF-8 only. */
static json_t *
text_value(const char *text)
{
	char *clean;
	json_t *v = json_string(text);

	if (v != NULL)
		return v;
	clean = say_need(strdup(text));
	for (char *p = clean; *p != '\0'; p++)
		if ((unsigned char)*p >= 0x80)
			*p = '?';
	v = say_need(json_string(clean));
	free(clean);
	return v;
}

void
step_put_text(json_t *data, const char *key, const char *text)
{
	step_put(data, key, text_value(text));
}

void
step_add_text(json_t *list, const char *text)
{
	say_need(json_array_append_new(list, text_value(text)) == 0 ? list : NULL);
}
