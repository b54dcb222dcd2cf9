#include "driver/iscsial/unit_rule.h"

#include <stdlib.h>
#include <string.h>

#include "base/cut.h"
#include "driver/call.h"
#include "driver/iscsi/mail.h"
#include "driver/iscsi/wanted_find.h"
#include "driver/iscsial/luns_impl.h"

/* The value there, for free(); NULL: none. */
static char *
value_at(const struct driver *d, const char *name, const struct registry_address *a,
    enum registry_key key)
{
	const struct registry_scope scope = { REGISTRY_UNIT, name, a };
	char *value;

	return registry_get(d->reg, &scope, key, &value) == 0 ? value : NULL;
}

/* By whichever of its names it is there. */
static char *
value_of(const struct driver *d, const struct identity *id, const struct registry_address *a,
    enum registry_key key)
{
	char *value = NULL;

	for (const char *n = identity_first(id); n != NULL && value == NULL;
	     n = identity_next(id, n))
		if (strlen(n) <= LIMIT_ISCSI_NAME_BYTES)
			value = value_at(d, n, a, key);
	return value;
}

void
unit_rule_read(const struct driver *d, const struct identity *id, struct lu_rule *ret)
{
	char *policy = value_of(d, id, NULL, REGISTRY_KEY_choice_path_policy);
	char *failback = value_of(d, id, NULL, REGISTRY_KEY_timer_failback);
	unsigned way;
	uint32_t ms;

	*ret = (struct lu_rule){ 0 };
	ret->has_policy = policy != NULL && choices_parse(CHOICE_path_policy, policy, &way);
	if (ret->has_policy)
		ret->policy = session_policy(way);
	ret->has_failback = failback != NULL && timers_parse(TIMER_failback, failback, &ms);
	if (ret->has_failback)
		ret->failback_us = session_failback_us(ms);
	free(policy);
	free(failback);
}

int
unit_rule_prefers(const struct driver *d, const struct identity *id, uint32_t instance)
{
	const struct wanted *w = wanted_find(d, instance);
	struct registry_address a;
	int is_yes = -1;
	char *value;

	if (w == NULL)
		return -1;
	a = w->a;
	a.tpgt = 0; /* scope.c */
	value = value_of(d, id, &a, REGISTRY_KEY_choice_path_preferred);
	if (value != NULL)
		is_yes = strcmp(value,
			     choices_word(CHOICE_path_preferred, CHOICE_path_preferred_yes)) == 0;
	free(value);
	return is_yes;
}

/* ---- a disk that is shown ---- */

static bool
has_name(const struct identity *id, const char *name)
{
	for (const char *n = identity_first(id); n != NULL; n = identity_next(id, n))
		if (strcmp(n, name) == 0)
			return true;
	return false;
}

static void
add_path(
    const struct driver *d, const struct identity *id, const struct node *n, struct mail_rule *m)
{
	uint32_t instance = n->path.part[HWPATH_AT_SESSION - 1];

	if (m->n < sizeof m->paths / sizeof m->paths[0])
		m->paths[m->n++] =
		    (struct mail_rule_path){ instance, unit_rule_prefers(d, id, instance) };
}

static void
push(struct driver *d, const struct node *o, const struct identity *id)
{
	struct wanted *w = wanted_find(d, o->path.part[HWPATH_AT_SESSION - 1]);
	struct mail_rule *m = call_alloc(sizeof *m);

	cut_copy(m->name, sizeof m->name, o->name);
	unit_rule_read(d, id, &m->rule);
	add_path(d, id, o, m);
	for (size_t i = 0; i < d->tree->n; i++)
		if (strcmp(d->tree->nodes[i]->twin, o->name) == 0)
			add_path(d, id, d->tree->nodes[i], m);
	if (w == NULL || !wanted_tell(w, &m->mail, &mail_rule))
		free(m);
}

void
unit_rule_push(struct driver *d, const char *name)
{
	struct identity id;

	for (size_t i = 0; i < d->tree->n; i++) {
		const struct node *n = d->tree->nodes[i];

		if (n->kind == TREE_LUN && n->is_shown && luns_identity(d, n, &id) &&
		    has_name(&id, name))
			push(d, n, &id);
	}
}

/* A designator as vpd.h writes it. */
static bool
is_written_out(const char *text)
{
	static const char *const kinds[] = { "naa.", "eui.", "name.", "t10." };

	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
		if (strncmp(text, kinds[i], strlen(kinds[i])) == 0)
			return true;
	return false;
}

bool
unit_rule_name(
    const struct driver *d, const char *text, char *ret, size_t n, struct fault *ret_fault)
{
	const struct node *o = tree_find_name(d->tree, text);
	const char *name = text;
	struct identity id;

	if (o != NULL && o->twin[0] != '\0')
		o = tree_find_name(d->tree, o->twin);
	if (o != NULL) {
		name = luns_identity(d, o, &id) ? identity_first(&id) : NULL;
	} else if (!is_written_out(text)) {
		fault_set(ret_fault, FAULT_NOTFOUND, "list them: iscsiutil -m",
		    "there is no disk \"%.40s\"; write its name, or one that it has in the world "
		    "(naa.…, eui.…)",
		    text);
		return false;
	}
	if (name == NULL || strlen(name) >= n) {
		fault_set(ret_fault, FAULT_INVALID, "set it for its target: -T",
		    "%.40s has no name of its own, under which it could be kept", text);
		return false;
	}
	cut_copy(ret, n, name);
	return true;
}
