/*
 * Core and engine driven directly: reads or writes at a fixed queue depth on
 * one session, with nothing above it.  Prints one row like the sticks it is
 * compared with (bench/compare):
 *
 *   label,op,bs,qd,digest,ios,secs,iops,MBps,p50,p99,user_us_io,sys_us_io,
 *   cpu_us_io,cpu_ms_GiB,util%,vcs_per_kio
 *
 * usage: bench_core PORT IQN LUN randread|randwrite|seqread|seqwrite BS QD SECS none|h|hd CPU LABEL
 * MAXIO=n in the environment: end after n I/Os (for strace and callgrind).
 */
#include <sys/resource.h>
#include <sys/socket.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "engine/link.h"

#define BENCH_SPAN (1ull << 30)
#define BENCH_WARM 300000

struct slot {
	struct req req;
};

static struct bench {
	struct loop *loop;
	struct sess *sess;
	struct link *link;
	struct agenda_timer timer;
	struct slot *slot;
	unsigned bs, qd, lun, in_flight;
	bool is_random, is_write, measuring, ending;
	uint64_t pos, random, ios, ios_max;
	double secs;
	struct rusage usage;
	uint64_t start_us;
	struct link_counts counts;
	const char *const *argv;
} b;

/* Latencies in units of 0.1 us would need a finer clock than loop_now(); this has its own. */
static uint64_t hist[64 << 6];
static uint64_t *started_ns;

static uint64_t
now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static void
hist_add(uint64_t v)
{
	unsigned e = v < 64 ? 0 : 63 - (unsigned)__builtin_clzll(v) - 5;

	hist[e == 0 ? v : (e << 6) + ((v >> (e - 1)) & 63)]++;
}

static double
hist_us(double part)
{
	uint64_t all = 0, seen = 0;

	for (size_t i = 0; i < sizeof hist / sizeof hist[0]; i++)
		all += hist[i];
	for (size_t i = 0; i < sizeof hist / sizeof hist[0]; i++) {
		seen += hist[i];
		if (seen > (uint64_t)((double)all * part))
			return (double)(i < 64 ? i : (64 + (i & 63)) << ((i >> 6) - 1)) / 1000;
	}
	return 0;
}

static double
seconds(struct timeval t)
{
	return (double)t.tv_sec + (double)t.tv_usec / 1e6;
}

static void
report(void)
{
	struct rusage u;
	double wall = (double)(loop_now_update(b.loop) - b.start_us) / 1e6, user, sys,
	       n = (double)b.ios;
	struct link_counts c = link_counts(b.link);

	getrusage(RUSAGE_SELF, &u);
	user = seconds(u.ru_utime) - seconds(b.usage.ru_utime);
	sys = seconds(u.ru_stime) - seconds(b.usage.ru_stime);
	printf("%s,%s,%u,%u,%s,%llu,%.2f,%.0f,%.1f,%.1f,%.1f,%.3f,%.3f,%.3f,%.1f,%.0f,%.1f\n",
	    b.argv[10], b.argv[4], b.bs, b.qd, b.argv[8], (unsigned long long)b.ios, wall, n / wall,
	    n * b.bs / wall / 1e6, hist_us(.5), hist_us(.99), user / n * 1e6, sys / n * 1e6,
	    (user + sys) / n * 1e6, (user + sys) * 1e3 / (n * b.bs / (1 << 30)),
	    (user + sys) / wall * 100, (double)(u.ru_nvcsw - b.usage.ru_nvcsw) * 1e3 / n);
	if (getenv("VERB") != NULL)
		fprintf(stderr, "  recv-calls/io %.3f send-calls/io %.3f\n",
		    (double)(c.recvs - b.counts.recvs) / n, (double)(c.sends - b.counts.sends) / n);
}

static void
submit(struct slot *s)
{
	uint64_t off;

	if (b.is_random) {
		b.random ^= b.random << 13;
		b.random ^= b.random >> 7;
		b.random ^= b.random << 17;
		off = b.random % (BENCH_SPAN / b.bs) * b.bs;
	} else {
		off = b.pos;
		b.pos = b.pos + 2ull * b.bs > BENCH_SPAN ? 0 : b.pos + b.bs;
	}
	s->req.cdb[0] = b.is_write ? 0x8a : 0x88;
	be_put64(s->req.cdb + 2, off / 512);
	be_put32(s->req.cdb + 10, b.bs / 512);
	started_ns[s - b.slot] = now_ns();
	b.in_flight++;
	sess_submit(b.sess, &s->req, loop_now(b.loop));
	agenda_defer(loop_agenda(b.loop), link_work(b.link));
}

static void
io_done(struct req *r)
{
	struct slot *s = r->user;

	b.in_flight--;
	if (r->result != REQ_DONE || r->status != 0 || (!b.is_write && r->data_got != b.bs)) {
		fprintf(stderr, "I/O failed: result %d, status 0x%x\n", (int)r->result, r->status);
		exit(1);
	}
	if (b.measuring) {
		hist_add(now_ns() - started_ns[s - b.slot]);
		if (++b.ios == b.ios_max)
			_exit(0);
	}
	if (!b.ending)
		submit(s);
	else if (b.in_flight == 0)
		loop_stop(b.loop);
}

