#include <limits.h>

#include "driver/control/control.h"
#include "driver/control/later.h"
#include "driver/control/ops.h"
#include "driver/iscsi/wanted.h"
#include "driver/iscsial/devfile.h"
#include "driver/iscsial/scan.h"
#include "driver/iscsial/tree.h"
#include "driver/iscsial/usage.h"
#include "export/export.h"
#include "ipc/pieces.h"

void
op_scan(struct driver *d, struct ipc_call *call)
{
	struct hwpath top;
	struct fault f;

	if (d->is_stopping) {
		ipc_call_error(call, IPC_ERR_NOTRUNNING, "the driver is being stopped",
		    "start it again: iscsi start", NULL);
	} else if (hwpath_parse(ipc_call_arg_string(call, "hw_path", "255"), &top)) {
		scan_start(d, call, &top, ipc_call_arg_string(call, "target", ""),
		    ipc_call_arg_bool(call, "keep", false));
	} else {
		fault_set(&f, FAULT_INVALID, "give a path such as 255/0/1.0.0.2, or its beginning",
		    "\"%s\" is not a hardware path of iSCSI",
		    ipc_call_arg_string(call, "hw_path", ""));
		control_fail(call, &f, NULL);
	}
}

static json_t *
show_users(const struct node *n)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < n->n_users; i++)
		(void)json_array_append_new(
		    list, json_integer(n->users[i])); /* no memory: one less */
	return list;
}

static void
show_files(const struct driver *d, const struct node *n, json_t *to)
{
	char path[PATH_MAX];

	devfile_file(d, n, path);
	control_set(to, "file", json_string(path));
	control_set(to, "in_use", json_boolean(n->is_in_use));
	if (n->is_in_use && n->n_users > 0)
		control_set(to, "users", show_users(n));
	if (n->is_installed)
		control_show_files(d, n, to);
	else if (n->export != NULL)
		control_set(to, "exporter", json_string(n->export->name));
}

static void
show_lun(const struct driver *d, const struct node *n, json_t *to)
{
	const struct wanted *w = wanted_find(d, n->path.part[2]);
	const struct lu_kept *i = n->info;
	struct identity id;

	control_set(to, "lun", json_integer(n->lun));
	control_set(to, "session_instance", json_integer(n->path.part[2]));
	if (w != NULL)
		control_set(to, "target_name", json_string(w->target));
	if (n->twin[0] != '\0')
		control_set(to, "alternate_of", json_string(n->twin));
	if (n->note != NULL)
		control_set(to, "note", json_string(n->note));
	if (i == NULL)
		return;
	identity_unpack(i->id, &id);
	control_set(
	    to, "designator", json_string(identity_first(&id) != NULL ? identity_first(&id) : ""));
	control_set(to, "serial", json_string(id.serial));
	if (i->is_sized) {
		control_set(to, "size_bytes", json_integer((json_int_t)i->capacity.bytes));
		control_set(to, "block_bytes", json_integer(i->capacity.block_bytes));
		control_set(to, "read_only", json_boolean(tree_is_read_only(n)));
	}
	if (n->is_shown)
		show_files(d, n, to);
}

static json_t *
show_node(const struct driver *d, const struct node *n)
{
	json_t *o = json_pack("{s:s, s:i, s:s, s:s, s:s, s:s, s:s}", "class", n->class_name,
	    "instance", (int)n->instance, "hw_path", n->hw_path, "driver", n->driver, "sw_state",
	    tree_state_name(n->state), "hw_type", n->hw_type, "description", n->description);

	if (o != NULL && n->kind == TREE_LUN)
		show_lun(d, n, o);
	return o;
}

struct tree_listing {
	struct later later; /* first: freed as one */
	struct ipc_pieces pieces;
	struct hwpath last; /* shown last; n is 0 before the first */
};

static json_t *
next_node(struct ipc_pieces *p)
{
	struct tree_listing *l = LIST_ENTRY(p, struct tree_listing, pieces);
	const struct tree *t = l->later.d->tree;
	size_t i = l->last.n == 0 ? 0 : tree_lower(t, &l->last);

	if (l->last.n != 0 && i < t->n && hwpath_cmp(&t->nodes[i]->path, &l->last) == 0)
		i++;
	if (i == t->n)
		return NULL;
	l->last = t->nodes[i]->path;
	return show_node(l->later.d, t->nodes[i]);
}

static void
tree_shown(struct ipc_pieces *p)
{
	later_free(&LIST_ENTRY(p, struct tree_listing, pieces)->later);
}

static const struct ipc_pieces_ops tree_pieces = { next_node, tree_shown };

static void
tree_counted(void *user)
{
	struct tree_listing *l = user;

	ipc_call_reply_pieces(l->later.call, &l->pieces);
}

void
op_io_tree(struct driver *d, struct ipc_call *call)
{
	struct tree_listing *l = call_alloc(sizeof *l);

	l->later = (struct later){ d, call };
	l->pieces = (struct ipc_pieces){ .ops = &tree_pieces, .member = "nodes" };
	if (ipc_call_arg_bool(call, "fresh", false) && ipc_call_may_inspect(call))
		usage_collect(d, tree_counted, l);
	else
		usage_glance(d, tree_counted, l);
}
