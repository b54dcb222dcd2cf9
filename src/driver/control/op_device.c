/*
 * device.install and device.remove pick nodes of the tree, start a job for
 * each, and answer when all are done or the time is up.
 */
#include <malloc.h>
#include <stdio.h>
#include <string.h>

#include "driver/control/control.h"
#include "driver/control/later.h"
#include "driver/control/ops.h"
#include "driver/iscsial/devfile.h"
#include "driver/iscsial/usage.h"
#include "ipc/pieces.h"

/* Less than the client's patience in messages.def. */
#define DEVICE_PATIENCE_US 50000000

struct batch {
	struct later later; /* first: freed as one */
	struct ipc_pieces pieces;
	bool is_install;
	struct hwpath last; /* told last; n is 0 before the first */
	json_t *done;       /* whether it was made or removed, by hardware path */
	json_t
	    *doomed; /* by hardware path: what is to be removed, while its users are looked for */
	json_t *notes;
	struct fault fault; /* of the first that failed */
	unsigned left;      /* jobs that are due, and the answer; the last one frees this */
	unsigned absent;    /* known, but not there now */
	bool is_answered;
	struct agenda_timer patience;
};

static void one_less(struct batch *b);
static json_t *show_installed(struct driver *d, const struct node *n, bool is_made);

/* They were done in any order; they are told in the tree's. */
static json_t *
next_device(struct ipc_pieces *p)
{
	struct batch *b = LIST_ENTRY(p, struct batch, pieces);
	const struct tree *t = b->later.d->tree;
	size_t i = b->last.n == 0 ? 0 : tree_lower(t, &b->last);

	for (; i < t->n; i++) {
		const struct node *n = t->nodes[i];
		const json_t *done = json_object_get(b->done, n->hw_path);

		if (done == NULL || (b->last.n != 0 && hwpath_cmp(&n->path, &b->last) == 0))
			continue;
		b->last = n->path;
		return b->is_install ? show_installed(b->later.d, n, json_is_true(done))
				     : json_pack("{s:s, s:s, s:b}", "name", n->name, "hw_path",
					   n->hw_path, "removed", 1);
	}
	return NULL;
}

static void
devices_told(struct ipc_pieces *p)
{
	one_less(LIST_ENTRY(p, struct batch, pieces));
}

static const struct ipc_pieces_ops device_pieces = { next_device, devices_told };

static void
answer(struct batch *b)
{
	struct ipc_call *call = b->later.call;

	if (b->is_answered)
		return;
	b->is_answered = true;
	agenda_clear(loop_agenda(b->later.d->loop), &b->patience);
	if (b->fault.is_set) {
		control_fail(call, &b->fault, NULL);
		return;
	}
	b->left++;
	b->pieces = (struct ipc_pieces){ .ops = &device_pieces, .member = "devices" };
	if (b->is_install)
		b->pieces.rest = json_pack("{s:O}", "notes", b->notes);
	ipc_call_reply_pieces(call, &b->pieces);
}

static void
one_less(struct batch *b)
{
	if (--b->left > 0)
		return;
	if (!b->is_answered) {
		b->left = 1;
		answer(b);
		one_less(b);
		return;
	}
	json_decref(b->done);
	json_decref(b->doomed);
	json_decref(b->notes);
	later_free(&b->later);
	/* Else what thousands of devices took in between stays with the heap. */
	(void)malloc_trim(0);
}

static void
impatient(struct agenda_timer *t)
{
	struct batch *b = LIST_ENTRY(t, struct batch, patience);

	fault_set(&b->fault, FAULT_TIMEOUT, "look at the target and at the system's log",
	    "%u devices were not done in time", b->left);
	answer(b);
}

static struct batch *
batch_new(struct driver *d, struct ipc_call *call)
{
	struct batch *b = call_alloc(sizeof *b);

	b->later.d = d;
	b->later.call = call;
	b->is_install = ipc_call_op(call) == IPC_OP_device_install;
	b->done = json_object();
	b->doomed = json_object();
	b->notes = json_array();
	b->left = 1;
	b->patience.expired = impatient;
	agenda_set(
	    loop_agenda(d->loop), &b->patience, loop_now_update(d->loop) + DEVICE_PATIENCE_US);
	return b;
}

