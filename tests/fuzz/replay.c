/* Runs a harness on each of the files and directories that are named: without libFuzzer, for every
 * ./check. */
#include <sys/stat.h>

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"

#define PATH_BYTES  4096
#define INPUT_BYTES (1u << 20)

static unsigned n_inputs;

/* Mutators are linked, and not used. */
size_t
LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size)
{
	(void)data;
	return size < max_size ? size : max_size;
}

static int
replay_file(const char *path)
{
	FILE *f = fopen(path, "rbe");
	uint8_t *big = malloc(INPUT_BYTES), *exact;
	size_t n;

	if (f == NULL || big == NULL) {
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
		return 2;
	}
	n = fread(big, 1, INPUT_BYTES, f);
	(void)fclose(f); /* it was only read */
	/* Exactly as long as it is, so that a byte too many is seen. */
	exact = malloc(n > 0 ? n : 1);
	if (exact == NULL)
		return 2;
	memcpy(exact, big, n);
	free(big);
	(void)LLVMFuzzerTestOneInput(exact, n); /* always 0 */
	free(exact);
	n_inputs++;
	return 0;
}

static int
replay(const char *path)
{
	char below[PATH_BYTES];
	struct stat st;
	struct dirent *e;
	int result = 0;
	DIR *d;

	if (stat(path, &st) < 0) {
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
		return 2;
	}
	if (!S_ISDIR(st.st_mode))
		return replay_file(path);
	d = opendir(path);
	if (d == NULL) {
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
		return 2;
	}
	while (result == 0 && (e = readdir(d)) != NULL) {
		if (e->d_name[0] == '.')
			continue;
		(void)snprintf(below, sizeof below, "%s/%s", path, e->d_name);
		result = replay(below);
	}
	closedir(d);
	return result;
}

int
main(int argc, char **argv)
{
	FILE *out = stdout;
	int result = 0;

	/* Every parser meets the empty input. */
	(void)LLVMFuzzerTestOneInput((const uint8_t *)"", 0); /* always 0 */
	for (int i = 1; i < argc && result == 0; i++)
		result = replay(argv[i]);
	fprintf(out, "%u inputs\n", n_inputs);
	(void)fflush(out); /* a message only */
	return result;
}
