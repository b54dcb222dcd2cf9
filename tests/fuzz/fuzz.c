#include "fuzz.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char dir[64];

_Noreturn void
fuzz_fail(const char *file, int line, const char *function, const char *condition)
{
	dprintf(
	    STDERR_FILENO, "%s:%d: %s: \"%s\" does not hold\n", file, line, function, condition);
	abort();
}

char *
fuzz_string(struct cursor *in, uint8_t end)
{
	size_t left = cursor_left(in), n;
	const uint8_t *stop = left > 0 ? memchr(in->p, end, left) : NULL;
	const uint8_t *bytes;
	char *text;

	n = stop != NULL ? (size_t)(stop - in->p) : left;
	text = malloc(n + 1);
	if (text == NULL)
		abort();
	bytes = cursor_bytes(in, n);
	if (n > 0)
		memcpy(text, bytes, n);
	text[n] = '\0';
	if (stop != NULL)
		(void)cursor_u8(in); /* the end itself */
	return text;
}

uint8_t *
fuzz_rest(struct cursor *in, size_t *ret_n)
{
	size_t n = cursor_left(in);
	uint8_t *copy = malloc(n > 0 ? n : 1);

	if (copy == NULL)
		abort();
	if (n > 0)
		memcpy(copy, cursor_bytes(in, n), n);
	*ret_n = n;
	return copy;
}

uint64_t
fuzz_hash(uint64_t hash, const void *bytes, size_t n)
{
	const uint8_t *p = bytes;

	hash ^= n * 0x9e3779b97f4a7c15u;
	for (size_t i = 0; i < n; i++)
		hash = (hash ^ p[i]) * 0x100000001b3u;
	return hash;
}

static void
remove_dir(void)
{
	DIR *d = opendir(dir);
	struct dirent *e;

	if (d == NULL)
		return;
	while ((e = readdir(d)) != NULL)
		(void)unlinkat(dirfd(d), e->d_name, 0); /* "." and ".." stay */
	closedir(d);
	(void)rmdir(dir); /* what is left is seen by those who look after the tests */
}

const char *
fuzz_path(const char *name)
{
	static char path[128];
	const char *tmp = getenv("TMPDIR");

	if (dir[0] == '\0') {
		(void)snprintf(
		    dir, sizeof dir, "%.40s/oisw-fuzz-XXXXXX", tmp != NULL ? tmp : "/tmp");
		if (mkdtemp(dir) == NULL) {
			perror(dir);
			exit(2);
		}
		(void)atexit(remove_dir); /* the directory is only untidy */
	}
	(void)snprintf(path, sizeof path, "%s/%s", dir, name); /* names are ours, and short */
	return path;
}

void
fuzz_quiet(void)
{
	static bool is_quiet;
	FILE *nowhere;

	if (is_quiet)
		return;
	is_quiet = true;
	nowhere = fopen("/dev/null", "we");
	if (nowhere == NULL)
		abort();
	/* The descriptors stay: sanitizers write to them, and libFuzzer to the stream it began
	 * with. */
	stdout = stderr = nowhere;
}
