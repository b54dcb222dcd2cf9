#include "target.h"

#include <sys/socket.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct target {
	int listener;
	uint16_t port;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t idle;
	bool is_busy;
	struct fault_plan plan;
	struct target_report report;

	/* The thread's own. */
	int fd;
	struct fault_plan now; /* of this connection */
	bool is_over;
	bool digests; /* in force */
	size_t sent, received;
	uint32_t stat_sn, exp_cmd_sn, itt;
	uint8_t memory[FAULT_BYTES];
};

uint8_t
target_pattern(size_t i)
{
	return (uint8_t)(i * 131 + (i >> 8) * 7 + 3);
}

static uint32_t
get32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void
put32(uint8_t *p, uint32_t v)
{
	for (int i = 0; i < 4; i++)
		p[i] = (uint8_t)(v >> (24 - 8 * i));
}

/* CRC32C bit by bit, least significant byte first on the wire. */
static void
put_crc(uint8_t *out, const uint8_t *p, size_t n)
{
	uint32_t c = 0xffffffff;

	for (size_t i = 0; i < n; i++) {
		c ^= p[i];
		for (int k = 0; k < 8; k++)
			c = (c & 1) != 0 ? c >> 1 ^ 0x82f63b78 : c >> 1;
	}
	for (int i = 0; i < 4; i++)
		out[i] = (uint8_t)(~c >> 8 * i);
}

/* Read until the peer closes, or nobody does in a time that only a hung client needs. */
static void
wait_for_close(struct target *t)
{
	struct pollfd p = { .fd = t->fd, .events = POLLIN };
	uint8_t waste[4096];

	while (poll(&p, 1, 15000) == 1 && recv(t->fd, waste, sizeof waste, 0) > 0)
		continue;
}