static void
expired(struct agenda_timer *t)
{
	if (!b.measuring) {
		memset(hist, 0, sizeof hist);
		b.measuring = true;
		getrusage(RUSAGE_SELF, &b.usage);
		b.counts = link_counts(b.link);
		b.start_us = loop_now_update(b.loop);
		agenda_set(loop_agenda(b.loop), t, b.start_us + (uint64_t)(b.secs * 1e6));
		return;
	}
	report();
	b.measuring = false;
	b.ending = true;
}

static void
begin_load(struct req *r)
{
	(void)r; /* the unit attention some targets raise first */
	for (unsigned i = 0; i < b.qd; i++)
		submit(&b.slot[i]);
	b.measuring = b.ios_max > 0;
	if (!b.measuring)
		agenda_set(loop_agenda(b.loop), &b.timer, loop_now(b.loop) + BENCH_WARM);
}

static void
event(void *user, const struct sess_event *ev)
{
	static struct req tur;

	(void)user;
	if (ev->kind == SESS_EV_LOGIN_FAILED)
		fprintf(stderr, "login failed: %s\n", ev->login.reason);
	if (ev->kind != SESS_EV_ONLINE)
		return;
	tur.lun[1] = (uint8_t)b.lun;
	tur.done = begin_load;
	sess_submit(b.sess, &tur, loop_now(b.loop));
	agenda_defer(loop_agenda(b.loop), link_work(b.link));
}

static void
closed(void *user, int err, enum conn_result why)
{
	(void)user;
	fprintf(stderr, "connection closed: %s, %s\n", strerror(-err), conn_result_text(why));
	exit(1);
}

static int
dial(const char *port)
{
	struct sockaddr_in a = { .sin_family = AF_INET,
		.sin_port = htons((uint16_t)strtoul(port, NULL, 10)),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;

	if (fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof a) != 0) {
		perror("connect");
		exit(1);
	}
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	fcntl(fd, F_SETFL, O_NONBLOCK);
	return fd;
}

static void
set_up_session(const char *iqn, const char *digest)
{
	struct sess_cfg cfg = {
		.login = { .initiator_name = "iqn.2026-11.org.openisw:bench",
		    .target_name = iqn,
		    .expected_tpgt = -1 },
		.isid = { 0x80, 0, 0, (uint8_t)(getpid() >> 8), (uint8_t)getpid(), 1 },
		.slots = (uint16_t)(b.qd > 16 ? b.qd : 16),
		.nop_interval_ms = 5000,
	};
	static const struct link_ops ops = { .event = event, .closed = closed };
	struct neg_list crc = { .n = 1, .value = { NEG_DIGEST_CRC32C } }, none = { .n = 1 };

	neg_offer_default(&cfg.login.offer);
	cfg.login.offer.max_recv_dsl = 1 << 20;
	cfg.login.offer.first_burst = 1 << 20;
	cfg.login.offer.header_digest = digest[0] == 'h' ? crc : none;
	cfg.login.offer.data_digest = strcmp(digest, "hd") == 0 ? crc : none;
	b.sess = sess_new(&cfg);
	b.link = link_new(b.loop, b.sess, &ops, NULL);
}

static void
set_up_slots(void)
{
	size_t size = b.bs < 4096 ? 4096 : b.bs;

	b.slot = calloc(b.qd, sizeof *b.slot);
	started_ns = calloc(b.qd, sizeof *started_ns);
	for (unsigned i = 0; i < b.qd; i++) {
		struct req *r = &b.slot[i].req;

		r->data = aligned_alloc(4096, size);
		memset(r->data, (int)i + 1, size);
		r->data_len = b.bs;
		r->dir = b.is_write ? REQ_WRITE : REQ_READ;
		r->attr = REQ_SIMPLE;
		r->lun[1] = (uint8_t)b.lun;
		r->done = io_done;
		r->user = &b.slot[i];
	}
}

int
main(int argc, char **argv)
{
	cpu_set_t cpus;

	if (argc != 11) {
		fprintf(
		    stderr, "usage: bench_core PORT IQN LUN OP BS QD SECS none|h|hd CPU LABEL\n");
		return 2;
	}
	b.argv = (const char *const *)argv;
	b.lun = (unsigned)strtoul(argv[3], NULL, 10);
	b.bs = (unsigned)strtoul(argv[5], NULL, 10);
	b.qd = (unsigned)strtoul(argv[6], NULL, 10);
	b.secs = strtod(argv[7], NULL);
	b.is_random = strncmp(argv[4], "rand", 4) == 0;
	b.is_write = strstr(argv[4], "write") != NULL;
	b.random = 88172645463325252ull;
	b.timer.expired = expired;
	b.ios_max = getenv("MAXIO") != NULL ? strtoull(getenv("MAXIO"), NULL, 10) : 0;
	CPU_ZERO(&cpus);
	CPU_SET(strtoul(argv[9], NULL, 10), &cpus);
	(void)sched_setaffinity(
	    0, sizeof cpus, &cpus); /* a hint: the rows are comparable without */
	b.loop = loop_new();
	set_up_slots();
	set_up_session(argv[2], argv[8]);
	if (link_attach(b.link, dial(argv[1])) != 0 || loop_run(b.loop) != 0)
		return 1;
	return 0;
}
