/* Long answers of the control protocol: a client's half, which puts them together. */
#include <stdbool.h>
#include <string.h>

#include "ipc/pieces.h"

#define CONTINUED "continued"

/* What `more` has in arrays goes behind those of `element`. */
static int
continue_element(json_t *element, json_t *more)
{
	const char *name;
	json_t *value, *to;

	json_object_foreach(more, name, value)
	{
		to = json_object_get(element, name);
		if (json_is_array(value) &&
		    (!json_is_array(to) || json_array_extend(to, value) != 0))
			return -1;
	}
	return 0;
}

static int
extend(json_t *to, json_t *more)
{
	json_t *element;
	size_t i;

	json_array_foreach(more, i, element)
	{
		bool is_continued = json_is_true(json_object_get(element, CONTINUED));
		json_t *last = json_array_get(to, json_array_size(to) - 1);
		int err =
		    is_continued ? continue_element(last, element) : json_array_append(to, element);

		if (err != 0)
			return -1;
	}
	return 0;
}

/* Every array of `from`, behind that of `to`. */
static int
join(json_t *to, json_t *from)
{
	const char *name;
	json_t *value, *list;

	json_object_foreach(from, name, value)
	{
		if (!json_is_array(value))
			continue;
		list = json_object_get(to, name);
		if (list == NULL) {
			list = json_array();
			if (json_object_set_new(to, name, list) != 0)
				return -1;
		}
		if (extend(list, value) != 0)
			return -1;
	}
	return 0;
}

int
ipc_pieces_join(json_t **joined, json_t *part)
{
	if (*joined == NULL)
		*joined = json_object();
	return join(*joined, part);
}

int
ipc_pieces_join_last(json_t *joined, json_t *result)
{
	json_t *value, *whole;
	const char *name;

	if (joined == NULL)
		return 0;
	json_object_foreach(joined, name, value)
	{
		json_t *last = json_object_get(result, name);

		whole = json_array();
		if (extend(whole, value) != 0 || (last != NULL && extend(whole, last) != 0) ||
		    json_object_set(result, name, whole) != 0) {
			json_decref(whole);
			return -1;
		}
		json_decref(whole);
	}
	return 0;
}
