/*
 * auth.set, radius.set, slp.set and log.level: what is configured beside names,
 * addresses and login keys.  Secrets come in; only config.get has them go
 * out again, to whoever may set them.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/addr.h"
#include "core/text.h"
#include "driver/control/ops.h"
#include "driver/control/scope.h"
#include "driver/iscsi/radius.h"
#include "driver/iscsi/settings.h"
#include "driver/iscsi/wanted.h"
#include "ini/chapcfg.h"
#include "sys/log.h"

#define CHANGES_MAX 6

static void
warn(json_t *list, const char *text)
{
	(void)json_array_append_new(list, json_string(text)); /* no memory: one less */
}

/* ---- checking ---- */

/* A CHAP name: what the wire can carry. */
static bool
check_name(const char *name, struct fault *f)
{
	if (name == NULL || name[0] == '\0' ||
	    (strlen(name) <= CHAP_NAME_MAX && text_is_utf8(name)))
		return true;
	fault_set(f, FAULT_INVALID, "give a shorter, printable one",
	    "the CHAP name is longer than %d bytes, or has control characters", CHAP_NAME_MAX);
	return false;
}

static bool
check_secret(const char *secret, const char *what, json_t *warnings, struct fault *f)
{
	uint8_t bytes[CHAPCFG_SECRET_BYTES];
	enum chapcfg_secret r;
	size_t n = 0;

	if (secret == NULL || secret[0] == '\0')
		return true;
	r = chapcfg_secret_parse(secret, bytes, &n);
	explicit_bzero(bytes, sizeof bytes);
	if (r != CHAPCFG_SECRET_OK) {
		fault_set(f, FAULT_INVALID,
		    "give characters, 0x and an even number of hexadecimal digits, or 0b and "
		    "base64",
		    "the %s cannot be used: %s", what, chapcfg_secret_text(r));
		return false;
	}
	/* RFC 7143, 9.2.1: "CHAP secrets [...] MUST NOT be [...] less than 96 bits" without IPsec.
	 */
	if (n * 8 < CHAPCFG_SECRET_BITS_MIN)
		(void)json_array_append_new(warnings,
		    json_sprintf("the %s has %zu bits: one of less than %d can be guessed from a "
				 "capture of one login",
			what, n * 8, CHAPCFG_SECRET_BITS_MIN)); /* no memory: one less */
	return true;
}

static bool
check_method(struct scope_change *c, struct fault *f)
{
	if (c->value == NULL || c->value[0] == '\0' || chapcfg_method_parse(c->value, &c->value))
		return true;
	fault_set(f, FAULT_INVALID, "give CHAP_UNI or CHAP_BI",
	    "\"%s\" is not a CHAP authentication type", c->value);
	return false;
}

static bool
check_algorithms(struct scope_change *c, char text[64], struct fault *f)
{
	uint8_t list[CHAP_ALGORITHMS_MAX], n;

	if (c->value == NULL || c->value[0] == '\0')
		return true;
	if (strcasecmp(c->value, "default") == 0) {
		c->value = "";
		return true;
	}
	if (chapcfg_algorithms_parse(c->value, list, &n)) {
		chapcfg_algorithms_print(text, 64, list, n);
		c->value = text;
		return true;
	}
	fault_set(f, FAULT_INVALID, "list some of MD5, SHA-1, SHA-256 and SHA3-256, each once",
	    "\"%s\" is not a list of CHAP algorithms", c->value);
	return false;
}

/* ---- auth.set ---- */

