#include "ini/fake_target.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/be.h"
#include "base/cut.h"
#include "ini/fake_disk.h"

#define TEXT_BYTES 8192

/* ---- sending ---- */

static void
queue(struct fake_line *l, struct fake_pdu *p)
{
	p->at_us = l->w->agenda.now_us + l->w->answer_us;
	list_push_back(&l->out, &p->link);
	if (!l->send.armed)
		agenda_set(&l->w->agenda, &l->send, p->at_us);
}

/* What the initiator knows from now on. */
static void
deliver(struct fake_line *l, const struct fake_pdu *p)
{
	const uint8_t *bhs = p->bytes;
	bool is_async = bhs[0] == 0x32 && (bhs[36] == 2 || bhs[36] == 3);

	if (l->is_closing)
		return;
	if (bhs[0] == 0x23 && (bhs[1] & 0x83) == 0x83)
		l->is_welcome = true;
	if (bhs[0] == 0x26)
		l->time2wait_s = 0;
	if (is_async) {
		l->time2wait_s = be_get16(bhs + 40);
		l->time2retain_s = be_get16(bhs + 42);
	}
	fake_line_deliver(l, bhs, p->n);
}

static void
send_due(struct agenda_timer *t)
{
	struct fake_line *l = LIST_ENTRY(t, struct fake_line, send);
	struct fake_pdu *p;

	while (!list_empty(&l->out)) {
		p = LIST_ENTRY(l->out.next, struct fake_pdu, link);
		if (p->at_us > l->w->agenda.now_us) {
			agenda_set(&l->w->agenda, &l->send, p->at_us);
			return;
		}
		list_remove(&p->link);
		if (p->is_end)
			fake_line_end(l, 0);
		else
			deliver(l, p);
		free(p);
	}
}

static void
hang_up(struct fake_line *l)
{
	struct fake_pdu *p = calloc(1, sizeof *p);

	p->is_end = true;
	queue(l, p);
}

static void
put(struct fake_line *l, uint8_t *bhs, const void *data, uint32_t n, bool counts)
{
	size_t bytes = 48 + (n + 3) / 4 * 4;
	struct fake_pdu *p = calloc(1, sizeof *p + bytes);

	be_put24(bhs + 5, n);
	be_put32(bhs + 24, l->stat_sn);
	l->stat_sn += counts;
	be_put32(bhs + 28, l->exp_cmd_sn);
	be_put32(bhs + 32, l->exp_cmd_sn + l->w->window - 1);
	p->n = bytes;
	memcpy(p->bytes, bhs, 48);
	if (n > 0)
		memcpy(p->bytes + 48, data, n);
	queue(l, p);
}

void
fake_target_put(struct fake_line *l, uint8_t *bhs, const void *data, uint32_t n)
{
	put(l, bhs, data, n, true);
}

void
fake_target_async(struct fake_line *l, uint8_t event, const uint16_t parameter[3], uint16_t asc)
{
	uint8_t bhs[48] = { 0x32, 0x80 }, data[20] = { 0, 18, 0x70, 0, 6, 0, 0, 0, 0, 10 };

	if (l->sess == NULL || !l->is_online)
		return;
	be_put32(bhs + 16, 0xffffffff);
	bhs[36] = event;
	for (int i = 0; i < 3; i++)
		be_put16(bhs + 38 + 2 * i, parameter[i]);
	be_put16(data + 2 + 12, asc);
	put(l, bhs, data, event == 0 ? sizeof data : 0, true);
}

/* ---- the login ---- */

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
	return at + (size_t)snprintf(to + at, TEXT_BYTES - at, "%s=%s", key, value) + 1;
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
		l->time2wait_s =
		    (uint32_t)atoi(v) > l->w->time2wait ? (uint32_t)atoi(v) : l->w->time2wait;
		at = add_number(to, at, "DefaultTime2Wait", l->time2wait_s);
	}
	v = value_of(text, n, "DefaultTime2Retain");
	if (v != NULL) {
		l->time2retain_s =
		    (uint32_t)atoi(v) < l->w->time2retain ? (uint32_t)atoi(v) : l->w->time2retain;
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
		at = add_number(to, at, "CHAP_A", (unsigned)atoi(list));
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
	char to[128];
	size_t n = 0;

	memcpy(bhs + 8, req + 8, 12);
	bhs[36] = class;
	bhs[37] = detail;
	if (class == 1)
		n = add(to, 0, "TargetAddress", l->w->redirect_to);
	put(l, bhs, to, (uint32_t)n, true);
}

static void
login_go_on(struct fake_line *l, const uint8_t *req, const char *text, size_t n)
{
	uint8_t csg = req[1] >> 2 & 3, bhs[48] = { 0x23 };
	char to[TEXT_BYTES];
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
	put(l, bhs, to, (uint32_t)len, true);
}

static void
login_in(struct fake_line *l, const uint8_t *req, const char *text, size_t n)
{
	struct fake_world *w = l->w;
	const char *list = value_of(text, n, "CHAP_A");
	bool is_list = list != NULL && strchr(list, ',') != NULL;

	l->exp_cmd_sn = be_get32(req + 24);
	if (is_list && (w->refuses_lists || w->closes_on_lists)) {
		cut_copy(w->offered_algorithms, sizeof w->offered_algorithms, list);
		if (w->closes_on_lists)
			hang_up(l);
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
		hang_up(l);
		return;
	case FAKE_LOGIN_SILENT:
		return;
	case FAKE_LOGIN_OK:
		break;
	}
	login_go_on(l, req, text, n);
}

