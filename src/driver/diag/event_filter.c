#include "driver/diag/event_filter.h"

#include <jansson.h>
#include <string.h>

#include "core/iname.h"
#include "sys/jsonmem.h"

bool
event_filter_is_time(const char *text)
{
	static const char shape[] = "0000-00-00T00:00:00.000Z";

	if (strlen(text) != EVENT_TIME_BYTES)
		return false;
	for (size_t i = 0; i < EVENT_TIME_BYTES; i++)
		if (shape[i] == '0' ? text[i] < '0' || text[i] > '9' : text[i] != shape[i])
			return false;
	return true;
}

static const char *
member(const json_t *event, const char *name)
{
	const char *text = json_string_value(json_object_get(event, name));

	return text != NULL ? text : "";
}

static bool
passes(const struct event_filter *f, const json_t *event)
{
	const json_t *session = json_object_get(event, "session");

	/* Such times are in the order of their characters. */
	return (f->since[0] == '\0' || strcmp(member(event, "time"), f->since) >= 0) &&
	       json_integer_value(json_object_get(event, "level")) <= f->level &&
	       (f->session < 0 ||
		   (json_is_integer(session) && json_integer_value(session) == f->session)) &&
	       (f->target[0] == '\0' || iname_same(member(event, "target"), f->target)) &&
	       (f->unit[0] == '\0' || strcmp(member(event, "unit"), f->unit) == 0);
}

bool
event_filter_passes(const struct event_filter *f, const char *line, size_t len)
{
	json_t *event;
	bool ok;

	if (!f->is_set)
		return true;
	event = jsonmem_load(line, len, 0, NULL);
	ok = json_is_object(event) && passes(f, event);
	json_decref(event);
	return ok;
}
