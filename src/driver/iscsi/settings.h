/*
 * What the registry says about logins: names, and the keys a user may
 * configure for all targets, a target, or an address.
 */
#ifndef ISCSI_SETTINGS_H
#define ISCSI_SETTINGS_H

#include <jansson.h>

#include "driver/iscsi/keys.h"
#include "driver/iscsi/nexus.h"
#include "driver/isw/dial.h"
#include "registry/registry.h"

/*
 * The next login for a scope (a discovery address or a target's address), with
 * CHAP's secrets and fresh random bytes, for nexus_login_free().  target_name
 * and expected_tpgt are the caller's to fill.  md5_only: the target failed
 * after it had chosen another CHAP algorithm.  NULL: the registry could not be
 * read; *ret_fault says why.
 */
struct nexus_login *settings_login(
    struct registry *r, const struct registry_scope *scope, bool md5_only, struct fault *ret_fault);

/* The registry's key for a login key that may be configured (those with a value in neg_params). */
enum registry_key settings_registry_key(enum key_id key);
/* What a scope offers, and from which level each key comes. */
void settings_keys(
    struct registry *r, const struct registry_scope *scope, struct keys_effective *ret);

/*
 * Members "authentication_method", "chap_method", "initiator_chap_name",
 * "chap_secret_set", "header_digest" and "data_digest" as they count for a
 * scope, put into `to`; with a global scope (NULL) the "…_is_default" ones too.
 * "keys" has every login key as it is offered, and "configured" what was
 * configured for just this scope.
 */
void settings_show(struct registry *r, const struct registry_scope *scope, json_t *to);
/* The value that counts for a scope, or "" where none is set; for free(). */
char *settings_value(struct registry *r, const struct registry_scope *scope, enum registry_key key);

/* The registry failed: its sentence as a fault. */
void settings_fault(const struct registry *r, struct fault *ret_fault);

/* The registry's key of the i-th thing a user changes. */
enum registry_key settings_change_key(const struct keys_change *c, unsigned i);
/* The time limits that count for a scope (NULL: for all targets). */
void settings_timers(struct registry *r, const struct registry_scope *scope, struct timers *ret);

/* Where connections to a scope come from. */
void settings_from(struct registry *r, const struct registry_scope *scope, struct dial_from *ret);

#endif
