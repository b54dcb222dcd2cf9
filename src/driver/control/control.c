#include "driver/control/control.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cut.h"
#include "base/fault.h"
#include "core/addr.h"
#include "driver/control/later.h"
#include "driver/control/ops.h"
#include "driver/diag/diag.h"
#include "driver/iscsi/isns.h"
#include "driver/iscsi/keeper.h"
#include "driver/iscsi/radius.h"
#include "driver/iscsi/settings.h"
#include "driver/iscsi/wanted.h"
#include "driver/iscsial/devfile.h"
#include "export/export.h"
#include "sys/log.h"

static void (*const handlers[IPC_OPS])(struct driver *d, struct ipc_call *call) = {
#define OP(id, ...) [IPC_OP_##id] = op_##id,
#include "ipc/messages.def"
};

/* ---- what an answer says is remembered ---- */

/* Something was changed, for good. */
static void
tell(struct driver *d, const struct ipc_call *call)
{
	const struct diag_ctx about = { -1, NULL, NULL, d->diag, NULL };
	char who[IPC_WHO_BYTES], what[600];

	ipc_call_describe(call, who, what, sizeof what);
	diag_OPENISW_LOG_CONFIGURED(&about, who, what);
}

static void
kept(void *user, const struct fault *why)
{
	struct later *l = user;

	if (why == NULL) {
		tell(l->d, l->call);
		ipc_call_go(l->call);
	} else {
		control_fail(l->call, why, NULL);
	}
	later_free(l);
}

static bool
hold(void *user, struct ipc_call *call)
{
	struct driver *d = user;
	struct later *l = later_new(d, call);

	if (keeper_wait(d->keeper, kept, l))
		return true;
	later_free(l);
	return false;
}

void
control_undone(void *user)
{
	struct driver *d = user;
	char *level = settings_value(d->reg, NULL, REGISTRY_KEY_debug_level);
	enum log_level before;

	wanted_push(d, NULL, true);
	radius_push(d);
	isns_push(d);
	if (log_level_parse(level, &before))
		log_set_level(before);
	free(level);
}

static void
handle(void *user, struct ipc_call *call)
{
	struct driver *d = user;
	enum ipc_op op = ipc_call_op(call);
	struct fault full;

	if (!ipc_op_keeps(op)) {
		handlers[op](d, call);
	} else if (keeper_is_full(d->keeper, &full)) {
		control_fail(call, &full, NULL);
	} else {
		ipc_call_hold(call, hold, d);
		keeper_begin(d->keeper);
		handlers[op](d, call);
		keeper_end(d->keeper);
	}
}

static bool
listen_at(struct driver *d, const char *path, struct ipc_server **ret, struct fault *ret_fault)
{
	/* Reading is for everyone; what changes something is checked by the caller's credentials.
	 */
	int err = ipc_server_new(d->loop, path, 0666, handle, d, ret);

	if (err == 0)
		return true;
	fault_set(ret_fault, FAULT_INTERNAL,
	    err == -EADDRINUSE ? "stop the other one, or use another root"
			       : "check the directory and its permissions",
	    err == -EADDRINUSE ? "another driver listens at %s already: %s"
			       : "cannot listen at %s: %s",
	    path, strerror(-err));
	return false;
}

bool
control_open(struct driver *d, struct fault *ret_fault)
{
	return listen_at(d, d->paths.dev_iscsi, &d->dev_iscsi, ret_fault) &&
	       listen_at(d, d->paths.dev_isw, &d->dev_isw, ret_fault);
}

void
control_close(struct driver *d)
{
	control_end_followers(d);
	control_end_waiters(d);
	control_end_captures(d);
	ipc_server_free(d->dev_iscsi);
	ipc_server_free(d->dev_isw);
	d->dev_iscsi = d->dev_isw = NULL;
}

void
control_fail(struct ipc_call *call, const struct fault *f, json_t *extra)
{
	ipc_call_error(call, ipc_error_of(f->code), f->message, f->next, extra);
}

json_t *
control_due(struct driver *d, uint64_t at_us)
{
	uint64_t now = loop_now_update(d->loop);

	if (at_us == 0 || at_us == UINT64_MAX)
		return json_null();
	return control_time(
	    time(NULL) + (time_t)(at_us > now ? (at_us - now + 999999) / 1000000 : 0));
}

json_t *
control_next(const struct fault *why)
{
	return why->is_set && why->next[0] != '\0' ? json_string(why->next) : json_null();
}