static void
add_note(struct batch *b, const char *note)
{
	size_t i;
	json_t *v;

	json_array_foreach(b->notes, i, v) if (strcmp(json_string_value(v), note) == 0) return;
	(void)json_array_append_new(b->notes, json_string(note)); /* no memory: one less */
}

/* False: the call was answered. */
static bool
parse_path(struct ipc_call *call, struct hwpath *ret_top)
{
	const char *text = ipc_call_arg_string(call, "hw_path", "255");
	struct fault f;

	if (hwpath_parse(text, ret_top))
		return true;
	fault_set(&f, FAULT_INVALID, "give a path such as 255/0/1.0.0.2, or its beginning",
	    "\"%s\" is not a hardware path of iSCSI", text);
	control_fail(call, &f, NULL);
	return false;
}

/*
 * Where nothing was picked: a hardware path or an instance that was named and is not there is an
 * error, a kind of which there are none is not.
 */
static void
nothing_picked(struct batch *b, const struct hwpath *top)
{
	struct ipc_call *call = b->later.call;
	const struct tree *t = b->later.d->tree;
	size_t at = tree_lower(t, top);

	if (top->n > HWPATH_AT_ROOT && (at == t->n || !hwpath_is_below(&t->nodes[at]->path, top)))
		fault_set(&b->fault, FAULT_NOTFOUND, "look at what there is: ioscan -k",
		    "nothing is at the hardware path %s", ipc_call_arg_string(call, "hw_path", ""));
	else if (ipc_call_arg_given(call, "instance"))
		fault_set(&b->fault, FAULT_NOTFOUND, "look at what there is: ioscan -kf",
		    "there is no %s of instance %lld", ipc_call_arg_string(call, "class", "device"),
		    (long long)ipc_call_arg_int(call, "instance", 0));
}

/* ---- device.install ---- */

static json_t *
show_installed(struct driver *d, const struct node *n, bool is_made)
{
	bool is_sized = n->info != NULL && n->info->is_sized;
	json_t *o = json_pack("{s:s, s:i, s:s, s:s, s:s, s:o, s:b}", "class", n->class_name,
	    "instance", (int)n->instance, "hw_path", n->hw_path, "driver", n->driver, "name",
	    n->name, "size_bytes",
	    is_sized ? json_integer((json_int_t)n->info->capacity.bytes) : json_null(), "made",
	    is_made);

	control_set(o, "block", json_null());
	control_show_files(d, n, o);
	return o;
}

static void
installed(void *user, const struct devfile_result *r)
{
	struct batch *b = user;

	if (r->fault.is_set) {
		if (!b->fault.is_set)
			b->fault = r->fault;
	} else if (r->node != NULL) {
		control_set(b->done, r->node->hw_path, json_boolean(r->is_made));
		if (r->note[0] != '\0')
			add_note(b, r->note);
	}
	one_less(b);
}

/* A LUN that is asked for. */
static bool
is_chosen(struct ipc_call *call, const struct node *n, const struct hwpath *top)
{
	const char *class = ipc_call_arg_string(call, "class", n->class_name);
	const char *driver = ipc_call_arg_string(call, "driver", n->driver);
	int64_t instance = ipc_call_arg_int(call, "instance", n->instance);

	return n->kind == TREE_LUN && hwpath_is_below(&n->path, top) &&
	       strcmp(class, n->class_name) == 0 && strcmp(driver, n->driver) == 0 &&
	       instance == n->instance;
}

/* It gets no device: that is said, unless it is one of all those that were there once. */
static void
add_left_out(struct batch *b, const struct node *n, const struct hwpath *top)
{
	char why[TREE_WHY_BYTES], note[HWPATH_TEXT_BYTES + TREE_WHY_BYTES + 32];

	if (n->state == TREE_NO_HW && top->n < HWPATH_AT_LUN) {
		b->absent++;
		return;
	}
	tree_why_no_device(n, why);
	(void)snprintf(
	    note, sizeof note, "%s is left out: %s", n->hw_path, why); /* the room is for this */
	add_note(b, note);
}

