/*
 * One HTTP request (RFC 9112), as far as a collector of metrics makes one: its head, and no body.
 * Whoever sends it is not trusted: so many bytes, so long, and not a byte more.
 */
#ifndef ISCSIUTIL_HTTP_H
#define ISCSIUTIL_HTTP_H

#include <stdbool.h>
#include <stddef.h>

/* A head has no more bytes than this. */
#define HTTP_HEAD_BYTES 8192
/* It arrives within this, and its answer is taken within it. */
#define HTTP_PATIENCE_MS 5000

struct http_request {
	int status; /* what is to be answered: 200, or why not */
	bool is_head;
	bool wants_openmetrics; /* its Accept names that */
};

/* The length of the head with the empty line that ends it; 0: there is none among these bytes. */
size_t http_head_bytes(const char *bytes, size_t n);
/* Judge a head of so many bytes: only GET and HEAD of `path` are answered with 200. */
struct http_request http_parse(const char *head, size_t n, const char *path);
/* Read a head from `fd` and judge it.  status 0: there was none, and nobody waits for an answer. */
struct http_request http_receive(int fd, const char *path);
/* Send the whole answer.  False: it was not taken. */
bool http_answer(
    int fd, const struct http_request *r, const char *type, const char *body, size_t n);

#endif