/* ---- the full feature phase ---- */

static void
command_in(struct fake_line *l, const uint8_t *req, const void *data, uint32_t n)
{
	uint8_t bhs[48] = { 0x21, 0x80 };

	l->exp_cmd_sn = be_get32(req + 24) + 1;
	l->w->commands++;
	if (l->w->is_commandless)
		return;
	if (l->w->disk != NULL) {
		fake_disk_command(l->w->disk, l, req, data, n);
		return;
	}
	memcpy(bhs + 16, req + 16, 4);
	put(l, bhs, NULL, 0, true);
}

static void
ping_in(struct fake_line *l, const uint8_t *req, const void *data, uint32_t n)
{
	uint8_t bhs[48] = { 0x20, 0x80 };

	memcpy(bhs + 16, req + 16, 4);
	be_put32(bhs + 20, 0xffffffff);
	if (be_get32(req + 16) != 0xffffffff)
		put(l, bhs, data, n, true);
}

static void
logout_in(struct fake_line *l, const uint8_t *req)
{
	uint8_t bhs[48] = { 0x26, 0x80 };

	if (l->w->logout == FAKE_LOGOUT_SILENT)
		return;
	if (l->w->logout == FAKE_LOGOUT_DROP) {
		hang_up(l);
		return;
	}
	l->w->logouts++;
	if (l->w->disk != NULL && l->w->logout_response == 0)
		fake_disk_logged_out(l->w->disk, l);
	bhs[2] = l->w->logout_response;
	memcpy(bhs + 16, req + 16, 4);
	put(l, bhs, NULL, 0, true);
}

static void
abort_in(struct fake_line *l, const uint8_t *req)
{
	uint8_t bhs[48] = { 0x22, 0x80 };

	memcpy(bhs + 16, req + 16, 4);
	put(l, bhs, NULL, 0, true);
}

static void
text_in(struct fake_line *l, const uint8_t *req)
{
	uint8_t bhs[48] = { 0x24, 0x80 }, reject[48] = { 0x3f, 0x80, 0x04 };
	char to[TEXT_BYTES];
	size_t n = strlen(l->w->targets);

	memcpy(bhs + 16, req + 16, 4);
	be_put32(bhs + 20, 0xffffffff);
	memcpy(to, l->w->targets, n + 1);
	for (size_t i = 0; i < n; i++)
		if (to[i] == '\n')
			to[i] = '\0';
	switch (l->w->text) {
	case FAKE_TEXT_ENDLESS:
		bhs[1] = 0x40; /* C: more follows */
		be_put32(bhs + 20, 99);
		put(l, bhs, to, (uint32_t)n, true);
		break;
	case FAKE_TEXT_OK:
		put(l, bhs, to, (uint32_t)n, true);
		break;
	case FAKE_TEXT_REJECT:
		be_put32(reject + 16, 0xffffffff);
		put(l, reject, req, 48, true);
		break;
	case FAKE_TEXT_DROP:
		hang_up(l);
		break;
	case FAKE_TEXT_SILENT:
		break;
	}
}

static void
pdu_in(struct fake_line *l, const uint8_t *bhs, const char *data, uint32_t n)
{
	uint8_t opcode = bhs[0] & 0x3f;

	if (opcode == 0x03) {
		login_in(l, bhs, data, n);
		return;
	}
	if (l->w->is_silent)
		return;
	switch (opcode) {
	case 0x00:
		ping_in(l, bhs, data, n);
		break;
	case 0x01:
		command_in(l, bhs, data, n);
		break;
	case 0x02:
		abort_in(l, bhs);
		break;
	case 0x04:
		text_in(l, bhs);
		break;
	case 0x06:
		logout_in(l, bhs);
		break;
	}
}

void
fake_target_bytes(struct fake_line *l, const void *bytes, size_t n)
{
	size_t used = 0;

	assert(l->n_in + n <= sizeof l->in);
	memcpy(l->in + l->n_in, bytes, n);
	l->n_in += n;
	while (l->n_in - used >= 48) {
		const uint8_t *bhs = l->in + used;
		uint32_t len = be_get24(bhs + 5);
		size_t all = 48 + (len + 3) / 4 * 4;

		if (l->n_in - used < all)
			break;
		pdu_in(l, bhs, (const char *)bhs + 48, len);
		used += all;
	}
	l->n_in -= used;
	memmove(l->in, l->in + used, l->n_in);
}

void
fake_target_init(struct fake_line *l)
{
	list_init(&l->out);
	l->send.expired = send_due;
}

void
fake_target_reset(struct fake_line *l)
{
	struct list *node;

	if (l->w->disk != NULL)
		fake_disk_lost(l->w->disk, l, (l->time2wait_s + l->time2retain_s) * 1000000ull);
	agenda_clear(&l->w->agenda, &l->send);
	while ((node = list_pop(&l->out)) != NULL)
		free(LIST_ENTRY(node, struct fake_pdu, link));
	l->n_in = 0;
	l->stat_sn = 1000;
	l->is_online = l->is_welcome = false;
}

void
fake_target_fini(struct fake_line *l)
{
	fake_target_reset(l);
}
