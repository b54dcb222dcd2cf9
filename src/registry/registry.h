/*
 * The kernel registry: what must survive.  An SQLite file, owner-only, WAL,
 * synchronous=FULL: what a call acknowledged with 0 is on the disk, and a
 * kill -9 or a power cut at any moment leaves the state before or after a
 * call (or a whole registry_begin … registry_commit), never half of one.
 *
 * One thread uses a registry, and one process at a time has it open.  Calls
 * block for as long as the disk takes.
 *
 * Results are 0 or a negative errno; registry_error() then has a sentence and
 * a next step.  The errors of every call: -ENOSPC (disk full), -EROFS, -EIO,
 * -EUCLEAN (the file is damaged), -ENOMEM; more where they are named.  Out
 * parameters are written only on success.  Strings are valid UTF-8 of bounded
 * length without NUL; what is not is refused with -EINVAL, what is too long
 * with -ENAMETOOLONG.  Whether a name is a good iSCSI name is the caller's
 * to check (core/iname.h).  Names of targets are the same as iname_same() says,
 * in every call; they come back as discovery, else the user, spelled them first.
 */
#ifndef REGISTRY_REGISTRY_H
#define REGISTRY_REGISTRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/limits.h"
#include "scsi/identity.h"

struct registry;

/* What went wrong and what to do next, each a sentence; never a secret. */
struct registry_error {
	char message[512];
	char next[256];
};

/*
 * Open, create or migrate.  The directory must exist (paths_mkdirs()).
 * -EBUSY: another process has it open; -ENOTSUP: made by a newer version;
 * -EUCLEAN: not a registry, cut off, or with other tables than its version has.
 * Only a file that is not there at all is made.  Failure: *ret_err tells why.
 */
int registry_open(const char *path, struct registry **ret, struct registry_error *ret_err);
/* NULL is fine. */
void registry_close(struct registry *r);
/* Of the last call that failed. */
const struct registry_error *registry_error(const struct registry *r);

/*
 * Make all calls up to registry_commit() one transaction: all of it or
 * nothing, and one wait for the disk instead of many.  Not nested.  A call
 * that fails in between changes nothing; the rest stands unless rolled back.
 * When registry_commit() fails everything is rolled back.
 */
int registry_begin(struct registry *r);
int registry_commit(struct registry *r);
void registry_rollback(struct registry *r);

/* ---- addresses ---- */

/*
 * A portal as it was typed: "192.0.2.1", "fe80::1%eth0", "Array.example.com";
 * brackets are taken off.  Two addresses are the same when they differ only in
 * the case of letters or in the way an IPv6 address is written.
 */
struct registry_address {
	char address[LIMIT_ADDRESS_BYTES + 1];
	uint16_t port;
	uint16_t tpgt;
};

bool registry_address_same(const struct registry_address *a, const struct registry_address *b);

/* ---- settings: keys.def ---- */

enum registry_key {
#define KEY(id, ...) REGISTRY_KEY_##id,
#include "registry/keys.def"
	REGISTRY_KEYS
};

enum registry_level {
	REGISTRY_GLOBAL,
	REGISTRY_DISCOVERY,      /* .address */
	REGISTRY_TARGET,         /* .target */
	REGISTRY_TARGET_ADDRESS, /* .target and .address */
	REGISTRY_UNIT, /* .target is the name of a logical unit; .address, or NULL: one of its paths
			*/
};
#define REGISTRY_LEVELS (REGISTRY_UNIT + 1)

/* Whose setting it is.  Borrowed. */
struct registry_scope {
	enum registry_level level;
	const char *target;
	const struct registry_address *address;
};

const char *registry_key_name(enum registry_key key);

/* scope NULL: global.  *ret_value is for free(); wipe it first where it is a secret.  -ENOENT: not
 * set. */
int registry_get(struct registry *r, const struct registry_scope *scope, enum registry_key key,
    char **ret_value);
/* value NULL: back to the default (no error when it was not set).  -ENOTSUP: no such key at this
 * level. */
int registry_set(struct registry *r, const struct registry_scope *scope, enum registry_key key,
    const char *value);
/*
 * The value that counts for an address of a target (or a discovery address):
 * the closest level that has one, down to global.  -ENOENT: none has.
 */
int registry_effective(struct registry *r, const struct registry_scope *scope,
    enum registry_key key, char **ret_value, enum registry_level *ret_level);

/* All that is set for a scope and for what stands above it, as of one moment. */
struct registry_values {
	char *at[REGISTRY_LEVELS][REGISTRY_KEYS]; /* NULL: not set there */
};

/*
 * Every key at every level that counts for a scope (NULL: global), in one query.
 * An error is one of the whole: *ret is all NULL then, and no value is to be
 * taken for "not set".
 */
int registry_effective_all(
    struct registry *r, const struct registry_scope *scope, struct registry_values *ret);