void
control_busy(struct ipc_call *call, json_t *in_use, const char *what)
{
	size_t n = json_array_size(in_use);
	char next[128];
	struct fault f;

	(void)snprintf(next, sizeof next, "unmount or close %s first, or force the %s",
	    n == 1 ? "it" : "them", what); /* `what` is a word of ours */
	fault_set(&f, FAULT_BUSY, next, n == 1 ? "%zu disk is in use" : "%zu disks are in use", n);
	control_fail(call, &f, json_pack("{s:o}", "in_use", in_use));
}

static void
set_path(const struct driver *d, const struct node *n, json_t *to, const char *member,
    void (*make)(const struct driver *d, const struct node *n, char *ret_path))
{
	char path[PATH_MAX];

	make(d, n, path);
	control_set(to, member, json_string(path));
}

void
control_show_files(const struct driver *d, const struct node *n, json_t *to)
{
	char block[32];

	if (n->export != NULL)
		control_set(to, "exporter", json_string(n->export->name));
	if (devfile_is_socket(n)) {
		set_path(d, n, to, "nbd", devfile_nbd);
		return;
	}
	set_path(d, n, to, "dsk", devfile_dsk);
	set_path(d, n, to, "rdsk", devfile_rdsk);
	if (n->loop == TREE_NO_LOOP)
		return;
	loopuse_path(n->loop, block);
	control_set(to, "block", json_string(block));
}

static bool
in_range(struct ipc_call *call, const char *name, int64_t dflt, int64_t min, uint16_t *ret)
{
	int64_t v = ipc_call_arg_int(call, name, dflt);
	struct fault f;

	if (v >= min && v <= UINT16_MAX) {
		*ret = (uint16_t)v;
		return true;
	}
	fault_set(&f, FAULT_INVALID, "give a number in this range",
	    "%s %lld is not from %lld to %d", name, (long long)v, (long long)min, UINT16_MAX);
	control_fail(call, &f, NULL);
	return false;
}

/* Other initiators take a port and a tag with the address, or a URL: here they have options. */
static void
not_an_address(struct fault *ret_f, const char *text, enum addr_result r)
{
	const char *scheme = strstr(text, "://");
	const char *from = scheme != NULL ? scheme + 3 : text;
	char portal[LIMIT_ADDRESS_BYTES + 32], next[LIMIT_ADDRESS_BYTES + 64], tag[16] = "";
	struct addr a;

	cut_copy(portal, sizeof portal, from);
	if (scheme != NULL)
		portal[strcspn(portal, "/")] = '\0';
	if (addr_parse(portal, &a) == ADDR_OK) {
		if (a.has_tpgt)
			(void)snprintf(tag, sizeof tag, " -M %u", a.tpgt); /* fits */
		(void)snprintf(next, sizeof next, "write -I %s -P %u%s", a.host,
		    a.has_port ? a.port : ADDR_PORT_DEFAULT, tag); /* a long host is cut */
		fault_set(ret_f, FAULT_INVALID, next,
		    "\"%s\" is more than an address: port and tag are given on their own", text);
		return;
	}
	fault_set(ret_f, FAULT_INVALID, "give an IPv4 or IPv6 address or a host name",
	    "\"%s\" is not an address: %s", text, addr_text(r));
}

bool
control_address(struct ipc_call *call, struct registry_address *ret_a)
{
	const char *text = ipc_call_arg_string(call, "address", "");
	struct registry_address a = { 0 };
	enum addr_result r;
	struct addr addr;
	struct fault f;

	r = addr_parse_host(text, &addr);
	if (r != ADDR_OK) {
		not_an_address(&f, text, r);
		control_fail(call, &f, NULL);
		return false;
	}
	if (!in_range(call, "port", ADDR_PORT_DEFAULT, 1, &a.port) ||
	    !in_range(call, "tpgt", ADDR_TPGT_DEFAULT, 0, &a.tpgt))
		return false;
	cut_copy(a.address, sizeof a.address, addr.host);
	*ret_a = a;
	return true;
}

json_t *
control_time(time_t t)
{
	char text[32];
	struct tm tm;

	if (t == 0 || gmtime_r(&t, &tm) == NULL ||
	    strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
		return json_null();
	return json_string(text);
}

void
control_set(json_t *object, const char *key, json_t *value)
{
	(void)json_object_set_new(object, key, value); /* see the header */
}
