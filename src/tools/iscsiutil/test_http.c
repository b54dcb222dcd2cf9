/* Requests that collectors and others send. */
#include <sys/socket.h>

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "tools/iscsiutil/http.h"

static void
requests_are_judged(void **state)
{
	static const struct {
		const char *head;
		int status;
		bool is_head, is_open;
	} rows[] = {
		{ "GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n", 200, false, false },
		{ "GET /metrics HTTP/1.0\r\n\r\n", 200, false, false },
		{ "HEAD /metrics?x=1 HTTP/1.1\r\n\r\n", 200, true, false },
		{ "GET /metrics HTTP/1.1\r\naccept: text/plain, "
		  "application/openmetrics-text;version=1.0.0;q=0.5\r\n\r\n",
		    200, false, true },
		{ "GET /metrics HTTP/1.1\r\nAccept: application/openmetrics-text;q=0,*/*\r\n\r\n",
		    200, false, false },
		{ "GET /metrics HTTP/1.1\r\nX-Accept: application/openmetrics-text\r\n\r\n", 200,
		    false, false },
		{ "GET / HTTP/1.1\r\n\r\n", 404, false, false },
		{ "GET /metrics/ HTTP/1.1\r\n\r\n", 404, false, false },
		{ "GET /metric HTTP/1.1\r\n\r\n", 404, false, false },
		{ "GET ?/metrics HTTP/1.1\r\n\r\n", 404, false, false },
		{ "POST /metrics HTTP/1.1\r\n\r\n", 405, false, false },
		{ "get /metrics HTTP/1.1\r\n\r\n", 405, false, false },
		{ "GET /metrics HTTP/2.0\r\n\r\n", 400, false, false },
		{ "GET /metrics\r\n\r\n", 400, false, false },
		{ "GET  /metrics HTTP/1.1\r\n\r\n", 400, false, false },
		{ "GET /metrics HTTP/1.1 \r\n\r\n", 400, false, false },
		{ "\r\n\r\n", 400, false, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		size_t n = strlen(rows[i].head);
		struct http_request r = http_parse(rows[i].head, n, "/metrics");

		assert_int_equal(http_head_bytes(rows[i].head, n), n);
		assert_int_equal(http_head_bytes(rows[i].head, n - 1), 0);
		if (r.status != rows[i].status)
			print_error("%s", rows[i].head);
		assert_int_equal(r.status, rows[i].status);
		assert_int_equal(r.is_head, rows[i].is_head);
		assert_int_equal(r.wants_openmetrics, rows[i].is_open);
	}
	assert_int_equal(http_parse("GET /metrics\0 HTTP/1.1\r\n\r\n", 26, "/metrics").status, 400);
}

struct sender {
	int fd;
	const char *bytes;
	size_t n, piece;
};

static void *
send_pieces(void *arg)
{
	const struct sender *s = arg;

	for (size_t i = 0; i < s->n; i += s->piece)
		(void)!send(s->fd, s->bytes + i, s->n - i < s->piece ? s->n - i : s->piece,
		    MSG_NOSIGNAL); /* it may be refused before its end */
	shutdown(s->fd, SHUT_WR);
	return NULL;
}

/* What becomes of these bytes, sent in pieces. */
static int
received(const char *bytes, size_t n, size_t piece)
{
	struct http_request r;
	struct sender s = { .bytes = bytes, .n = n, .piece = piece };
	pthread_t thread;
	int ends[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	s.fd = ends[0];
	assert_int_equal(pthread_create(&thread, NULL, send_pieces, &s), 0);
	r = http_receive(ends[1], "/metrics");
	close(ends[1]);
	pthread_join(thread, NULL);
	close(ends[0]);
	return r.status;
}

static void
heads_come_in_pieces_and_have_an_end(void **state)
{
	static const char head[] = "GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n";
	static char endless[3 * HTTP_HEAD_BYTES];

	(void)state;
	for (size_t piece = 1; piece < sizeof head; piece++)
		assert_int_equal(received(head, sizeof head - 1, piece), 200);
	/* One who ends before its end, and one who says nothing. */
	assert_int_equal(received(head, sizeof head - 3, 100), 0);
	assert_int_equal(received(head, 0, 1), 0);
	memset(endless, 'x', sizeof endless);
	assert_int_equal(received(endless, sizeof endless, 1000), 431);
	/* The longest. */
	memcpy(endless, "GET /metrics HTTP/1.1\r\nA: ", 26);
	memcpy(endless + HTTP_HEAD_BYTES - 4, "\r\n\r\n", 4);
	assert_int_equal(received(endless, HTTP_HEAD_BYTES, 4096), 200);
}

static void
an_answer_is_whole_or_was_not_taken(void **state)
{
	struct http_request r = { .status = 200 };
	char answer[1024];
	int ends[2];
	ssize_t n;

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	assert_true(http_answer(ends[0], &r, "text/plain", "hello\n", 6));
	n = read(ends[1], answer, sizeof answer - 1);
	assert_true(n > 0);
	answer[n] = '\0';
	assert_ptr_equal(strstr(answer, "HTTP/1.1 200 OK\r\n"), answer);
	assert_non_null(strstr(answer, "\r\nContent-Length: 6\r\n"));
	assert_string_equal(strstr(answer, "\r\n\r\n"), "\r\n\r\nhello\n");
	r = (struct http_request){ .status = 405, .is_head = true };
	assert_true(http_answer(ends[0], &r, "text/plain", "hello\n", 6));
	n = read(ends[1], answer, sizeof answer - 1);
	answer[n] = '\0';
	assert_non_null(strstr(answer, "\r\nAllow: GET, HEAD\r\n"));
	assert_string_equal(strstr(answer, "\r\n\r\n"), "\r\n\r\n");
	close(ends[1]);
	signal(SIGPIPE, SIG_IGN);
	assert_false(http_answer(ends[0], &r, "text/plain", "hello\n", 6));
	close(ends[0]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(requests_are_judged),
		cmocka_unit_test(heads_come_in_pieces_and_have_an_end),
		cmocka_unit_test(an_answer_is_whole_or_was_not_taken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
