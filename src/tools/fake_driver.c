#include "tools/fake_driver.h"

#include <sys/socket.h>
#include <sys/wait.h>

#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "sys/sock.h"

/* Nobody waits for ever: a client that never comes ends the fake by this signal. */
#define PATIENCE_S 60

static int serve(int listener, const struct fake_exchange *exchanges, size_t n);
static int serve_one(FILE *in, int fd, const struct fake_exchange *x);
static json_t *parse(const char *text);
static int answer(int fd, json_int_t id, const char *text);

/* Connections with `per_connection` exchanges each. */
static pid_t
start(const char *path, const struct fake_exchange *exchanges, size_t n, size_t per_connection)
{
	int listener = sock_listen(path, SOCK_STREAM, 0600), result = 0;
	pid_t pid;

	assert_true(listener >= 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		alarm(PATIENCE_S);
		do {
			result = serve(listener, exchanges, per_connection);
			if (n > per_connection)
				exchanges += per_connection;
			n -= per_connection;
		} while (result == 0 && n > 0);
		_exit(result);
	}
	close(listener);
	return pid;
}

pid_t
fake_driver_start(const char *path, const struct fake_exchange *exchanges, size_t n)
{
	return start(path, exchanges, n, n);
}

pid_t
fake_driver_start_each(const char *path, const struct fake_exchange *exchanges, size_t n)
{
	return start(path, exchanges, n, 1);
}

void
fake_driver_end(pid_t pid)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

static int
serve(int listener, const struct fake_exchange *exchanges, size_t n)
{
	int fd = accept(listener, NULL, NULL), result = 0;
	FILE *in = fd >= 0 ? fdopen(fd, "r") : NULL;

	if (in == NULL)
		return 1;
	for (size_t i = 0; i < n && result == 0; i++)
		result = serve_one(in, fd, &exchanges[i]);
	if (result == 0 && n > 0 && exchanges[n - 1].answers[0] != NULL && fgetc(in) != EOF) {
		fprintf(stderr, "fake driver: there are more requests than expected\n");
		result = 1;
	}
	fclose(in);
	return result;
}

static int
serve_one(FILE *in, int fd, const struct fake_exchange *x)
{
	json_t *request = NULL, *args = NULL, *none = json_object(), *got;
	char *line = NULL;
	size_t size = 0;
	int result = 0;

	if (getline(&line, &size, in) > 0)
		request = json_loads(line, 0, NULL);
	got = json_object_get(request, "args");
	args = x->args[0] != '\0' ? parse(x->args) : json_incref(none);
	if (request == NULL || !json_is_integer(json_object_get(request, "id")) ||
	    json_object_get(request, "op") == NULL ||
	    strcmp(json_string_value(json_object_get(request, "op")), x->op) != 0 ||
	    !json_equal(got != NULL ? got : none, args)) {
		fprintf(stderr, "fake driver: expected %s %s, got %s\n", x->op, x->args,
		    line != NULL ? line : "nothing");
		result = 1;
	}
	for (size_t i = 0; result == 0 && i < 4 && x->answers[i] != NULL; i++)
		result =
		    answer(fd, json_integer_value(json_object_get(request, "id")), x->answers[i]);
	json_decref(args);
	json_decref(none);
	json_decref(request);
	free(line);
	return result;
}

static json_t *
parse(const char *text)
{
	char *copy = strdup(text);
	json_t *j;

	for (char *p = copy; *p != '\0'; p++)
		if (*p == '\'')
			*p = '"';
	j = json_loads(copy, 0, NULL);
	if (j == NULL)
		fprintf(stderr, "fake driver: the test's own JSON is wrong: %s\n", text);
	free(copy);
	return j;
}

static int
answer(int fd, json_int_t id, const char *text)
{
	json_t *j;
	char *line;
	int result;

	if (text[0] == '!')
		return dprintf(fd, "%s\n", text + 1) < 0;
	j = parse(text);
	if (j == NULL)
		return 1;
	json_object_set_new(j, "id", json_integer(id));
	line = json_dumps(j, JSON_COMPACT);
	result = dprintf(fd, "%s\n", line) < 0;
	free(line);
	json_decref(j);
	return result;
}
