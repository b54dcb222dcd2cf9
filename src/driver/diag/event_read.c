#include "driver/diag/event_read.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "driver/diag/event_log.h"

/* A file as a whole; they are bounded by EVENT_LOG_BYTES and one line. */
struct file {
	char *text;
	size_t len, at; /* its wanted lines begin at `at` */
};

static int
load(const char *path, struct file *f)
{
	size_t room = EVENT_LOG_BYTES + 65536;
	FILE *in = fopen(path, "re");
	int err = 0;

	if (in == NULL)
		return errno == ENOENT ? 0 : -errno;
	f->text = malloc(room);
	if (f->text == NULL)
		err = -ENOMEM;
	else
		f->len = fread(f->text, 1, room, in);
	if (err == 0 && ferror(in))
		err = -EIO;
	(void)fclose(in); /* only read */
	return err;
}

/* Move f->at to the last n lines that are wanted; returns how many there are. */
static size_t
seek_last(struct file *f, size_t n, const struct event_filter *filter)
{
	size_t found = 0;

	/* What stands behind the last newline is not a whole line. */
	while (f->len > 0 && f->text[f->len - 1] != '\n')
		f->len--;
	f->at = f->len;
	while (found < n && f->at > 0) {
		const char *before = memrchr(f->text, '\n', f->at - 1);

		size_t end = f->at - 1;

		f->at = before != NULL ? (size_t)(before - f->text) + 1 : 0;
		found += event_filter_passes(filter, f->text + f->at, end - f->at);
	}
	return found;
}

static void
tell(const struct file *f, const struct event_filter *filter,
    void (*line)(void *user, const char *text, size_t len), void *user)
{
	for (const char *p = f->text + f->at; p < f->text + f->len;) {
		size_t n =
		    (size_t)((const char *)memchr(p, '\n', (size_t)(f->text + f->len - p)) - p);

		if (event_filter_passes(filter, p, n))
			line(user, p, n);
		p += n + 1;
	}
}

int
event_read_last(const char *path, size_t n, const struct event_filter *filter,
    void (*line)(void *user, const char *text, size_t len), void *user)
{
	struct file files[EVENT_LOG_OLD + 1] = { 0 };
	size_t size = strlen(path) + 16;
	char *name = malloc(size);
	int err = name == NULL ? -ENOMEM : 0;

	for (int i = 0; err == 0 && n > 0 && i <= EVENT_LOG_OLD; i++) {
		(void)snprintf(name, size, i > 0 ? "%s.%d" : "%s", path, i); /* fits */
		err = load(name, &files[i]);
		if (err == 0 && files[i].text != NULL)
			n -= seek_last(&files[i], n, filter);
	}
	for (int i = EVENT_LOG_OLD; i >= 0; i--) {
		if (err == 0 && files[i].text != NULL)
			tell(&files[i], filter, line, user);
		free(files[i].text);
	}
	free(name);
	return err;
}