/* Scopes of units where something is set, in their order; *ret is for free(). */
struct registry_unit {
	char name[LIMIT_ISCSI_NAME_BYTES + 1]; /* identity_first() */
	bool has_address;
	struct registry_address address;
};
int registry_unit_list(struct registry *r, struct registry_unit **ret, size_t *ret_n);
/* As registry_effective(); borrowed.  NULL: no level has one.  ret_level may be NULL. */
const char *registry_values_get(
    const struct registry_values *v, enum registry_key key, enum registry_level *ret_level);
/* Secrets are wiped. */
void registry_values_fini(struct registry_values *v);

/*
 * See that there is an initiator name: where none is set, take
 * "InitiatorName=" of `file` (initiatorname.iscsi; may be missing), else make
 * an iqn that no other host has; either is kept.  *ret_made tells that one was
 * made.  A file that cannot be read or holds no valid name is passed over;
 * *ret_file_err is its errno then (-EINVAL: no valid name), else 0.
 */
struct registry_made_name {
	char name[LIMIT_ISCSI_NAME_BYTES + 1];
	bool from_file; /* taken from the file just now */
	bool made;      /* made just now */
	int file_err;   /* why the file was passed over, or 0 */
};
int registry_initiator_name(struct registry *r, const char *file, struct registry_made_name *ret);

/* ---- discovery targets ---- */

/* -EEXIST */
int registry_discovery_add(struct registry *r, const struct registry_address *a);
/* With its settings.  -ENOENT */
int registry_discovery_remove(struct registry *r, const struct registry_address *a);
/* In the order they were added; *ret is for free(). */
int registry_discovery_list(struct registry *r, struct registry_address **ret, size_t *ret_n);

/* ---- operational targets ---- */

enum registry_source {
	REGISTRY_STATIC, /* configured by a user: discovery never changes it */
	REGISTRY_SENDTARGETS,
	REGISTRY_SLP,
	REGISTRY_ISNS,
};
/* "static", "sendtargets", "slp", "isns" */
const char *registry_source_name(enum registry_source source);

struct registry_target_address {
	struct registry_address a;
	enum registry_source source;
	int64_t first_seen_s, last_seen_s; /* seconds since 1970; the last one to the hour */
};

struct registry_target {
	char name[LIMIT_ISCSI_NAME_BYTES + 1];
	char alias[LIMIT_ALIAS_BYTES + 1]; /* "" where none is known */
	enum registry_source source;       /* the first one */
	size_t n_addresses;
	struct registry_target_address *addresses;
};

/*
 * Discovery found (or a user configured) this address of this target at
 * `now_s`.  What is new is added; of what is known the time is updated, and the
 * tag where discovery reports another one for the same address and port (the
 * session instance stays).  An address that a user configured is left alone.
 * `alias` NULL: not known now.  *ret_new (may be NULL): the address is new.
 * -EDQUOT: the target has LIMIT_SENDTARGETS_ADDRESSES already.
 */
int registry_target_seen(struct registry *r, const char *name, const char *alias,
    enum registry_source source, const struct registry_address *a, int64_t now_s, bool *ret_new);
/*
 * The same for what SendTargets at the discovery address `by`, or an iSNS server there, named.  It
 * may have named `share` addresses that are known: one more is refused with -EDQUOT.
 */
int registry_target_found(struct registry *r, const char *name, enum registry_source source,
    const struct registry_address *a, const struct registry_address *by, uint32_t share,
    int64_t now_s, bool *ret_new);

struct registry_found {
	char target[LIMIT_ISCSI_NAME_BYTES + 1];
	struct registry_address a;
	enum registry_source source; /* who named it first */
	bool is_alone;               /* no other one names it now; SLP and users do not count */
};
/*
 * Addresses of targets that are known through this discovery address alone: no
 * other one has named them, and no user configured them.  *ret is for free().
 */
int registry_found_list(struct registry *r, const struct registry_address *by,
    struct registry_found **ret, size_t *ret_n);
/* All that it has named and that are known. */
int registry_found_all(struct registry *r, const struct registry_address *by,
    struct registry_found **ret, size_t *ret_n);
/* It names this no more (NULL: nothing at all); the target stays.  No error where it did not. */
int registry_found_forget(
    struct registry *r, const struct registry_address *by, const struct registry_found *f);
/* The target told its alias (at a login).  -ENOENT */
int registry_target_alias(struct registry *r, const char *name, const char *alias);
/* One address, or with `a` NULL all of it, with its settings.  Instances stay.  -ENOENT */
int registry_target_remove(struct registry *r, const char *name, const struct registry_address *a);
/* name NULL: all, in the order they were found.  A name that is not there gives no rows. */
int registry_target_list(
    struct registry *r, const char *name, struct registry_target **ret, size_t *ret_n);
/*
 * In the same order, up to n_max of those after *after (0: from the first), which moves on.
 * Fewer than n_max: there are no more.
 */
