#include "iradd/counters.h"

json_t *
counters_json(const struct counters *c)
{
	static const char *const names[] = {
#define RESULT(id, counter, text) [RADIUS_##id] = counter,
#include "iradd/radius.def"
	};
	json_t *o = json_pack("{s:I, s:I, s:I, s:I}", "asked", (json_int_t)c->asked, "sent",
	    (json_int_t)c->sent, "silent", (json_int_t)c->silent, "unreachable",
	    (json_int_t)c->unreachable);

	for (unsigned r = 0; r < RADIUS_RESULTS && o != NULL; r++)
		if (json_object_set_new(o, names[r], json_integer((json_int_t)c->answers[r])) < 0) {
			json_decref(o);
			return NULL;
		}
	return o;
}