static void
fail_now(struct target *t)
{
	struct linger hard = { .l_onoff = 1 };

	t->is_over = true;
	pthread_mutex_lock(&t->lock);
	t->report.failed = true;
	pthread_mutex_unlock(&t->lock);
	switch (t->now.kind) {
	case FAULT_NONE:
	case FAULT_CORRUPT:
	case FAULT_DROP:
		break;
	case FAULT_RESET:
		(void)setsockopt(t->fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
		break;
	case FAULT_HALF:
		(void)shutdown(t->fd, SHUT_WR);
		wait_for_close(t);
		break;
	case FAULT_STALL:
		wait_for_close(t);
		break;
	}
}

/* How many of n bytes may pass before the plan says stop. */
static size_t
until_fault(const struct target *t, bool is_received, size_t n)
{
	size_t at = is_received ? t->received : t->sent;

	if (t->now.kind == FAULT_NONE || t->now.kind == FAULT_CORRUPT ||
	    t->now.is_received != is_received || at + n < t->now.at)
		return n;
	return t->now.at > at ? t->now.at - at : 0;
}

static bool
take(struct target *t, void *to, size_t n)
{
	size_t may = until_fault(t, true, n), got = 0;

	while (!t->is_over && got < may) {
		ssize_t some = recv(t->fd, (uint8_t *)to + got, may - got, 0);

		if (some <= 0)
			t->is_over = true;
		else
			got += (size_t)some;
	}
	t->received += got;
	if (!t->is_over && (may < n || (t->now.is_received && t->received == t->now.at &&
					   t->now.kind != FAULT_NONE)))
		fail_now(t);
	return !t->is_over && got == n;
}

static void
give(struct target *t, uint8_t *from, size_t n)
{
	size_t may = until_fault(t, false, n), gone = 0;

	if (t->now.kind == FAULT_CORRUPT && t->now.at >= t->sent && t->now.at < t->sent + n) {
		from[t->now.at - t->sent] ^= 0x10;
		pthread_mutex_lock(&t->lock);
		t->report.failed = true;
		pthread_mutex_unlock(&t->lock);
	}
	while (!t->is_over && gone < may) {
		ssize_t some = send(t->fd, from + gone, may - gone, MSG_NOSIGNAL);

		if (some <= 0)
			t->is_over = true;
		else
			gone += (size_t)some;
	}
	t->sent += gone;
	if (!t->is_over && t->now.kind != FAULT_NONE && t->now.kind != FAULT_CORRUPT &&
	    !t->now.is_received && t->sent >= t->now.at)
		fail_now(t);
}

/* A PDU with all that belongs to it, in one piece. */
static void
give_pdu(struct target *t, uint8_t *bhs, const void *data, size_t n)
{
	uint8_t out[4096];
	size_t at = 48, padded = (n + 3) / 4 * 4;

	bhs[5] = (uint8_t)(n >> 16);
	bhs[6] = (uint8_t)(n >> 8);
	bhs[7] = (uint8_t)n;
	put32(bhs + 28, t->exp_cmd_sn);
	put32(bhs + 32, t->exp_cmd_sn + 8);
	memcpy(out, bhs, 48);
	if (t->digests) {
		put_crc(out + at, bhs, 48);
		at += 4;
	}
	if (n > 0) {
		memset(out + at, 0, padded);
		memcpy(out + at, data, n);
		if (t->digests)
			put_crc(out + at + padded, out + at, padded);
		at += padded + (t->digests ? 4 : 0);
	}
	give(t, out, at);
}

static bool
take_pdu(struct target *t, uint8_t *bhs, uint8_t *data, size_t *ret_n)
{
	uint8_t rest[8];
	size_t n;

	if (!take(t, bhs, 48) || (t->digests && !take(t, rest, 4)))
		return false;
	n = (size_t)bhs[5] << 16 | (size_t)bhs[6] << 8 | bhs[7];
	*ret_n = n;
	if (n > 8192 || (n > 0 && !take(t, data, (n + 3) / 4 * 4)))
		return false;
	return n == 0 || !t->digests || take(t, rest, 4);
}

static void
answer_login(struct target *t, const uint8_t *req)
{
	static const char first[] = "AuthMethod=None\0TargetPortalGroupTag=1";
	static const char second[] =
	    "MaxConnections=1\0InitialR2T=Yes\0ImmediateData=Yes\0MaxRecvDataSegmentLength=1024\0"
	    "MaxBurstLength=65536\0FirstBurstLength=512\0DefaultTime2Wait=2\0DefaultTime2Retain=0\0"
	    "MaxOutstandingR2T=1\0DataPDUInOrder=Yes\0DataSequenceInOrder=Yes\0"
	    "ErrorRecoveryLevel=0\0TaskReporting=RFC3720\0iSCSIProtocolLevel=1";
	static const char plain[] = "HeaderDigest=None\0DataDigest=None\0";
	static const char digests[] = "HeaderDigest=CRC32C\0DataDigest=CRC32C\0";
	bool is_last = (req[1] & 0x0c) != 0;
	uint8_t bhs[48] = { 0x23, is_last ? 0x87 : 0x81 };
	char text[1024];
	size_t n = 0;

	memcpy(bhs + 8, req + 8, 6);
	bhs[15] = 1;
	memcpy(bhs + 16, req + 16, 4);
	put32(bhs + 24, t->stat_sn++);
	t->exp_cmd_sn = get32(req + 24);
	if (is_last) {
		n = t->now.digests ? sizeof digests - 1 : sizeof plain - 1;
		memcpy(text, t->now.digests ? digests : plain, n);
		memcpy(text + n, second, sizeof second);
		n += sizeof second;
	} else {
		memcpy(text, first, sizeof first);
		n = sizeof first;
	}
	give_pdu(t, bhs, text, n);
	if (!is_last)
		return;
	t->digests = t->now.digests;
	pthread_mutex_lock(&t->lock);
	t->report.login_sent = t->sent;
	t->report.login_received = t->received;
	pthread_mutex_unlock(&t->lock);
}

/* GOOD; a write is acknowledged when the last byte of this is certain to leave. */
static void
answer_good(struct target *t, bool is_write)
{
	uint8_t bhs[48] = { 0x21, 0x80 };
	size_t bytes = t->digests ? 52 : 48;
	bool is_different = false;

	put32(bhs + 16, t->itt);
	put32(bhs + 24, t->stat_sn++);
	for (size_t i = 0; i < FAULT_BYTES; i++)
		is_different |= t->memory[i] != target_pattern(i);
	if (is_write && until_fault(t, false, bytes) == bytes) {
		pthread_mutex_lock(&t->lock);
		t->report.acknowledged++;
		t->report.is_different |= is_different;
		pthread_mutex_unlock(&t->lock);
	}
	give_pdu(t, bhs, NULL, 0);
}

static void
ask_for_data(struct target *t, uint32_t from)
{
	uint8_t bhs[48] = { 0x31, 0x80 };

	put32(bhs + 16, t->itt);
	put32(bhs + 20, 0x1234);
	put32(bhs + 24, t->stat_sn);
	put32(bhs + 40, from);
	put32(bhs + 44, FAULT_BYTES - from);
	give_pdu(t, bhs, NULL, 0);
}

static void
answer_read(struct target *t)
{
	for (uint32_t i = 0; i < 3; i++) {
		uint8_t bhs[48] = { 0x25, i == 2 ? 0x80 : 0 }, data[FAULT_BYTES / 3];

		for (size_t k = 0; k < sizeof data; k++)
			data[k] = target_pattern(i * sizeof data + k);
		put32(bhs + 16, t->itt);
		put32(bhs + 20, 0xffffffff);
		put32(bhs + 36, i);
		put32(bhs + 40, i * (uint32_t)sizeof data);
		give_pdu(t, bhs, data, sizeof data);
	}
	answer_good(t, false);
}

static void
answer(struct target *t, const uint8_t *bhs, const uint8_t *data, size_t n)
{
	uint8_t out[48] = { 0 };
	uint32_t offset;

	switch (bhs[0] & 0x3f) {
	case 0x01:
		t->exp_cmd_sn = get32(bhs + 24) + 1;
		t->itt = get32(bhs + 16);
		if ((bhs[1] & 0x20) == 0) {
			answer_read(t);
			break;
		}
		memset(t->memory, 0, sizeof t->memory);
		memcpy(t->memory, data, n);
		ask_for_data(t, (uint32_t)n);
		break;
	case 0x03:
		answer_login(t, bhs);
		break;
	case 0x05:
		offset = get32(bhs + 40);
		if (offset + n <= FAULT_BYTES)
			memcpy(t->memory + offset, data, n);
		if ((bhs[1] & 0x80) != 0)
			answer_good(t, true);
		break;
	case 0x02: /* a task management function: complete */
	case 0x06: /* a logout: closed */
		out[0] = (uint8_t)((bhs[0] & 0x3f) | 0x20);
		out[1] = 0x80;
		memcpy(out + 16, bhs + 16, 4);
		put32(out + 24, t->stat_sn++);
		give_pdu(t, out, NULL, 0);
		break;
	}
}

static void
serve(struct target *t)
{
	uint8_t bhs[48], data[8192 + 4];
	size_t n;

	t->is_over = t->digests = false;
	t->sent = t->received = 0;
	t->stat_sn = 100;
	if (t->now.kind != FAULT_NONE && t->now.kind != FAULT_CORRUPT && t->now.at == 0)
		fail_now(t);
	while (!t->is_over && take_pdu(t, bhs, data, &n))
		answer(t, bhs, data, n);
	(void)close(t->fd); /* the peer sees that it is over either way */
}

static void *
run(void *user)
{
	struct target *t = user;
	int one = 1;

	while ((t->fd = accept(t->listener, NULL, NULL)) >= 0) {
		(void)setsockopt(t->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
		pthread_mutex_lock(&t->lock);
		t->is_busy = true;
		t->now = t->plan;
		if (t->report.connections++ > 0)
			t->now.kind = FAULT_NONE;
		pthread_mutex_unlock(&t->lock);
		serve(t);
		pthread_mutex_lock(&t->lock);
		t->report.sent = t->sent;
		t->report.received = t->received;
		t->is_busy = false;
		pthread_cond_broadcast(&t->idle);
		pthread_mutex_unlock(&t->lock);
	}
	return NULL;
}

struct target *
target_new(void)
{
	struct target *t = calloc(1, sizeof *t);
	struct sockaddr_in at = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof at;

	if (t == NULL)
		abort();
	t->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (t->listener < 0 || bind(t->listener, (struct sockaddr *)&at, len) != 0 ||
	    listen(t->listener, 16) != 0 ||
	    getsockname(t->listener, (struct sockaddr *)&at, &len) != 0) {
		perror("a listening socket on loopback");
		exit(1);
	}
	t->port = ntohs(at.sin_port);
	pthread_mutex_init(&t->lock, NULL);
	pthread_cond_init(&t->idle, NULL);
	if (pthread_create(&t->thread, NULL, run, t) != 0)
		abort();
	return t;
}

void
target_free(struct target *t)
{
	(void)shutdown(t->listener, SHUT_RDWR); /* wakes accept() */
	pthread_join(t->thread, NULL);
	(void)close(t->listener);
	pthread_mutex_destroy(&t->lock);
	pthread_cond_destroy(&t->idle);
	free(t);
}

uint16_t
target_port(const struct target *t)
{
	return t->port;
}

void
target_plan(struct target *t, const struct fault_plan *plan)
{
	pthread_mutex_lock(&t->lock);
	t->plan = *plan;
	t->report = (struct target_report){ 0 };
	pthread_mutex_unlock(&t->lock);
}

struct target_report
target_report(struct target *t)
{
	struct target_report r;

	pthread_mutex_lock(&t->lock);
	r = t->report;
	pthread_mutex_unlock(&t->lock);
	return r;
}

void
target_wait(struct target *t)
{
	pthread_mutex_lock(&t->lock);
	while (t->is_busy)
		pthread_cond_wait(&t->idle, &t->lock);
	pthread_mutex_unlock(&t->lock);
}