int registry_target_page(
    struct registry *r, int64_t *after, size_t n_max, struct registry_target **ret, size_t *ret_n);
void registry_targets_free(struct registry_target *t, size_t n);

/* ---- session instances ---- */

struct registry_session {
	uint32_t instance;
	char target[LIMIT_ISCSI_NAME_BYTES + 1];
	struct registry_address a;
};

/*
 * The instance of the session to this address of this target: the one it has,
 * else the lowest free one, which it keeps.  -EUSERS with all LIMIT_SESSIONS taken.
 */
int registry_session_instance(struct registry *r, const char *target,
    const struct registry_address *a, uint32_t *ret_instance);
/* By instance; *ret is for free(). */
int registry_session_list(struct registry *r, struct registry_session **ret, size_t *ret_n);
/* The instance becomes free for others, and with it all hardware paths below it.  -ENOENT */
int registry_session_remove(struct registry *r, uint32_t instance);

/* ---- nexuses that sessions may have left at a target ---- */

struct registry_nexus {
	char name[LIMIT_ISCSI_NAME_BYTES + 1]; /* under which the initiator logged in */
	int32_t tpgt;      /* -1: unknown, or no login of this session reinstates it */
	uint32_t retain_s; /* Time2Wait and Time2Retain */
	bool is_left;      /* a session had it that the target has no more */
};

/* These, instead of those of this session. */
int registry_nexus_set(struct registry *r, const char *target, uint32_t instance,
    const struct registry_nexus *list, size_t n);
/* Nobody minds any more what sessions left that the target has no more. */
int registry_nexus_clear(struct registry *r, const char *target);
/* Of this session, and of sessions that the target has no more; *ret is for free(). */
int registry_nexus_list(struct registry *r, const char *target, uint32_t instance,
    struct registry_nexus **ret, size_t *ret_n);

/* ---- hardware paths ---- */

#define REGISTRY_HW_PATH_BYTES 63

enum registry_class {
#define CLASS(id, ...) REGISTRY_CLASS_##id,
#include "registry/classes.def"
	REGISTRY_CLASSES
};
const char *registry_class_name(enum registry_class c);
/* False when there is none of that name. */
bool registry_class_find(const char *name, enum registry_class *ret_class);

struct registry_io {
	enum registry_class class;
	uint32_t instance;
	char hw_path[REGISTRY_HW_PATH_BYTES + 1];
};

/* As registry_session_instance(), per class.  -EUSERS: the class has no free instance. */
int registry_io_instance(
    struct registry *r, enum registry_class c, const char *hw_path, uint32_t *ret_instance);
/* The same, with the instance that is wished for where it is free. */
int registry_io_instance_as(struct registry *r, enum registry_class c, const char *hw_path,
    int64_t wish, uint32_t *ret_instance);
/* A hardware path is forgotten: its instance, which becomes free, which LUN it was, and its device.
 * -ENOENT */
int registry_io_remove(struct registry *r, const char *hw_path);
/* All classes, in order of class and instance; *ret is for free(). */
int registry_io_list(struct registry *r, struct registry_io **ret, size_t *ret_n);

/* ---- which LUN it was ---- */

/* What told this LUN from others when it was first used; all of it is kept. */
int registry_identity_set(struct registry *r, const char *hw_path, const struct identity *id);
/*
 * -ENOENT: none is known.  Any other error says nothing of the LUN: it could not
 * be read, and must not be taken for a new one.
 */
int registry_identity_get(struct registry *r, const char *hw_path, struct identity *ret);
/* No error when there is none. */
int registry_identity_remove(struct registry *r, const char *hw_path);

/* ---- installed devices ---- */

#define REGISTRY_DEVICE_BYTES 31

struct registry_device {
	char name[REGISTRY_DEVICE_BYTES + 1]; /* c1t0d1 */
	char hw_path[REGISTRY_HW_PATH_BYTES + 1];
};

/* Installing again what is installed is no error; -EEXIST: the name is another path's. */
int registry_device_add(struct registry *r, const char *hw_path, const char *name);
/* -ENOENT */
int registry_device_remove(struct registry *r, const char *name);
/* By hardware path's first installation; *ret is for free(). */
int registry_device_list(struct registry *r, struct registry_device **ret, size_t *ret_n);

/* ---- permanent redirections (RFC 7143, section 11.13.5, status 0x0102) ---- */

/* A later one replaces an earlier one of the same target and `from`. */
int registry_redirect_set(struct registry *r, const char *target,
    const struct registry_address *from, const struct registry_address *to);
/* -ENOENT */
int registry_redirect_get(struct registry *r, const char *target,
    const struct registry_address *from, struct registry_address *ret_to);
/* No error when there is none. */
int registry_redirect_remove(
    struct registry *r, const char *target, const struct registry_address *from);

#endif
