#include "driver/iscsial/tree.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cut.h"
#include "driver/call.h"

static const struct {
	const char *class_name, *driver, *hw_type, *description;
} kinds[] = {
#define TREE_KIND(id, class_name, driver, hw_type, text) \
	[TREE_##id] = { (class_name), (driver), (hw_type), (text) },
#include "driver/iscsial/tree.def"
};

static const char *const states[] = {
#define TREE_STATE(id, name) [TREE_##id] = (name),
#include "driver/iscsial/tree.def"
};

static enum tree_kind
kind_of(const struct hwpath *path)
{
	switch (path->n) {
	case HWPATH_AT_HBA:
		return TREE_HBA;
	case HWPATH_AT_BUS:
		return TREE_BUS;
	case HWPATH_AT_TARGET:
		return TREE_TARGET;
	default:
		assert(path->n == HWPATH_AT_LUN);
		return TREE_LUN;
	}
}

size_t
tree_lower(const struct tree *t, const struct hwpath *path)
{
	size_t low = 0, high = t->n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (hwpath_cmp(&t->nodes[mid]->path, path) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

struct node *
tree_find(const struct tree *t, const struct hwpath *path)
{
	size_t i = tree_lower(t, path);

	if (i == t->n || hwpath_cmp(&t->nodes[i]->path, path) != 0)
		return NULL;
	return t->nodes[i];
}

static struct node *
node_new(const struct hwpath *path)
{
	struct node *n = call_alloc(sizeof *n);

	n->path = *path;
	hwpath_print(n->hw_path, path);
	n->kind = kind_of(path);
	n->class_name = kinds[n->kind].class_name;
	n->driver = kinds[n->kind].driver;
	n->hw_type = kinds[n->kind].hw_type;
	n->state = TREE_NO_HW;
	n->loop = TREE_NO_LOOP;
	list_init(&n->loop_link);
	list_init(&n->name_link);
	cut_copy(n->description, sizeof n->description, kinds[n->kind].description);
	if (n->kind == TREE_LUN)
		n->lun = path->part[3] * LIMIT_LUNS_PER_BUS +
			 path->part[4] * LIMIT_LUNS_PER_TARGET + path->part[5];
	return n;
}

static void
node_free(struct node *n)
{
	if (n->info != NULL)
		lu_kept_fini(n->info);
	free(n->info);
	free(n->note);
	free(n);
}

struct node *
tree_add(struct tree *t, const struct hwpath *path)
{
	size_t i = tree_lower(t, path);
	struct node **grown;

	if (i < t->n && hwpath_cmp(&t->nodes[i]->path, path) == 0)
		return t->nodes[i];
	if (t->n == t->room) {
		t->room = t->room > 0 ? 2 * t->room : 64;
		grown = call_alloc(t->room * sizeof *grown);
		if (t->n > 0)
			memcpy(grown, t->nodes, t->n * sizeof *grown);
		free(t->nodes);
		t->nodes = grown;
	}
	memmove(t->nodes + i + 1, t->nodes + i, (t->n - i) * sizeof *t->nodes);
	t->n++;
	return t->nodes[i] = node_new(path);
}

struct tree *
tree_new(void)
{
	struct tree *t = call_alloc(sizeof *t);
	struct hwpath hba = hwpath_hba();

	list_init(&t->watches);
	for (size_t i = 0; i < TREE_LOOP_LISTS; i++)
		list_init(&t->loops[i]);
	for (size_t i = 0; i < TREE_NAME_LISTS; i++)
		list_init(&t->names[i]);
	tree_add(t, &hba)->state = TREE_CLAIMED;
	return t;
}

void
tree_free(struct tree *t)
{
	if (t == NULL)
		return;
	for (size_t i = 0; i < t->n; i++)
		node_free(t->nodes[i]);
	free(t->nodes);
	free(t);
}

void
tree_remove(struct tree *t, size_t from, size_t to)
{
	for (size_t i = from; i < to; i++) {
		list_remove(&t->nodes[i]->loop_link);
		list_remove(&t->nodes[i]->name_link);
		node_free(t->nodes[i]);
	}
	memmove(t->nodes + from, t->nodes + to, (t->n - to) * sizeof *t->nodes);
	t->n -= to - from;
}

void
tree_changed(struct tree *t)
{
	LIST_EACH(node, tmp, &t->watches)
	{
		struct tree_watch *w = LIST_ENTRY(node, struct tree_watch, link);

		w->changed(w);
	}
}

/* ---- names ---- */

static size_t
name_list(const char *name)
{
	size_t h = 0;

	for (; *name != '\0'; name++)
		h = 31 * h + (unsigned char)*name;
	return h % TREE_NAME_LISTS;
}

void
tree_name_lun(struct tree *t, struct node *n, uint32_t bus_instance)
{
	(void)snprintf(n->name, sizeof n->name, "c%ut%ud%u", bus_instance, n->path.part[4],
	    n->path.part[5]); /* three numbers fit */
	list_remove(&n->name_link);
	list_push_back(&t->names[name_list(n->name)], &n->name_link);
}

struct node *
tree_find_name(const struct tree *t, const char *name)
{
	LIST_EACH(at, tmp, &t->names[name_list(name)])
	{
		struct node *n = LIST_ENTRY(at, struct node, name_link);

		if (strcmp(n->name, name) == 0)
			return n;
	}
	return NULL;
}

/* ---- block devices ---- */

static struct list *
loops_at(struct tree *t, int number)
{
	return &t->loops[(unsigned)number % TREE_LOOP_LISTS];
}

void
tree_set_loop(struct tree *t, struct node *n, int number)
{
	n->loop = number;
	list_remove(&n->loop_link);
	if (number != TREE_NO_LOOP)
		list_push_back(loops_at(t, number), &n->loop_link);
}

struct node *
tree_other_of_loop(struct tree *t, const struct node *n, int number)
{
	LIST_EACH(at, tmp, loops_at(t, number))
	{
		struct node *other = LIST_ENTRY(at, struct node, loop_link);

		if (other != n && other->loop == number)
			return other;
	}
	return NULL;
}

void
tree_describe_lun(struct node *n, const struct lu_info *info)
{
	if (n->info == NULL)
		n->info = call_alloc(sizeof *n->info);
	if (!lu_keep(n->info, info))
		call_no_memory();
	identity_sketch(&info->id, &n->sketch);
	n->class_name = inquiry_class(info->inquiry.type);
	n->driver = inquiry_driver(info->inquiry.type);
	inquiry_describe(&info->inquiry, n->description);
}

void
tree_note(struct node *n, const char *fmt, ...)
{
	char text[TREE_NOTE_BYTES];
	va_list ap;

	free(n->note);
	n->note = NULL;
	if (fmt == NULL)
		return;
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof text, fmt, ap); /* a long one is cut */
	va_end(ap);
	n->note = call_strdup(text);
}

void
tree_why_no_device(const struct node *n, char ret_text[TREE_WHY_BYTES])
{
	const struct lu_kept *i = n->info;

	ret_text[0] = '\0';
	if (n->is_shown && !n->is_replaced)
		return;
	if (n->note != NULL)
		cut_copy(ret_text, TREE_WHY_BYTES, n->note);
	else if (n->state == TREE_NO_HW)
		cut_copy(ret_text, TREE_WHY_BYTES, "it is not there now");
	else if (n->is_replaced)
		cut_copy(ret_text, TREE_WHY_BYTES,
		    "it is not the unit that it was; remove the old device (rmsf) and scan again");
	else if (i != NULL && i->fault != NULL)
		(void)snprintf(ret_text, TREE_WHY_BYTES, "%s; %s", i->fault->message,
		    i->fault->next); /* a long one is cut */
	else if (i != NULL && !i->is_disk)
		(void)snprintf(ret_text, TREE_WHY_BYTES,
		    "only disks get device files, and this is a %s",
		    inquiry_type_name(i->inquiry.type)); /* the room is for this */
	else
		cut_copy(ret_text, TREE_WHY_BYTES, "it cannot be used now; scan again");
}

static_assert(sizeof((struct node){ 0 }.description) >= INQUIRY_DESCRIPTION_BYTES, "it fits");

bool
tree_is_read_only(const struct node *n)
{
	return n->is_read_only ||
	       (n->info != NULL && n->info->has_mode && n->info->mode.is_write_protected);
}

enum registry_class
tree_registry_class(uint8_t inquiry_type)
{
	enum registry_class c;

	return registry_class_find(inquiry_class(inquiry_type), &c) ? c : REGISTRY_CLASS_unknown;
}

const char *
tree_state_name(enum tree_state s)
{
	return states[s];
}
