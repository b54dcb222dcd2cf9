#include "tools/common/result.h"

#include <stdlib.h>
#include <string.h>

#include "tools/common/say.h"

const char *
result_text(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text != NULL ? text : "";
}

json_int_t
result_number(const json_t *object, const char *key)
{
	const json_t *n = json_object_get(object, key);

	return json_is_integer(n) ? json_integer_value(n) : -1;
}

bool
result_is_true(const json_t *object, const char *key)
{
	return json_is_true(json_object_get(object, key));
}

char *
result_list(const json_t *object, const char *key)
{
	char *text = NULL;
	const char *comma = "";
	const json_t *word;
	size_t len, i;
	FILE *f = say_need(open_memstream(&text, &len));

	json_array_foreach(json_object_get(object, key), i, word)
	{
		if (!json_is_string(word))
			continue;
		fprintf(f, "%s%s", comma, json_string_value(word));
		comma = ",";
	}
	say_need(fclose(f) == 0 ? text : NULL);
	return text;
}

char *
result_portal(const json_t *object)
{
	const char *address = result_text(object, "address");
	bool is_v6 = strchr(address, ':') != NULL && address[0] != '[';

	return say_format("%s%s%s:%lld,%lld", is_v6 ? "[" : "", address, is_v6 ? "]" : "",
	    (long long)result_number(object, "port"), (long long)result_number(object, "tpgt"));
}

void
result_print(FILE *out, const json_t *object)
{
	char *text = say_need(json_dumps(object, JSON_INDENT(2) | JSON_ENSURE_ASCII));

	/* DEL is the one harmful byte that jansson leaves as it is. */
	for (const char *p = text; *p != '\0'; p++) {
		if (*p == 0x7f)
			fputs("\\u007f", out);
		else
			fputc(*p, out);
	}
	fputc('\n', out);
	free(text);
}
