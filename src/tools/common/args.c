#include "tools/common/args.h"

#include "tools/common/say.h"

bool
args_put(json_t *args, const char *key, const struct cmdline *line, size_t i)
{
	const struct cmdline_value *v = &line->values[i];
	json_t *value = NULL;

	if (!v->given)
		return true;
	switch (line->tool->options[i].arg) {
	case CMDLINE_NONE:
		value = json_true();
		break;
	case CMDLINE_NUMBER:
	case CMDLINE_NUMBER_MAYBE:
		if (!v->has_arg)
			return true;
		value = json_integer(v->number);
		break;
	case CMDLINE_TEXT:
	case CMDLINE_TEXTS:
	case CMDLINE_WORDS:
		return args_put_text(args, key, v->text);
	case CMDLINE_LIST:
		value = json_array();
		for (int n = 0; n < v->list_count; n++)
			if (json_array_append_new(value, json_string(v->list[n])) != 0) {
				json_decref(value);
				return args_put_text(args, key, v->list[n]);
			}
		break;
	}
	say_need(json_object_set_new(args, key, value) == 0 ? args : NULL);
	return true;
}

bool
args_put_text(json_t *args, const char *key, const char *text)
{
	json_t *value = json_string(text);

	if (value == NULL) {
		say_problem(
		    "write it in UTF-8", "'%s' cannot be sent: it is not valid UTF-8", text);
		return false;
	}
	say_need(json_object_set_new(args, key, value) == 0 ? args : NULL);
	return true;
}
