#include "ini/fake_target.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/be.h"
#include "base/cut.h"
#include "ini/fake_disk.h"

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

void
fake_target_hang_up(struct fake_line *l)
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
		fake_target_hang_up(l);
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
	char to[FAKE_TEXT_BYTES];
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
		fake_target_hang_up(l);
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
		fake_target_login(l, bhs, data, n);
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
