#include "tools/common/golden.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tools/common/say.h"

json_t *
golden_load(const char *name)
{
	char *path = say_format("golden/%s.json", name);
	json_error_t error;
	json_t *j = json_load_file(path, 0, &error);

	if (j == NULL)
		fail_msg("%s: %s", path, error.text);
	free(path);
	return j;
}

void
golden_open(struct golden *g)
{
	g->out = open_memstream(&g->text, &g->len);
	assert_non_null(g->out);
}

void
golden_check(struct golden *g, const char *name)
{
	char *path = say_format("golden/%s.txt", name), *expected = NULL;
	size_t size = 0;
	FILE *f;

	assert_int_equal(fclose(g->out), 0);
	if (getenv("GOLDEN_UPDATE") != NULL) {
		f = fopen(path, "w");
		assert_non_null(f);
		assert_int_equal(fwrite(g->text, 1, g->len, f), g->len);
		assert_int_equal(fclose(f), 0);
	}
	f = fopen(path, "r");
	if (f == NULL)
		fail_msg("%s cannot be read", path);
	/* No display has a NUL byte: one "line" is the whole file. */
	if (getdelim(&expected, &size, '\0', f) < 0) {
		free(expected);
		expected = say_format("%s", "");
	}
	fclose(f);
	assert_string_equal(g->text, expected);
	free(expected);
	free(g->text);
	free(path);
}
