/* What unit.scsi and unit.reserve are asked for. */
#include <stdio.h>
#include <string.h>

#include "base/hex.h"
#include "driver/control/op_scsi.h"
#include "driver/iscsial/luns.h"
#include "ipc/server.h"

/* What qemu's helper protocol allows. */
#define RESERVE_BYTES_MAX 8192
#define CDB_BYTES_MIN     6
/* Where nobody says how long it may take. */
#define DEFAULT_MS 30000

/* All bytes but what the CDB's own length says; *ret_f is set where it cannot be sent. */
static void
check_cdb(struct ipc_call *call, uint8_t cdb[CDB_BYTES], struct fault *ret_f)
{
	size_t n = 0, want;

	if (!hex_decode(ipc_call_arg_string(call, "cdb", ""), cdb, CDB_BYTES, &n) ||
	    n < CDB_BYTES_MIN) {
		fault_set(ret_f, FAULT_INVALID, "give two hexadecimal digits for each byte",
		    "a command has %d to %d bytes", CDB_BYTES_MIN, CDB_BYTES);
		return;
	}
	want = effect_cdb_len(cdb[0]);
	if (effect_is_long(cdb[0]))
		fault_set(ret_f, FAULT_INVALID, "use a form of it with 16 bytes",
		    "commands of variable length (operation code %02Xh) cannot be sent", cdb[0]);
	/* Zeros behind it do no harm: qemu sends 16 bytes of every command. */
	for (size_t i = want; want != 0 && i < n && !ret_f->is_set; i++)
		if (cdb[i] != 0)
			fault_set(ret_f, FAULT_INVALID, "see the command's format",
			    "%s has %zu bytes, not %zu", cdb_name(cdb), want, n);
	if (!ret_f->is_set && want > n)
		fault_set(ret_f, FAULT_INVALID, "see the command's format",
		    "%s has %zu bytes, not %zu", cdb_name(cdb), want, n);
}

static uint32_t
check_number(struct ipc_call *call, const char *name, int64_t dflt, int64_t max, struct fault *f)
{
	int64_t v = ipc_call_arg_int(call, name, dflt);

	if (v >= 0 && v <= max)
		return (uint32_t)v;
	fault_set(f, FAULT_INVALID, "give a number in this range", "%s %lld is not from 0 to %lld",
	    name, (long long)v, (long long)max);
	return 0;
}

static void
check_data(struct passing *p, uint32_t max, struct fault *f)
{
	struct ipc_call *call = p->later.call;
	const char *text = ipc_call_arg_string(call, "data", "");
	size_t n = strlen(text) / 2;

	p->in = check_number(call, "in", 0, max, f);
	p->out = check_number(call, "out", 0, LIMIT_PASS_BYTES, f);
	if (f->is_set)
		return;
	if (n > LIMIT_PASS_INLINE_BYTES || n > max)
		fault_set(f, FAULT_INVALID, "send less", "%zu bytes of data are too many", n);
	else if ((n > 0 && p->out > 0) || (p->in > 0 && (n > 0 || p->out > 0)))
		fault_set(f, FAULT_INVALID, "let it send or receive",
		    "a command has data in one direction");
	if (f->is_set)
		return;
	if (n > 0)
		p->out = (uint32_t)n;
	if (p->out > 0)
		p->data = call_alloc(p->out);
	if (text[0] != '\0' &&
	    (p->data == NULL || !hex_decode(text, p->data, p->out, &n) || n != p->out))
		fault_set(f, FAULT_INVALID, "give two hexadecimal digits for each byte",
		    "the data are not in hexadecimal digits");
	else if (text[0] != '\0')
		p->got = p->out;
}

static void
to_node(struct passing *p, const struct node *n)
{
	p->path = n->path;
	(void)snprintf(p->name, sizeof p->name, "%s", n->name); /* of the same size */
	passing_to_node(n, &p->to);
}

/* A LUN of a session, in the tree or not. */
static void
find_lun(struct passing *p, struct fault *f)
{
	struct driver *d = p->later.d;
	int64_t instance = ipc_call_arg_int(p->later.call, "instance", -1);
	int64_t lun = ipc_call_arg_int(p->later.call, "lun", -1);
	const struct node *n = NULL;

	if (instance < 0 || instance >= LIMIT_SESSIONS ||
	    wanted_find(d, (uint32_t)instance) == NULL)
		fault_set(f, FAULT_NOTFOUND, "list them: iscsiutil -p -S",
		    "there is no session %lld", (long long)instance);
	else if (lun < 0 || lun > UINT32_MAX ||
		 !passing_to_lun((uint32_t)instance, (uint32_t)lun, &p->to))
		fault_set(f, FAULT_INVALID, "give the number of a LUN", "there is no LUN %lld",
		    (long long)lun);
	else
		n = luns_find(d, (uint32_t)instance, (uint32_t)lun);
	if (n != NULL)
		to_node(p, n);
	else
		(void)snprintf(p->name, sizeof p->name, "LUN %lld", (long long)lun);
	p->to.is_here = true;
}