/* What will not work as it stands now. */
static void
add_warnings(struct driver *d, const struct scope *s, json_t *list)
{
	char *method = settings_value(d->reg, &s->scope, REGISTRY_KEY_chap_method);
	char *secret = settings_value(d->reg, &s->scope, REGISTRY_KEY_chap_secret);
	char *target_secret = settings_value(d->reg, &s->scope, REGISTRY_KEY_target_chap_secret);
	char *server = settings_value(d->reg, NULL, REGISTRY_KEY_radius_server);
	bool is_bi = strcmp(method, "CHAP_BI") == 0;
	struct keys_effective e;

	(void)settings_keys(d->reg, &s->scope, &e); /* warnings only */
	if (!neg_list_has(&e.offer.auth_method, NEG_AUTH_CHAP))
		warn(list, "CHAP is not offered yet: iscsiutil -t authmethod CHAP None");
	if (secret[0] == '\0')
		warn(list, "there is no CHAP secret yet: iscsiutil -u -W -");
	if (is_bi && target_secret[0] == '\0' && server[0] == '\0')
		warn(list, "CHAP_BI needs a RADIUS server (iscsiutil -u -R) or the target's own "
			   "secret (iscsiutil -u --target-secret -)");
	if (!is_bi && target_secret[0] != '\0')
		warn(
		    list, "the target's secret is used with CHAP_BI only: iscsiutil -u -H CHAP_BI");
	if (target_secret[0] != '\0' && strcmp(secret, target_secret) == 0)
		warn(list, "target and initiator have the same secret: such a login is refused");
	explicit_bzero(secret, strlen(secret));
	explicit_bzero(target_secret, strlen(target_secret));
	free(method);
	free(secret);
	free(target_secret);
	free(server);
}

void
op_auth_set(struct driver *d, struct ipc_call *call)
{
	struct scope_change c[CHANGES_MAX] = {
		{ REGISTRY_KEY_chap_method, ipc_call_arg_string(call, "method", NULL) },
		{ REGISTRY_KEY_chap_name, ipc_call_arg_string(call, "name", NULL) },
		{ REGISTRY_KEY_chap_secret, ipc_call_arg_string(call, "secret", NULL) },
		{ REGISTRY_KEY_chap_algorithms, ipc_call_arg_string(call, "algorithms", NULL) },
		{ REGISTRY_KEY_target_chap_name, ipc_call_arg_string(call, "target_name", NULL) },
		{ REGISTRY_KEY_target_chap_secret,
		    ipc_call_arg_string(call, "target_secret", NULL) },
	};
	json_t *warnings = json_array();
	struct fault f = { 0 };
	char algorithms[64];
	struct scope s;
	bool is_new;

	if (!check_method(&c[0], &f) || !check_name(c[1].value, &f) ||
	    !check_secret(c[2].value, "CHAP secret", warnings, &f) ||
	    !check_algorithms(&c[3], algorithms, &f) || !check_name(c[4].value, &f) ||
	    !check_secret(c[5].value, "target's CHAP secret", warnings, &f)) {
		control_fail(call, &f, NULL);
	} else if (!scope_get(d, call, &s)) {
		/* The call was answered. */
	} else if (!scope_store(d, &s.scope, c, CHANGES_MAX, &is_new)) {
		settings_fault(d->reg, &f);
		control_fail(call, &f, NULL);
	} else {
		wanted_push(d, &s.scope, is_new);
		add_warnings(d, &s, warnings);
		ipc_call_reply(
		    call, json_pack("{s:s, s:O, s:i}", "scope", scope_name(&s), "warnings",
			      warnings, "active_sessions", scope_sessions(d, &s, is_new)));
	}
	json_decref(warnings);
}

/* ---- radius.set ---- */

/* host, host:port, address, [address]:port; commas between. */
static bool
check_servers(const char *list, struct fault *f)
{
	const char *item;
	size_t n;

	if (list[0] == '\0')
		return true;
	while (text_list_next(&list, &item, &n)) {
		char one[LIMIT_ADDRESS_BYTES + 1] = "";
		struct addr a;

		if (n < sizeof one)
			memcpy(one, item, n);
		if (n == 0 || n >= sizeof one ||
		    (addr_parse(one, &a) != ADDR_OK && addr_parse_host(one, &a) != ADDR_OK)) {
			fault_set(f, FAULT_INVALID,
			    "give host names or addresses, with a port where it is not 1812, and "
			    "commas between",
			    "\"%.*s\" is not a RADIUS server", (int)(n < 200 ? n : 200), item);
			return false;
		}
	}
	return true;
}

