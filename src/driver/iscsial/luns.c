/* Which nodes a session has in the I/O tree: from the registry, and by number. */
#include <stdlib.h>

#include "driver/iscsi/settings.h"
#include "driver/iscsial/luns_impl.h"
#include "sys/log.h"

static bool
load_node(struct driver *d, const struct registry_io *io)
{
	struct hwpath path;
	struct node *n;

	if (!hwpath_parse(io->hw_path, &path) || path.n < HWPATH_AT_BUS)
		return false;
	n = tree_add(d->tree, &path);
	n->instance = io->instance;
	if (n->kind == TREE_LUN)
		n->class_name = registry_class_name(io->class);
	return true;
}

/* Names need their bus's instance, so they come after all nodes. */
static void
name_lun(struct driver *d, struct node *n)
{
	struct hwpath bus = hwpath_bus(n->path.part[2], n->path.part[3]);
	const struct node *b = tree_find(d->tree, &bus);

	if (b != NULL)
		tree_name_lun(d->tree, n, b->instance);
}

bool
luns_load(struct driver *d, struct fault *ret_fault)
{
	struct registry_device *devices = NULL;
	struct registry_io *io = NULL;
	struct identity known;
	size_t n;

	if (registry_io_list(d->reg, &io, &n) != 0) {
		settings_fault(d->reg, ret_fault);
		return false;
	}
	for (size_t i = 0; i < n; i++)
		if (!load_node(d, &io[i]))
			log_warn("the registry's node %s is passed over: no hardware path",
			    io[i].hw_path);
	free(io);
	for (size_t i = 0; i < d->tree->n; i++) {
		struct node *node = d->tree->nodes[i];

		if (node->kind != TREE_LUN)
			continue;
		name_lun(d, node);
		if (registry_identity_get(d->reg, node->hw_path, &known) == 0)
			identity_sketch(&known, &node->sketch);
	}
	if (registry_device_list(d->reg, &devices, &n) != 0) {
		settings_fault(d->reg, ret_fault);
		return false;
	}
	for (size_t i = 0; i < n; i++) {
		struct node *node = tree_find_name(d->tree, devices[i].name);

		if (node != NULL)
			node->is_installed = true;
	}
	free(devices);
	return true;
}

struct node *
luns_find(const struct driver *d, uint32_t instance, uint32_t lun)
{
	struct luns_path at;
	struct hwpath path;

	if (!luns_path(lun, &at))
		return NULL;
	path = hwpath_lun(instance, at.bus, at.target, at.lun);
	return tree_find(d->tree, &path);
}

size_t
luns_range(const struct driver *d, uint32_t instance, size_t *ret_from)
{
	struct hwpath from = { HWPATH_AT_SESSION, { HWPATH_ROOT, 0, instance } };
	struct hwpath to = { HWPATH_AT_SESSION, { HWPATH_ROOT, 0, instance + 1 } };

	*ret_from = tree_lower(d->tree, &from);
	return tree_lower(d->tree, &to);
}

bool
luns_is_known(const struct driver *d, uint32_t instance)
{
	size_t from, to = luns_range(d, instance, &from);

	return from < to;
}

size_t
luns_count(const struct driver *d, size_t *ret_in_use)
{
	size_t n = 0, used = 0;

	for (size_t i = 0; i < d->tree->n; i++) {
		const struct node *node = d->tree->nodes[i];

		if (node->kind != TREE_LUN)
			continue;
		n += node->is_shown;
		used += node->is_in_use;
	}
	*ret_in_use = used;
	return n;
}

void
luns_settle(struct driver *d, uint32_t instance)
{
	size_t from, to = luns_range(d, instance, &from);
	struct node *bus = NULL, *target = NULL;

	for (size_t i = from; i < to; i++) {
		struct node *n = d->tree->nodes[i];

		if (n->kind == TREE_BUS)
			bus = n;
		else if (n->kind == TREE_TARGET)
			target = n;
		if (n->kind != TREE_LUN) {
			n->state = TREE_NO_HW;
		} else if (n->state != TREE_NO_HW) {
			if (bus != NULL)
				bus->state = TREE_CLAIMED;
			if (target != NULL)
				target->state = TREE_CLAIMED;
		}
	}
	tree_changed(d->tree);
}
