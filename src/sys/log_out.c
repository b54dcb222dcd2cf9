#include "sys/log_out.h"

#include <sys/socket.h>
#include <sys/un.h>

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <syslog.h>
#include <unistd.h>

#include "base/visible.h"

/* A pipe takes so much as one, or nothing of it: lines of several processes do not mix. */
#define LINE_BYTES PIPE_BUF

static int send_line(int fd, const char *line, size_t len, int flags);
static int write_line(const char *line, size_t len, bool may_wait);

/* "2026-01-01T00:00:00.123Z prog[1] err: "; returns its length. */
static size_t
print_head(const struct log_out *o, const struct log_line *l, char *line)
{
	char when[32] = "";
	struct tm tm;
	int n;

	if (o->target == LOG_TO_SYSLOG) {
		/* RFC 3164, in local time, as syslog(3) does. */
		if (localtime_r(&l->when.tv_sec, &tm) == NULL ||
		    strftime(when, sizeof when, "%h %e %T", &tm) == 0)
			when[0] = '\0';
		n = snprintf(line, LINE_BYTES, "<%d>%s %.64s[%ld]: ", LOG_DAEMON | (int)l->level,
		    when, o->program, (long)getpid());
	} else if (o->to_journal) {
		n = snprintf(line, LINE_BYTES, "<%d>", (int)l->level);
	} else {
		if (gmtime_r(&l->when.tv_sec, &tm) == NULL ||
		    strftime(when, sizeof when, "%FT%T", &tm) == 0)
			when[0] = '\0';
		n = snprintf(line, LINE_BYTES, "%s.%03ldZ %.64s[%ld] %s: ", when,
		    l->when.tv_nsec / 1000000, o->program, (long)getpid(),
		    log_level_name(l->level));
	}
	return n > 0 ? (size_t)n : 0;
}

int
log_out_write(const struct log_out *o, const struct log_line *l, bool may_wait)
{
	char line[LINE_BYTES];
	size_t len = print_head(o, l, line);

	len += visible_copy(l->text, l->len, line + len, sizeof line - len - 1);
	if (o->target == LOG_TO_SYSLOG)
		return send_line(o->fd, line, len, may_wait ? 0 : MSG_DONTWAIT);
	line[len++] = '\n';
	return write_line(line, len, may_wait);
}

/* The address each time: a log daemon that was started again has a socket of its own. */
static int
send_line(int fd, const char *line, size_t len, int flags)
{
	static const struct sockaddr_un un = { .sun_family = AF_UNIX, .sun_path = "/dev/log" };
	ssize_t n;

	do
		n = sendto(
		    fd, line, len, flags | MSG_NOSIGNAL, (const struct sockaddr *)&un, sizeof un);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : 0;
}

/*
 * The standard error is shared with whoever gave it to us, so it is not made
 * non-blocking.  The journal's is a socket, which can be asked not to wait; of
 * all else poll() says whether there is room for a line of PIPE_BUF.
 */
static int
write_line(const char *line, size_t len, bool may_wait)
{
	struct pollfd room = { .fd = STDERR_FILENO, .events = POLLOUT };
	ssize_t n;

	if (!may_wait) {
		n = send(STDERR_FILENO, line, len, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n >= 0 || errno != ENOTSOCK)
			return n < 0 ? -errno : 0;
		if (poll(&room, 1, 0) != 1)
			return -EAGAIN;
	}
	while (len > 0) {
		n = write(STDERR_FILENO, line, len);
		if (n > 0) {
			line += n;
			len -= (size_t)n;
		} else if (n < 0 && errno == EAGAIN && may_wait) {
			(void)poll(&room, 1, -1); /* a signal: looked at again */
		} else if (n == 0 || errno != EINTR) {
			return n == 0 ? -EIO : -errno;
		}
	}
	return 0;
}