static void
find_unit(struct passing *p, struct fault *f)
{
	struct driver *d = p->later.d;
	struct ipc_call *call = p->later.call;
	const char *name = ipc_call_arg_string(call, "name", NULL);
	const char *path = ipc_call_arg_string(call, "hw_path", NULL);
	bool has_lun = ipc_call_arg_given(call, "instance") && ipc_call_arg_given(call, "lun");
	const struct node *n = NULL;
	struct hwpath at;

	if ((name != NULL) + (path != NULL) + has_lun != 1) {
		fault_set(f, FAULT_INVALID,
		    "give a name, a hardware path, or a session and a LUN of it",
		    "it was not said for which unit the command is");
		return;
	}
	if (has_lun) {
		find_lun(p, f);
		return;
	}
	if (path != NULL && (!hwpath_parse(path, &at) || at.n != HWPATH_AT_LUN))
		fault_set(f, FAULT_INVALID, "give the whole path of a unit, such as 255/0/1.0.0.2",
		    "\"%s\" is not the hardware path of a unit", path);
	else if ((n = path != NULL ? tree_find(d->tree, &at) : tree_find_name(d->tree, name)) ==
		 NULL)
		fault_set(f, FAULT_NOTFOUND, "look at what there is: ioscan -kfn",
		    "%s is not known", path != NULL ? path : name);
	else
		to_node(p, n);
}

/* The unit whose block device, or file, a process of ours found behind a descriptor. */
static void
find_open(struct passing *p, struct fault *f)
{
	const struct tree *t = p->later.d->tree;
	const char *block = ipc_call_arg_string(p->later.call, "block", NULL);
	const char *name = ipc_call_arg_string(p->later.call, "name", NULL);
	const struct node *n = name != NULL ? tree_find_name(t, name) : NULL;
	unsigned number;
	char rest;

	if ((block != NULL) == (name != NULL) ||
	    (block != NULL && sscanf(block, "loop%u%c", &number, &rest) != 1)) {
		fault_set(f, FAULT_INVALID, "give the name of a device, or of a loop device",
		    "it was not said for which unit the command is");
		return;
	}
	for (size_t i = 0; block != NULL && n == NULL && i < t->n; i++)
		if (t->nodes[i]->loop != TREE_NO_LOOP && (unsigned)t->nodes[i]->loop == number)
			n = t->nodes[i];
	if (n == NULL || n->kind != TREE_LUN || n->is_replaced)
		fault_set(f, FAULT_NOTFOUND, "open the disk itself, no partition of it",
		    "%s is no disk of this initiator", block != NULL ? block : name);
	else
		to_node(p, n);
}

static void
check_reserve(const struct passing *p, struct fault *f)
{
	if (!f->is_set && p->cdb[0] != CDB_PERSISTENT_RESERVE_IN &&
	    p->cdb[0] != CDB_PERSISTENT_RESERVE_OUT)
		fault_set(f, FAULT_INVALID, "use unit.scsi",
		    "this is only for PERSISTENT RESERVE IN and OUT");
}

void
op_scsi_check(struct passing *p, bool is_reserve, struct fault *ret_f)
{
	struct ipc_call *call = p->later.call;

	p->is_forced = ipc_call_arg_bool(call, "force", false);
	check_cdb(call, p->cdb, ret_f);
	if (!ret_f->is_set)
		p->timeout_ms = check_number(call, "timeout_ms", DEFAULT_MS, LIMIT_PASS_MS, ret_f);
	if (!ret_f->is_set && p->timeout_ms == 0)
		p->timeout_ms = DEFAULT_MS;
	if (!ret_f->is_set)
		check_data(p, is_reserve ? RESERVE_BYTES_MAX : LIMIT_PASS_BYTES, ret_f);
	if (is_reserve)
		check_reserve(p, ret_f);
}

void
op_scsi_find(struct passing *p, bool is_reserve, struct fault *ret_f)
{
	is_reserve ? find_open(p, ret_f) : find_unit(p, ret_f);
}
