#include "ipc/helper_args.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

const char *
helper_args_string(
    const json_t *args, const char *name, const char *fallback, char *why, size_t why_bytes)
{
	const json_t *v = json_object_get(args, name);
	const char *s = json_string_value(v);

	if (v == NULL || json_is_null(v))
		s = fallback;
	else if (s != NULL && strlen(s) != json_string_length(v))
		s = NULL;
	if (s == NULL)
		snprintf(why, why_bytes, "the argument \"%s\" must be a string", name);
	return s;
}

int
helper_args_int(
    const json_t *args, const char *name, int min, int max, int *ret, char *why, size_t why_bytes)
{
	const json_t *v = json_object_get(args, name);
	json_int_t n = json_integer_value(v);

	if (!json_is_integer(v) || n < min || n > max) {
		snprintf(why, why_bytes, "the argument \"%s\" must be a number from %d to %d", name,
		    min, max);
		return -EINVAL;
	}
	*ret = (int)n;
	return 0;
}
