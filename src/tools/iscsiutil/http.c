#include "tools/iscsiutil/http.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

/* ---- what is asked ---- */

size_t
http_head_bytes(const char *bytes, size_t n)
{
	const char *end = memmem(bytes, n, "\r\n\r\n", 4);

	return end != NULL ? (size_t)(end - bytes) + 4 : 0;
}

struct word {
	const char *at;
	size_t n;
};

static bool
is(struct word w, const char *text)
{
	return w.n == strlen(text) && memcmp(w.at, text, w.n) == 0;
}

/* Up to `stop`, which is skipped; the rest where there is none. */
static struct word
take(struct word *from, const char *stop)
{
	const char *end = memmem(from->at, from->n, stop, strlen(stop));
	struct word w = { from->at, end != NULL ? (size_t)(end - from->at) : from->n };
	size_t skipped = end != NULL ? w.n + strlen(stop) : w.n;

	from->at += skipped;
	from->n -= skipped;
	return w;
}

/* ";q=0": anything but that. */
static bool
is_refused(struct word w)
{
	const char *q = memmem(w.at, w.n, ";q=0", 4);

	return q != NULL && (q + 4 == w.at + w.n || q[4] != '.');
}

/* "application/openmetrics-text;version=1.0.0;q=0.5,text/plain": is it among them? */
static bool
names_openmetrics(struct word value)
{
	static const char type[] = "application/openmetrics-text";

	while (value.n > 0) {
		struct word w = take(&value, ",");

		while (w.n > 0 && (*w.at == ' ' || *w.at == '\t')) {
			w.at++;
			w.n--;
		}
		if (w.n >= sizeof type - 1 && strncasecmp(w.at, type, sizeof type - 1) == 0 &&
		    !is_refused(w))
			return true;
	}
	return false;
}

static bool
is_path(struct word target, const char *path)
{
	struct word before = take(&target, "?");

	return is(before, path);
}

static void
take_fields(struct word rest, struct http_request *r)
{
	while (rest.n > 0) {
		struct word line = take(&rest, "\r\n"), name = take(&line, ":");

		if (is(name, "")) /* the empty line, or one that begins with a colon */
			continue;
		if (name.n == 6 && strncasecmp(name.at, "Accept", 6) == 0)
			r->wants_openmetrics |= names_openmetrics(line);
	}
}

struct http_request
http_parse(const char *head, size_t n, const char *path)
{
	struct http_request r = { .status = 400 };
	struct word rest = { head, n }, line = take(&rest, "\r\n");
	struct word method = take(&line, " "), target = take(&line, " ");

	if (method.n == 0 || target.n == 0 || line.n != 8 || memcmp(line.at, "HTTP/1.", 7) != 0 ||
	    memchr(head, '\0', n) != NULL)
		return r;
	r.is_head = is(method, "HEAD");
	if (!r.is_head && !is(method, "GET"))
		r.status = 405;
	else if (!is_path(target, path))
		r.status = 404;
	else
		r.status = 200;
	take_fields(rest, &r);
	return r;
}

/* ---- the connection ---- */

static int
left_ms(const struct timespec *begin)
{
	struct timespec now;
	long long ms;

	(void)clock_gettime(CLOCK_MONOTONIC, &now); /* it cannot fail */
	ms = (now.tv_sec - begin->tv_sec) * 1000LL + (now.tv_nsec - begin->tv_nsec) / 1000000;
	return ms < HTTP_PATIENCE_MS ? (int)(HTTP_PATIENCE_MS - ms) : 0;
}

/* False: it is not ready in time. */
static bool
wait_for(int fd, short events, const struct timespec *begin)
{
	struct pollfd p = { .fd = fd, .events = events };
	int n;

	do
		n = poll(&p, 1, left_ms(begin));
	while (n < 0 && errno == EINTR);
	return n == 1;
}

struct http_request
http_receive(int fd, const char *path)
{
	char head[HTTP_HEAD_BYTES];
	struct timespec begin;
	size_t n = 0, bytes;

	(void)clock_gettime(CLOCK_MONOTONIC, &begin); /* it cannot fail */
	while ((bytes = http_head_bytes(head, n)) == 0) {
		ssize_t more;

		if (n == sizeof head)
			return (struct http_request){ .status = 431 };
		if (!wait_for(fd, POLLIN, &begin))
			return (struct http_request){ .status = n > 0 ? 408 : 0 };
		more = read(fd, head + n, sizeof head - n);
		if (more < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (more <= 0)
			return (struct http_request){ .status = 0 };
		n += (size_t)more;
	}
	return http_parse(head, bytes, path);
}

static bool
send_all(int fd, const char *bytes, size_t n, const struct timespec *begin)
{
	while (n > 0) {
		ssize_t sent;

		if (!wait_for(fd, POLLOUT, begin))
			return false;
		sent = write(fd, bytes, n);
		if (sent < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (sent <= 0)
			return false;
		bytes += sent;
		n -= (size_t)sent;
	}
	return true;
}

static const char *
reason(int status)
{
	static const struct {
		int status;
		const char *reason;
	} reasons[] = { { 200, "OK" }, { 400, "Bad Request" }, { 404, "Not Found" },
		{ 405, "Method Not Allowed" }, { 408, "Request Timeout" },
		{ 431, "Request Header Fields Too Large" }, { 503, "Service Unavailable" } };

	for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++)
		if (reasons[i].status == status)
			return reasons[i].reason;
	return "Error";
}

bool
http_answer(int fd, const struct http_request *r, const char *type, const char *body, size_t n)
{
	struct timespec begin;
	char head[512];
	int head_n;

	(void)clock_gettime(CLOCK_MONOTONIC, &begin); /* it cannot fail */
	head_n = snprintf(head, sizeof head,
	    "HTTP/1.1 %d %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n%sConnection: close\r\n"
	    "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n\r\n",
	    r->status, reason(r->status), type, n,
	    r->status == 405 ? "Allow: GET, HEAD\r\n" : ""); /* fits */
	return send_all(fd, head, (size_t)head_n, &begin) &&
	       (r->is_head || send_all(fd, body, n, &begin));
}