void
op_device_install(struct driver *d, struct ipc_call *call)
{
	bool anew = ipc_call_arg_bool(call, "existing", false);
	struct hwpath top;
	struct batch *b;

	if (!parse_path(call, &top))
		return;
	b = batch_new(d, call);
	for (size_t i = 0; i < d->tree->n; i++) {
		struct node *n = d->tree->nodes[i];

		if (!is_chosen(call, n, &top))
			continue;
		if (!n->is_shown || n->is_replaced) {
			add_left_out(b, n, &top);
			continue;
		}
		b->left++;
		devfile_install(d, n, anew, installed, b);
	}
	if (b->left == 1 && json_array_size(b->notes) == 0) {
		nothing_picked(b, &top);
		if (b->absent > 0)
			add_note(
			    b, "no device that is known is there now; 'ioscan' looks for them");
	}
	one_less(b);
}

/* ---- device.remove ---- */

static void
removed(void *user, const struct devfile_result *r)
{
	struct batch *b = user;

	if (r->fault.is_set) {
		if (!b->fault.is_set)
			b->fault = r->fault;
	} else if (r->node != NULL) {
		control_set(b->done, r->node->hw_path, json_true());
	}
	one_less(b);
}

static bool
is_doomed(struct ipc_call *call, const struct node *n, const struct hwpath *top)
{
	const char *name = ipc_call_arg_string(call, "name", n->name);

	return n->kind == TREE_LUN && n->is_installed && hwpath_is_below(&n->path, top) &&
	       strcmp(name, n->name) == 0;
}

/*
 * Until its users are known it counts as being removed: nobody is told meanwhile that its device
 * files are made, who would not have them a moment later.
 */
static void
doom(struct batch *b, const struct hwpath *top)
{
	const struct tree *t = b->later.d->tree;

	for (size_t i = 0; i < t->n; i++)
		if (is_doomed(b->later.call, t->nodes[i], top)) {
			t->nodes[i]->doomed++;
			control_set(b->doomed, t->nodes[i]->hw_path, json_true());
		}
}

static void
undoom(struct batch *b)
{
	const struct tree *t = b->later.d->tree;

	for (size_t i = 0; i < t->n; i++)
		if (t->nodes[i]->doomed > 0 &&
		    json_object_get(b->doomed, t->nodes[i]->hw_path) != NULL)
			t->nodes[i]->doomed--;
}

static void
remove_counted(void *user)
{
	struct batch *b = user;
	struct ipc_call *call = b->later.call;
	struct driver *d = b->later.d;
	bool is_forced = ipc_call_arg_bool(call, "force", false);
	json_t *in_use = json_array();
	struct hwpath top = { HWPATH_AT_ROOT, { HWPATH_ROOT } };

	undoom(b);
	(void)hwpath_parse(
	    ipc_call_arg_string(call, "hw_path", "255"), &top); /* it was checked before */
	for (size_t i = 0; i < d->tree->n && !is_forced; i++)
		if (is_doomed(call, d->tree->nodes[i], &top)) {
			json_t *one = usage_list(d, &d->tree->nodes[i]->path);

			if (one != NULL)
				(void)json_array_extend(in_use, one); /* no memory: one less */
			json_decref(one);
		}
	if (json_array_size(in_use) > 0) {
		control_busy(call, in_use, "removal");
		b->is_answered = true;
		agenda_clear(loop_agenda(d->loop), &b->patience);
		one_less(b);
		return;
	}
	json_decref(in_use);
	for (size_t i = 0; i < d->tree->n; i++)
		if (is_doomed(call, d->tree->nodes[i], &top)) {
			b->left++;
			devfile_remove(d, d->tree->nodes[i], is_forced, removed, b);
		}
	if (b->left == 1 && !ipc_call_arg_bool(call, "all", false))
		fault_set(&b->fault, FAULT_NOTFOUND, "look at what is installed: ioscan -f -n",
		    "no such device is installed");
	one_less(b);
}

void
op_device_remove(struct driver *d, struct ipc_call *call)
{
	struct hwpath top;
	struct batch *b;
	struct fault f;

	if (!ipc_call_arg_given(call, "hw_path") && !ipc_call_arg_given(call, "name") &&
	    !ipc_call_arg_bool(call, "all", false)) {
		fault_set(&f, FAULT_INVALID, "give a name, a hardware path, or ask for all",
		    "it was not said which devices to remove");
		control_fail(call, &f, NULL);
		return;
	}
	if (!parse_path(call, &top))
		return;
	b = batch_new(d, call);
	doom(b, &top);
	usage_collect(d, remove_counted, b);
}
