#include "driver/isw/verify.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "driver/call.h"
#include "driver/seal.h"

/* iradd itself needs a moment to say that time is up. */
#define VERIFY_GRACE_US 1000000

struct verify {
	struct loop *loop;
	struct helper_server *iradd;
	verify_done *done;
	void *user;
	int64_t id; /* > 0: a request is out */
	struct agenda_timer later;
	struct verify_result result;
};

static void
finish(struct verify *v)
{
	struct verify_result r = v->result;
	verify_done *done = v->done;
	void *user = v->user;

	agenda_clear(loop_agenda(v->loop), &v->later);
	free(v);
	done(user, &r);
}

static void
later(struct agenda_timer *t)
{
	finish(LIST_ENTRY(t, struct verify, later));
}

static const char *
text(const json_t *result, const char *key)
{
	const char *value = json_string_value(json_object_get(result, key));

	return value != NULL ? value : "";
}

static void
answered(void *user, int err, const char *why, const json_t *result, int fd)
{
	struct verify *v = user;
	const char *verdict = json_string_value(json_object_get(result, "verdict"));

	if (fd >= 0)
		(void)close(fd); /* a verdict hands none over: not wanted */
	v->id = 0;
	(void)snprintf(v->result.said, sizeof v->result.said, "%.255s says %s",
	    text(result, "server"), text(result, "reason")); /* a long one is cut */
	if (err == 0 && verdict != NULL && strcmp(verdict, "accept") == 0)
		v->result.ok = true;
	else if (err == 0 && verdict != NULL && strcmp(verdict, "reject") == 0)
		v->result.ok = false;
	else if (err == -ETIMEDOUT) {
		v->result.timed_out = true;
		fault_set(&v->result.fault, FAULT_TIMEOUT,
		    "check the RADIUS server, the way to it, and that it knows this host and the "
		    "NAS secret",
		    "the target could not be verified: no RADIUS server answered in time");
	} else {
		fault_set(&v->result.fault, FAULT_OFFLINE,
		    "look at iradd's log and at the RADIUS server's",
		    "the target could not be verified: %s",
		    err != 0 ? why : "iradd gave no verdict");
	}
	finish(v);
}

/* Bytes as hexadecimal digits. */
static json_t *
hex(const uint8_t *bytes, size_t n)
{
	static const char digit[] = "0123456789abcdef";
	char text[2 * CHAP_BINARY_MAX];

	for (size_t i = 0; i < n; i++) {
		text[2 * i] = digit[bytes[i] >> 4];
		text[2 * i + 1] = digit[bytes[i] & 15];
	}
	return json_stringn(text, 2 * n);
}

static json_t *
question(const struct verify_cfg *cfg, const struct verify_query *q)
{
	json_t *args = NULL;
	char *secret;

	if (cfg->server == NULL || cfg->server[0] == '\0' || cfg->secret_len == 0)
		return NULL;
	secret = call_alloc(cfg->secret_len + 1);
	if (seal_open(cfg->secret, cfg->secret_len, (uint8_t *)secret))
		args = json_pack("{s:s, s:s, s:s, s:s, s:i, s:o, s:o, s:i}", "server", cfg->server,
		    "nas", cfg->nas, "nas_secret", secret, "name", q->name, "identifier",
		    (int)q->identifier, "challenge", hex(q->challenge, q->challenge_len),
		    "response", hex(q->response, q->response_len), "timeout_ms",
		    (int)q->timeout_ms);
	explicit_bzero(secret, cfg->secret_len);
	free(secret);
	return args;
}

void
verify_cfg_secret(struct verify_cfg *cfg, char *secret)
{
	size_t n = secret != NULL ? strlen(secret) : 0;

	if (n > 0) {
		cfg->secret = call_alloc(n + SEAL_BYTES);
		memcpy(cfg->secret, secret, n);
		explicit_bzero(secret, n);
		if (seal_close(cfg->secret, n))
			cfg->secret_len = n;
		else
			fault_set(&cfg->fault, FAULT_INTERNAL, "free some memory",
			    "the NAS secret could not be encrypted");
	}
	free(secret);
}

void
verify_cfg_fini(struct verify_cfg *cfg)
{
	if (cfg->secret != NULL)
		explicit_bzero(cfg->secret, cfg->secret_len);
	free(cfg->server);
	free(cfg->nas);
	free(cfg->secret);
	*cfg = (struct verify_cfg){ 0 };
}

struct verify *
verify_start(struct loop *loop, struct helper_server *iradd, const struct verify_cfg *cfg,
    const struct verify_query *q, verify_done *done, void *user)
{
	struct verify *v = call_alloc(sizeof *v);
	uint64_t now = loop_now_update(loop);
	json_t *args = cfg->fault.is_set ? NULL : question(cfg, q);

	v->loop = loop;
	v->iradd = iradd;
	v->done = done;
	v->user = user;
	v->later.expired = later;
	if (cfg->fault.is_set)
		v->result.fault = cfg->fault;
	else if (args == NULL)
		fault_set(&v->result.fault, FAULT_OFFLINE,
		    "configure the server with 'iscsiutil -u -R', or the target's own secret with "
		    "'iscsiutil -u --target-secret -'",
		    "the target could not be verified: no RADIUS server is configured");
	else if (helper_server_pid(iradd) == 0)
		fault_set(&v->result.fault, FAULT_NOTRUNNING, "start it: iscsi start",
		    "the target could not be verified: iradd is not running");
	else
		v->id = helper_server_request(iradd, "verify", json_incref(args),
		    now + q->timeout_ms * 1000ull + VERIFY_GRACE_US, answered, v);
	json_decref(args);
	if (v->id < 0)
		fault_set(&v->result.fault, FAULT_INTERNAL, "try again",
		    "the target could not be verified: %s", strerror((int)-v->id));
	if (v->id <= 0)
		agenda_set(loop_agenda(loop), &v->later, now);
	return v;
}

void
verify_cancel(struct verify *v)
{
	if (v == NULL)
		return;
	if (v->id > 0)
		(void)helper_server_cancel(v->iradd, v->id); /* it is not wanted any more */
	agenda_clear(loop_agenda(v->loop), &v->later);
	free(v);
}
