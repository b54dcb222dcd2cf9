/* The target of fake_target.h: logins. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/be.h"
#include "base/cut.h"
#include "ini/fake_disk.h"
#include "ini/fake_target.h"

static const char *
value_of(const char *text, size_t n, const char *key)
{
	size_t len = strlen(key);

	for (const char *p = text; p < text + n; p += strlen(p) + 1)
		if (strncmp(p, key, len) == 0 && p[len] == '=')
			return p + len + 1;
	return NULL;
}

static size_t
add(char *to, size_t at, const char *key, const char *value)
{
	return at + (size_t)snprintf(to + at, FAKE_TEXT_BYTES - at, "%s=%s", key, value) + 1;
}

static size_t
add_number(char *to, size_t at, const char *key, unsigned value)
{
	char text[16];

	(void)snprintf(text, sizeof text, "%u", value);
	return add(to, at, key, text);
}

/* What was proposed is answered, in the order of this table. */
static size_t
answer_keys(struct fake_line *l, const char *text, size_t n, char *to)
{
	static const char *const fixed[][2] = { { "HeaderDigest", "None" },
		{ "DataDigest", "None" }, { "MaxConnections", "1" }, { "InitialR2T", "No" },
		{ "ImmediateData", "Yes" }, { "MaxBurstLength", "65536" },
		{ "FirstBurstLength", "16384" }, { "MaxOutstandingR2T", "1" },
		{ "DataPDUInOrder", "Yes" }, { "DataSequenceInOrder", "Yes" },
		{ "ErrorRecoveryLevel", "0" }, { "TaskReporting", "RFC3720" },
		{ "iSCSIProtocolLevel", "1" }, { "MaxRecvDataSegmentLength", "8192" } };
	const char *v;
	size_t at = 0;

	for (size_t i = 0; i < sizeof fixed / sizeof *fixed; i++)
		if (value_of(text, n, fixed[i][0]) != NULL)
			at = add(to, at, fixed[i][0], fixed[i][1]);
	v = value_of(text, n, "DefaultTime2Wait");
	if (v != NULL) {
		l->time2wait_s = (uint32_t)strtoul(v, NULL, 10) > l->w->time2wait
				     ? (uint32_t)strtoul(v, NULL, 10)
				     : l->w->time2wait;
		at = add_number(to, at, "DefaultTime2Wait", l->time2wait_s);
	}
	v = value_of(text, n, "DefaultTime2Retain");
	if (v != NULL) {
		l->time2retain_s = (uint32_t)strtoul(v, NULL, 10) < l->w->time2retain
				       ? (uint32_t)strtoul(v, NULL, 10)
				       : l->w->time2retain;
		at = add_number(to, at, "DefaultTime2Retain", l->time2retain_s);
	}
	return at;
}

/* The security stage; returns the length of the answer, *ret_ends: it goes on to the next, where
 * asked. */
static size_t
answer_security(
    struct fake_line *l, bool is_asked, const char *text, size_t n, char *to, bool *ret_ends)
{
	const char *list = value_of(text, n, "CHAP_A");
	size_t at = 0;

	*ret_ends = false;
	if (value_of(text, n, "CHAP_R") != NULL) {
		*ret_ends = true;
		if (value_of(text, n, "CHAP_C") != NULL) {
			at = add(to, at, "CHAP_N", "target");
			at = add(to, at, "CHAP_R", "0x00112233445566778899aabbccddeeff");
		}
		return at;
	}
	if (list != NULL) {
		cut_copy(l->w->offered_algorithms, sizeof l->w->offered_algorithms, list);
		at = add_number(to, at, "CHAP_A", (unsigned)strtoul(list, NULL, 10));
		at = add(to, at, "CHAP_I", "7");
		return add(to, at, "CHAP_C", "0x0102030405060708090a0b0c0d0e0f10");
	}
	*ret_ends = is_asked && !l->w->wants_chap;
	if (value_of(text, n, "AuthMethod") == NULL)
		return at;
	at = add(to, at, "AuthMethod", l->w->wants_chap ? "CHAP" : "None");
	at = add_number(to, at, "TargetPortalGroupTag", l->w->tpgt);
	return at;
}

static void
login_status(struct fake_line *l, const uint8_t *req, uint8_t class, uint8_t detail)
{
	uint8_t bhs[48] = { 0x23 };
	char to[FAKE_TEXT_BYTES];
	size_t n = 0;

	memcpy(bhs + 8, req + 8, 12);
	bhs[36] = class;
	bhs[37] = detail;
	if (class == 1)
		n = add(to, 0, "TargetAddress", l->w->redirect_to);
	fake_target_put(l, bhs, to, (uint32_t)n);
}

static void
login_go_on(struct fake_line *l, const uint8_t *req, const char *text, size_t n)
{
	uint8_t csg = req[1] >> 2 & 3, bhs[48] = { 0x23 };
	char to[FAKE_TEXT_BYTES];
	bool is_ended = true;
	size_t len;

	memcpy(bhs + 8, req + 8, 12);
	len = csg == 0 ? answer_security(l, (req[1] & 0x80) != 0, text, n, to, &is_ended)
		       : answer_keys(l, text, n, to);
	bhs[1] = csg == 0 ? (is_ended ? 0x81 : 0) : 0x87;
	if (csg != 0) {
		bhs[15] = 7; /* TSIH */
		l->is_online = true;
		l->tpgt = l->w->tpgt;
		l->w->logins++;
		if (l->w->disk != NULL)
			fake_disk_reinstated(l->w->disk, l->tpgt);
	}
	fake_target_put(l, bhs, to, (uint32_t)len);
}

void
fake_target_login(struct fake_line *l, const uint8_t *req, const char *text, size_t n)
{
	struct fake_world *w = l->w;
	const char *list = value_of(text, n, "CHAP_A");
	bool is_list = list != NULL && strchr(list, ',') != NULL;

	l->exp_cmd_sn = be_get32(req + 24);
	if (is_list && (w->refuses_lists || w->closes_on_lists)) {
		cut_copy(w->offered_algorithms, sizeof w->offered_algorithms, list);
		if (w->closes_on_lists)
			fake_target_hang_up(l);
		else
			login_status(l, req, 2, 2);
		return;
	}
	switch (w->login) {
	case FAKE_LOGIN_REDIRECT:
		if (strcmp(l->host, w->redirect_from) == 0) {
			login_status(l, req, 1, w->redirect_for_good ? 2 : 1);
			return;
		}
		break;
	case FAKE_LOGIN_STATUS:
		login_status(l, req, w->status[0], w->status[1]);
		return;
	case FAKE_LOGIN_DROP:
		fake_target_hang_up(l);
		return;
	case FAKE_LOGIN_SILENT:
		return;
	case FAKE_LOGIN_OK:
		break;
	}
	login_go_on(l, req, text, n);
}