static bool
check_nas(const char *nas, struct fault *f)
{
	struct addr a;

	if (nas[0] == '\0' || addr_parse_host(nas, &a) == ADDR_OK)
		return true;
	fault_set(f, FAULT_INVALID, "give this host's name or address",
	    "\"%s\" is neither a host name nor an address", nas);
	return false;
}

void
op_radius_set(struct driver *d, struct ipc_call *call)
{
	const struct scope_change c[] = {
		{ REGISTRY_KEY_nas_hostname, ipc_call_arg_string(call, "nas_hostname", "") },
		{ REGISTRY_KEY_nas_secret, ipc_call_arg_string(call, "nas_secret", "") },
		{ REGISTRY_KEY_radius_server, ipc_call_arg_string(call, "server", "") },
	};
	json_t *warnings = json_array();
	struct fault f = { 0 };
	bool is_new;

	if (!check_nas(c[0].value, &f) || !check_servers(c[2].value, &f)) {
		control_fail(call, &f, NULL);
	} else if (!scope_store(d, NULL, c, 3, &is_new)) {
		settings_fault(d->reg, &f);
		control_fail(call, &f, NULL);
	} else {
		radius_push(d);
		if (c[2].value[0] != '\0' && strlen(c[1].value) < 16)
			warn(warnings, "the NAS secret has less than 16 characters: it protects "
				       "the answers, and a short one can be guessed");
		ipc_call_reply(call, json_pack("{s:O}", "warnings", warnings));
	}
	json_decref(warnings);
}

/* ---- slp.set, log.level ---- */

void
op_slp_set(struct driver *d, struct ipc_call *call)
{
	const struct scope_change c = { REGISTRY_KEY_slp_scopes,
		ipc_call_arg_string(call, "scopes", "") };
	const char *list = c.value, *item;
	struct fault f = { 0 };
	bool is_new;
	size_t n;

	/* RFC 2608, 6.4.1: these would have to be escaped in a scope's name. */
	while (text_list_next(&list, &item, &n))
		if (c.value[0] != '\0' && (n == 0 || strcspn(item, "()\\!<=>~;*+") < n))
			fault_set(&f, FAULT_INVALID, "give names without ( ) \\ ! < = > ~ ; * +",
			    "\"%.*s\" cannot be the name of an SLP scope", (int)(n < 200 ? n : 200),
			    item);
	if (!f.is_set && !text_is_utf8(c.value))
		fault_set(&f, FAULT_INVALID, "give printable names",
		    "the list of scopes has control characters");
	if (!f.is_set && !scope_store(d, NULL, &c, 1, &is_new))
		settings_fault(d->reg, &f);
	if (f.is_set)
		control_fail(call, &f, NULL);
	else
		ipc_call_reply(
		    call, json_pack("{s:o}", "scopes",
			      settings_show_value(c.key,
				  c.value[0] != '\0' ? c.value : SETTINGS_SLP_SCOPES_DEFAULT)));
}

void
op_log_level(struct driver *d, struct ipc_call *call)
{
	int64_t level = ipc_call_arg_int(call, "level", -1);
	struct scope_change c = { REGISTRY_KEY_debug_level, NULL };
	struct fault f = { 0 };
	char text[8];
	bool is_new;

	if (level < LOG_LVL_PANIC || level > LOG_LVL_DEBUG)
		fault_set(&f, FAULT_INVALID, "give 0 (panic) to 7 (debug)",
		    "there is no level %lld", (long long)level);
	if (!f.is_set) {
		(void)snprintf(text, sizeof text, "%d", (int)level); /* one digit */
		c.value = text;
		if (!scope_store(d, NULL, &c, 1, &is_new))
			settings_fault(d->reg, &f);
	}
	if (f.is_set) {
		control_fail(call, &f, NULL);
		return;
	}
	log_set_level((enum log_level)level);
	ipc_call_reply(call, json_pack("{s:i, s:s}", "level", (int)level, "name",
				 log_level_name((enum log_level)level)));
}
