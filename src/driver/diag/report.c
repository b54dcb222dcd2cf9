#include "driver/diag/report.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/text.h"

/* What stands behind the equal sign; all of it where there is none. */
static const char *
value_of(const char *pair)
{
	const char *value = strchr(pair, '=');

	return value != NULL ? value + 1 : pair;
}

/* The value of "Key=123", as far as it is a number that fits. */
static int
number_of(const char *pair)
{
	long v = strtol(value_of(pair), NULL, 0);

	return v > INT_MAX ? INT_MAX : v < INT_MIN ? INT_MIN : (int)v;
}

/* The key's name alone. */
static void
name_of(const char *pair, char *name, size_t size)
{
	size_t n = strcspn(pair, "=");

	n = n < size - 1 ? n : size - 1;
	memcpy(name, pair, n);
	name[n] = '\0';
}

static void
report_number(const struct diag_ctx *ctx, const char *pair, const char *proposed)
{
	char name[LIMIT_KEY_NAME_BYTES + 1];
	enum key_id key;
	int min = 0, max = 0;

	name_of(pair, name, sizeof name);
	if (neg_key_find(name, &key)) {
		min = (int)neg_key_info(key)->min;
		max = (int)neg_key_info(key)->max;
	}
	diag_ISCSI_LOG_PROTOCOL_BAD_IKEY_VAL(
	    ctx, number_of(pair), min, max, number_of(proposed), name);
}

static void
report_chap(const struct diag_ctx *ctx, unsigned number, const char *pair)
{
	const char *value = value_of(pair);
	char name[LIMIT_KEY_NAME_BYTES + 1];

	name_of(pair, name, sizeof name);
	/* Well-formed, and not the one that is right: who verifies it keeps it to himself. */
	if (value[0] == '\0')
		value = "wrong";
	switch (number) {
	case 22:
		diag_ISCSI_LOG_PROTOCOL_BAD_CHAP_A_VAL(ctx, value);
		break;
	case 23:
		diag_ISCSI_LOG_PROTOCOL_BAD_CHAP_I_VAL(ctx, value);
		break;
	case 24:
		diag_ISCSI_LOG_PROTOCOL_BAD_CHAP_C_VAL(ctx, value);
		break;
	case 25:
		diag_ISCSI_LOG_PROTOCOL_BAD_CHAP_N_VAL(ctx, value);
		break;
	case 26:
		diag_ISCSI_LOG_PROTOCOL_BAD_CHAP_R_VAL(ctx, value);
		break;
	case 27:
		diag_ISCSI_LOG_PROTOCOL_BAD_CHAP_AIC(ctx, name);
		break;
	default:
		diag_ISCSI_LOG_PROTOCOL_BAD_CHAP_NR(ctx, name);
	}
}

static void
report_keys(const struct diag_ctx *ctx, unsigned number, const char *pair, const char *proposed)
{
	char name[LIMIT_KEY_NAME_BYTES + 1];

	name_of(pair, name, sizeof name);
	switch (number) {
	case 5:
		diag_ISCSI_LOG_PROTOCOL_MISSING_TGT_KEY_PART(ctx, pair);
		break;
	case 6:
		diag_ISCSI_LOG_PROTOCOL_KEY_ACROSS_TOO_LONG(
		    ctx, (int)strlen(pair), LIMIT_KEY_VALUE_BYTES, pair);
		break;
	case 8:
		diag_ISCSI_LOG_PROTOCOL_NO_EQUAL_AFTER_NAME(ctx, pair);
		break;
	case 9:
		diag_ISCSI_LOG_PROTOCOL_NO_0_AFTER_VAL(ctx, pair);
		break;
	case 10:
		diag_ISCSI_LOG_PROTOCOL_INIT_KEY_NOTUNDERSTD(ctx, name);
		break;
	case 11:
		diag_ISCSI_LOG_PROTOCOL_INIT_KEY_REJECTED(ctx, name);
		break;
	case 12:
		diag_ISCSI_LOG_PROTOCOL_NOTUNDER_ALLOC_FAIL(ctx, name);
		break;
	case 14:
		diag_ISCSI_LOG_PROTOCOL_UNEXPT_TGT_INIT_NEGO(ctx, name);
		break;
	case 15:
		report_number(ctx, pair, proposed);
		break;
	case 16:
		diag_ISCSI_LOG_PROTOCOL_BAD_CKEY_VAL(ctx, pair, proposed);
		break;
	case 17:
		diag_ISCSI_LOG_PROTOCOL_IKEY_NO_RSP(ctx, name);
		break;
	case 18:
		diag_ISCSI_LOG_PROTOCOL_CKEY_NO_RSP(ctx, name);
		break;
	default:
		report_chap(ctx, number, pair);
	}
}

static void
report_violation(const struct diag_ctx *ctx, const struct sess_event *ev)
{
	unsigned number = violation_message(ev->login.violation);
	char name[LIMIT_KEY_NAME_BYTES + 1];

	switch (number) {
	case 0:
		diag_ISW_LOG_BAD_PROTO_HDR(ctx);
		break;
	case 19:
		diag_ISCSI_LOG_PROTOCOL_TOO_MANY_LOGIN_EXCH(ctx, LIMIT_LOGIN_EXCHANGES);
		break;
	case 20:
		diag_ISCSI_LOG_PROTOCOL_BAD_TGT_NSG(
		    ctx, ev->login.nsg, ev->login.our_csg, ev->login.our_nsg);
		break;
	case 34:
		diag_ISCSI_LOG_LOGIN_NO_CHAP_SECRET(ctx);
		break;
	case 36:
		name_of(ev->login.culprit, name, sizeof name);
		diag_ISCSI_LOG_INCOR_KEY_REDI(ctx, name);
		break;
	case 40:
		diag_ISCSI_LOG_INCOR_TGT_ADDR_REDI(ctx, value_of(ev->login.culprit));
		break;
	default:
		report_keys(ctx, number, ev->login.culprit, ev->login.proposed);
	}
}

