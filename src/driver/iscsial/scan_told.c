#include "driver/iscsial/scan_told.h"

#include <string.h>

#include "base/cut.h"
#include "core/iname.h"
#include "driver/iscsial/luns.h"

void
scan_told_init(struct scan_told *t)
{
	*t = (struct scan_told){ .offered = json_object(), .lost = json_array() };
}

void
scan_told_fini(struct scan_told *t)
{
	json_decref(t->offered);
	json_decref(t->lost);
}

/* ---- what cannot be used ---- */

/* False: nothing was left out. */
static bool
explain(const struct discovery_bad *bad, struct fault *ret)
{
	const char *equal = strchr(bad->culprit, '='),
		   *value = equal != NULL ? equal + 1 : bad->culprit;

	switch (bad->kind) {
	case SENDTARGETS_BAD_NAME:
		fault_set(ret, FAULT_OFFLINE, "give the target a valid name on its side",
		    "the portal names a target \"%s\", which is left out: %s", value, bad->reason);
		return true;
	case SENDTARGETS_BAD_ADDRESS:
		fault_set(ret, FAULT_OFFLINE, "correct the portal's address on the target",
		    "the portal names an address \"%s\", which is left out: %s", value,
		    bad->reason);
		return true;
	case SENDTARGETS_STRAY_ADDRESS:
		fault_set(ret, FAULT_OFFLINE, "report it to the target's vendor",
		    "the portal names an address of no target, which is left out: \"%s\"", value);
		return true;
	case SENDTARGETS_BAD_TEXT:
	case SENDTARGETS_TOO_MANY:
		fault_set(ret, FAULT_OFFLINE, "look at the target's configuration",
		    "the portal's answer is not used to its end: %s", bad->reason);
		return true;
	case SENDTARGETS_BAD_KEY: /* no target is missed by that */
	case SENDTARGETS_ADDRESS:
	case SENDTARGETS_NO_ADDRESS:
	case SENDTARGETS_END:
		break;
	}
	return false;
}

static void
add(json_t *failures, const char *what, const struct fault *why)
{
	json_t *row = json_pack("{s:s, s:s, s:s, s:s}", "stage", "discovery", "what", what, "error",
	    why->message, "next", why->next);

	if (row != NULL)
		(void)json_array_append_new(failures, row); /* no memory: one row less */
}

/*
 * Names that are the same have the same text here: the normal form, with small digits in those of
 * eui. and naa., too.
 */
static void
get_key(const char *name, char ret[LIMIT_ISCSI_NAME_BYTES + 1])
{
	if (iname_normalise(name, ret) != INAME_OK)
		cut_copy(ret, LIMIT_ISCSI_NAME_BYTES + 1, name);
	for (; *ret != '\0'; ret++)
		if (*ret >= 'A' && *ret <= 'Z')
			*ret |= 0x20;
}

void
scan_told_answer(
    struct scan_told *t, const char *what, const struct discovery_result *r, json_t *failures)
{
	char name[LIMIT_ISCSI_NAME_BYTES + 1];
	struct fault why = { 0 };

	t->portals++;
	for (size_t i = 0; i < r->n; i++) {
		get_key(r->found[i].name, name);
		(void)json_object_set_new(t->offered, name, json_true()); /* no memory: one less */
	}
	for (size_t i = 0; i < r->n_bad && i < DISCOVERY_BAD_MAX; i++) {
		t->is_not_all |= r->bad[i].kind == SENDTARGETS_BAD_TEXT ||
				 r->bad[i].kind == SENDTARGETS_TOO_MANY;
		if (explain(&r->bad[i], &why))
			add(failures, what, &why);
	}
	if (r->n_bad <= DISCOVERY_BAD_MAX)
		return;
	t->is_not_all = true;
	fault_set(&why, FAULT_OFFLINE, "look at the target's configuration",
	    "the portal's answer has %zu more names, addresses or keys that cannot be used",
	    r->n_bad - DISCOVERY_BAD_MAX);
	add(failures, what, &why);
}

/* ---- what is not there any more ---- */

void
scan_told_lost(struct scan_told *t, const char *target, uint32_t instance, const json_t *failures)
{
	(void)json_array_append_new(
	    t->lost, json_pack("{s:s, s:i, s:I}", "name", target, "instance", (int)instance, "row",
			 (json_int_t)json_array_size(failures))); /* no memory: one less */
}

/* Discovery had found it, and nobody typed it in. */
static bool
was_found(struct driver *d, const char *name)
{
	struct registry_target *list = NULL;
	bool was = true;
	size_t n = 0;

	if (registry_target_list(d->reg, name, &list, &n) != 0)
		return false;
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < list[i].n_addresses; k++)
			was &= list[i].addresses[k].source != REGISTRY_STATIC;
	registry_targets_free(list, n);
	return was && n > 0;
}

static void
say_gone(const struct scan_told *t, const char *name, json_t *row)
{
	const char *error = json_string_value(json_object_get(row, "error"));
	struct fault why = { 0 };

	fault_set(&why, FAULT_OFFLINE, "", "%s this target any more: %s",
	    t->portals == 1 ? "the portal does not offer" : "no portal offers",
	    error != NULL ? error : "");
	(void)json_object_set_new(
	    row, "error", json_string(why.message)); /* no memory: as it was, as below */
	(void)json_object_set_new(row, "next",
	    json_sprintf("if it is not to come back, remove it: iscsiutil -d -T %s", name));
}

void
scan_told_end(struct scan_told *t, struct driver *d, json_t *failures)
{
	char key[LIMIT_ISCSI_NAME_BYTES + 1];
	json_t *lost, *row;
	size_t i;

	json_array_foreach(t->lost, i, lost)
	{
		const char *name = json_string_value(json_object_get(lost, "name"));

		row = json_array_get(
		    failures, (size_t)json_integer_value(json_object_get(lost, "row")));
		if (t->portals == 0 || t->is_not_all || name == NULL || row == NULL)
			continue;
		get_key(name, key);
		if (json_object_get(t->offered, key) != NULL || !was_found(d, name))
			continue;
		say_gone(t, name, row);
		luns_gone(d, (uint32_t)json_integer_value(json_object_get(lost, "instance")));
	}
}
