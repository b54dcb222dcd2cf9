/*
 * What the registry says about logins: names, and the keys a user may
 * configure for all targets, a target, or an address.
 */
#ifndef ISCSI_SETTINGS_H
#define ISCSI_SETTINGS_H

#include <jansson.h>

#include "driver/iscsi/keys.h"
#include "ini/settings.h"
#include "registry/registry.h"

/*
 * What is configured for a scope (a discovery address or a target's address), with
 * CHAP's secrets and what is known of its redirection: heap, for
 * settings_free().  NULL with *ret_fault: it could not be read, which is never taken for
 * "not configured".
 */
struct settings *settings_snapshot(
    struct registry *r, const struct registry_scope *scope, struct fault *ret_fault);
/* The value that counts for a scope, "" where none is set, for free(); NULL with *ret_fault. */
char *settings_read(struct registry *r, const struct registry_scope *scope, enum registry_key key,
    struct fault *ret_fault);

/* The registry's key for a login key that may be configured (those with a value in neg_params). */
enum registry_key settings_registry_key(enum key_id key);
/* What a scope offers, and from which level each key comes; false: something could not be read. */
bool settings_keys(
    struct registry *r, const struct registry_scope *scope, struct keys_effective *ret);

/*
 * Members "authentication_method", "chap_method", "initiator_chap_name",
 * "chap_secret_set", "header_digest" and "data_digest" as they count for a
 * scope, put into `to`; with a global scope (NULL) the "…_is_default" ones too.
 * "keys" has every login key as it is offered, with the level it comes from.
 */
void settings_show(struct registry *r, const struct registry_scope *scope, json_t *to);
/*
 * A value as every answer has it: a list, in order of preference, of what is one ("None,CRC32C" is
 * ["None","CRC32C"]), else a string.
 */
json_t *settings_show_value(enum registry_key key, const char *value);
/* How many addresses of targets this discovery address may name. */
uint32_t settings_share(struct registry *r, const struct registry_address *by);
/* For displays: the same, or "" also where it could not be read. */
char *settings_value(struct registry *r, const struct registry_scope *scope, enum registry_key key);

/* What is asked for by SLP where nothing is configured. */
#define SETTINGS_SLP_SCOPES_DEFAULT "default"

/* The registry failed: its sentence as a fault. */
void settings_fault(const struct registry *r, struct fault *ret_fault);

/* The registry's key of the i-th thing a user changes. */
enum registry_key settings_change_key(const struct keys_change *c, unsigned i);

#endif