/* One message for each name of "a,b,c". */
static void
report_keys_of(const struct diag_ctx *ctx, const char *names,
    void (*say)(const struct diag_ctx *ctx, const char *name))
{
	const char *item;
	size_t n;

	while (text_list_next(&names, &item, &n)) {
		char name[LIMIT_KEY_NAME_BYTES + 1];

		snprintf(name, sizeof name, "%.*s", (int)n, item);
		if (n > 0)
			say(ctx, name);
	}
}

static void
report_login(const struct diag_ctx *ctx, const struct sess_event *ev)
{
	unsigned code = (unsigned)ev->login.status_class << 8 | ev->login.status_detail;
	const char *from = ctx->address != NULL ? ctx->address : "";

	char name[LIMIT_KEY_NAME_BYTES + 1];

	switch (ev->login.step) {
	case LOGIN_REDIRECTED:
		if (ev->login.culprit[0] != '\0') {
			name_of(ev->login.culprit, name, sizeof name);
			diag_ISCSI_LOG_INCOR_KEY_REDI(ctx, name);
		}
		if (ev->login.status_detail == 2)
			diag_ISCSI_LOG_PERM_REDIRECT_REQUESTED(ctx, code, from, ev->login.redirect);
		else
			diag_ISCSI_LOG_TEMP_REDIRECT_REQUESTED(ctx, code, from, ev->login.redirect);
		break;
	case LOGIN_REFUSED:
		diag_ISW_LOG_BAD_STATUS_CLASS(
		    ctx, ev->login.status_class, ev->login.status_detail, from);
		break;
	case LOGIN_VIOLATION:
		/* Of no violation report_closed() says that the login took too long; where nobody
		 * gave a verdict the target is not to blame. */
		if (violation_is_targets(ev->login.violation))
			report_violation(ctx, ev);
		break;
	case LOGIN_SEND:
	case LOGIN_DONE:
	case LOGIN_VERIFY:
		break;
	}
}

void
report_event(const struct diag_ctx *ctx, const struct sess_event *ev)
{
	switch (ev->kind) {
	case SESS_EV_LOGIN_FAILED:
		report_login(ctx, ev);
		break;
	case SESS_EV_CLOSE:
		if (ev->close.why == CONN_HEADER_DIGEST)
			diag_ISW_LOG_BAD_HDR_DIGEST(
			    ctx, ev->close.digest_expected, ev->close.digest_received);
		else if (ev->close.why == CONN_DATA_DIGEST)
			diag_ISW_LOG_BAD_DATA_DIGEST(
			    ctx, ev->close.digest_expected, ev->close.digest_received);
		break;
	case SESS_EV_KEYS:
		report_keys_of(ctx, ev->keys.unknown, diag_ISCSI_LOG_PROTOCOL_TGT_KEY_NOTUNDERSTD);
		report_keys_of(ctx, ev->keys.rejected, diag_ISCSI_LOG_PROTOCOL_INIT_KEY_REJECTED);
		break;
	case SESS_EV_ONLINE:
	case SESS_EV_VERIFY:
	case SESS_EV_REQ:
	case SESS_EV_TEXT:
	case SESS_EV_TEXT_DONE:
	case SESS_EV_PING:
	case SESS_EV_TMF:
	case SESS_EV_LOGOUT:
	case SESS_EV_ASYNC:
	case SESS_EV_REJECT:
		break;
	}
}

void
report_closed(const struct diag_ctx *ctx, bool was_online, int err, enum conn_result why)
{
	if (was_online)
		return;
	if (err != 0 || why == CONN_LOGIN_TIMEOUT)
		diag_ISW_LOG_CLOSED_ON_LOGIN(ctx);
	else if (conn_result_is_violation(why))
		diag_ISW_LOG_BAD_PROTO_HDR(ctx);
}

void
report_no_memory(const struct diag_ctx *ctx, int err)
{
	if (err == -ENOBUFS)
		diag_ISCSI_LOG_PROTOCOL_ALLOC_ACROSS_FAIL(ctx);
	else
		diag_ISCSI_LOG_PROTOCOL_ALLOC_KEYS_CB(ctx, (int)login_bytes());
}

void
report_sendtargets(const struct diag_ctx *ctx, const struct sendtargets_record *r)
{
	switch (r->kind) {
	case SENDTARGETS_BAD_KEY:
	case SENDTARGETS_STRAY_ADDRESS:
	case SENDTARGETS_BAD_TEXT:
		diag_ISCSI_LOG_INCOR_KEY(ctx, r->culprit);
		break;
	case SENDTARGETS_BAD_ADDRESS:
		diag_ISCSI_LOG_INCOR_TGT_ADDR(ctx, r->culprit);
		break;
	case SENDTARGETS_BAD_NAME:
		diag_ISCSI_LOG_BAD_ISCSI_NAME(ctx);
		break;
	case SENDTARGETS_END:
	case SENDTARGETS_ADDRESS:
	case SENDTARGETS_NO_ADDRESS:
	case SENDTARGETS_TOO_MANY:
		break;
	}
}
