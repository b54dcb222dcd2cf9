#include <limits.h>
#include <stdio.h>

#include "driver/control/control.h"
#include "driver/control/later.h"
#include "driver/control/ops.h"
#include "driver/iscsi/scan.h"
#include "driver/iscsi/session.h"
#include "driver/iscsial/devfile.h"
#include "driver/iscsial/usage.h"

void
op_scan(struct driver *d, struct ipc_call *call)
{
	if (d->is_stopping)
		ipc_call_error(call, IPC_ERR_NOTRUNNING, "the driver is being stopped",
		    "start it again: iscsi start", NULL);
	else
		scan_start(d, call);
}

static void
set_path(const struct driver *d, const struct node *n, json_t *to, const char *member,
    void (*make)(const struct driver *d, const struct node *n, char *ret_path))
{
	char path[PATH_MAX];

	make(d, n, path);
	control_set(to, member, json_string(path));
}

static void
show_files(const struct driver *d, const struct node *n, json_t *to)
{
	char block[32];

	set_path(d, n, to, "file", devfile_file);
	control_set(to, "in_use", json_boolean(n->is_in_use));
	if (!n->is_installed)
		return;
	set_path(d, n, to, "dsk", devfile_dsk);
	set_path(d, n, to, "rdsk", devfile_rdsk);
	if (n->loop != TREE_NO_LOOP) {
		(void)snprintf(block, sizeof block, "/dev/loop%d", n->loop);
		control_set(to, "block", json_string(block));
	}
}

static void
show_lun(const struct driver *d, const struct node *n, json_t *to)
{
	const struct session *s = session_find(d, n->path.part[2]);
	const struct lun_info *i = n->info;

	control_set(to, "lun", json_integer(n->lun));
	control_set(to, "session_instance", json_integer(n->path.part[2]));
	if (s != NULL)
		control_set(to, "target_name", json_string(s->target));
	if (i == NULL)
		return;
	control_set(to, "designator", json_string(i->id.designator));
	control_set(to, "serial", json_string(i->id.serial));
	if (i->is_sized) {
		control_set(to, "size_bytes", json_integer((json_int_t)i->capacity.bytes));
		control_set(to, "block_bytes", json_integer(i->capacity.block_bytes));
		control_set(
		    to, "read_only", json_boolean(i->has_mode && i->mode.is_write_protected));
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

static void
tree_counted(void *user)
{
	struct later *l = user;
	json_t *nodes = json_array();

	for (size_t i = 0; i < l->d->tree.n; i++)
		(void)json_array_append_new(
		    nodes, show_node(l->d, l->d->tree.nodes[i])); /* no memory: one less */
	ipc_call_reply(l->call, json_pack("{s:o}", "nodes", nodes));
	later_free(l);
}

void
op_io_tree(struct driver *d, struct ipc_call *call)
{
	usage_glance(d, tree_counted, later_new(d, call));
}
