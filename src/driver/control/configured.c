#include "driver/control/configured.h"

#include <string.h>

#include "driver/control/control.h"
#include "driver/iscsi/settings.h"

static const struct {
	const char *levels, *secrecy;
} rows[REGISTRY_KEYS] = {
#define KEY(id, name, levels, secrecy, ...) { #levels, #secrecy },
#include "registry/keys.def"
};

/* What belongs to the initiator as a whole has lines of its own. */
static bool
is_of_logins(enum registry_key key)
{
	return strcmp(rows[key].levels, "G") != 0;
}

const char *
configured_word(enum registry_key key)
{
	static const char *const words[REGISTRY_KEYS] = {
#define TIMER(id, name, ...) [REGISTRY_KEY_timer_##id] = name,
#include "ini/timers.def"
#define CHOICE(id, name, ...) [REGISTRY_KEY_choice_##id] = name,
#include "ini/choices.def"
#define ROUTE(id, name, ...) [REGISTRY_KEY_##id] = name,
#define SHARE(id, name, ...) [REGISTRY_KEY_##id] = name,
#include "ini/routes.def"
	};

	for (size_t k = 0; k < neg_param_count(); k++)
		if (settings_registry_key((enum key_id)k) == key)
			return neg_key_info((enum key_id)k)->name;
	return words[key];
}

void
configured_show(struct driver *d, const struct registry_scope *scope, json_t *to)
{
	enum registry_level level = scope != NULL ? scope->level : REGISTRY_GLOBAL, from;
	json_t *own = json_object(), *above = json_object();
	struct registry_values v;

	settings_show(d->reg, scope, to);
	(void)registry_effective_all(
	    d->reg, scope, &v); /* what cannot be read is shown as not set */
	for (int k = 0; k < REGISTRY_KEYS; k++) {
		const char *value = registry_values_get(&v, (enum registry_key)k, &from);
		const char *word = configured_word((enum registry_key)k);

		if (value == NULL || !is_of_logins((enum registry_key)k))
			continue;
		if (word == NULL)
			word = registry_key_name((enum registry_key)k);
		if (strcmp(rows[k].secrecy, "SECRET") == 0)
			value = "set";
		if (from == level)
			control_set(own, word, settings_show_value((enum registry_key)k, value));
		else
			control_set(above, word,
			    json_pack("{s:o, s:s}", "value",
				settings_show_value((enum registry_key)k, value), "from",
				from == REGISTRY_TARGET ? "target" : "global"));
	}
	registry_values_fini(&v);
	control_set(to, "configured", own);
	control_set(to, "inherited", above);
}
