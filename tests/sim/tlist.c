/* SendTargets, RFC 7143, appendix C: lists that any portal may give, in parts of any size. */
#include <stdio.h>
#include <string.h>

#include "base/be.h"
#include "seek.h"
#include "target.h"

#define LIST_BYTES 16384

static struct made {
	char text[LIST_BYTES];
	uint32_t n;
	struct tlist_row *rows; /* or NULL */
	unsigned n_rows, targets;
	uint32_t begin[64]; /* of what is said of a target */
	const struct target *t;
	uint64_t list; /* which it is; 0: none */
} lists[8], *made = lists;

static void
put(const char *key, const char *value)
{
	made->n +=
	    (uint32_t)snprintf(made->text + made->n, LIST_BYTES - made->n, "%s=%s", key, value) + 1;
}

/* The same address again is no second one; with another tag it belongs to whichever group. */
static void
expect(const char *name, const char *host, unsigned port, unsigned tpgt)
{
	struct tlist_row *row;

	for (unsigned i = 0; i < made->n_rows && made->rows != NULL; i++) {
		row = &made->rows[i];
		if (strcmp(row->name, name) != 0 || strcmp(row->host, host) != 0 ||
		    row->port != port)
			continue;
		row->is_tag_open |= row->tpgt != tpgt;
		return;
	}
	if (made->rows != NULL) {
		row = &made->rows[made->n_rows];
		*row = (struct tlist_row){
			.port = (uint16_t)port, .tpgt = (uint16_t)tpgt, .target = made->targets
		};
		(void)snprintf(row->name, sizeof row->name, "%s", name);
		(void)snprintf(row->host, sizeof row->host, "%s", host);
	}
	made->n_rows++;
}

static void
put_address(const struct target *t, struct rng *r, const char *name)
{
	unsigned n = rng_below(r, 3), tag = 1 + rng_below(r, 3), port = 3260 + rng_below(r, 2);
	char host[48], text[80];

	switch (rng_below(r, 5)) {
	case 0:
		(void)snprintf(host, sizeof host, "2001:db8::%x", 1 + n);
		(void)snprintf(text, sizeof text, "[%s]:%u,%u", host, port, tag);
		break;
	case 1:
		(void)snprintf(host, sizeof host, "array%u.example.com", n);
		(void)snprintf(text, sizeof text, "%s:%u,%u", host, port, tag);
		break;
	case 2: /* any address is the one that was asked; the port may be left out */
		(void)snprintf(host, sizeof host, "192.0.2.1");
		(void)snprintf(text, sizeof text, "0.0.0.0,%u", tag);
		port = 3260;
		break;
	default:
		(void)snprintf(host, sizeof host, "10.0.%u.%u", t->i, n);
		(void)snprintf(text, sizeof text, "%s:%u,%u", host, port, tag);
	}
	put("TargetAddress", text);
	expect(name, host, port, tag);
}

static void
make(const struct target *t, uint64_t list, struct tlist_row *rows)
{
	struct rng r;
	unsigned targets;

	/* A list that is told in many parts is made once. */
	made = &lists[list % (sizeof lists / sizeof *lists)];
	if (rows == NULL && made->t == t && made->list == list)
		return;
	made->t = t;
	made->list = list;
	rng_init(&r, list, 0x700);
	made->n = made->n_rows = made->targets = 0;
	made->rows = rows;
	targets = rng_chance(&r, 300) ? rng_below(&r, 40) : rng_below(&r, 4);
	for (unsigned i = 0; i < targets; i++) {
		unsigned addresses = rng_below(&r, 5);
		char name[64];

		(void)snprintf(name, sizeof name, "iqn.2026-11.org.openisw:found%u", i);
		made->targets = i;
		made->begin[i] = made->n;
		put("TargetName", name);
		for (unsigned k = 0; k < addresses; k++)
			put_address(t, &r, name);
		/* One without an address is where it was asked for. */
		if (addresses == 0)
			expect(name, "192.0.2.1", 3260, 1);
	}
	made->targets = targets;
}

/*
 * A byte is wrong: of a key, a value, or between two, so that what follows is part of it.  It may
 * make what is said of this target belong to the one before.
 */
static void
spoil(struct rng *r, struct seek *s, uint32_t first, uint32_t n)
{
	static const uint8_t odd[] = { 0, '=', ',', ':', '[', ' ', 0x7f, 0xff };
	uint32_t at = first + rng_below(r, n);
	unsigned k = 0;

	while (k + 1 < made->targets && made->begin[k + 1] <= at)
		k++;
	made->text[at] =
	    (char)(rng_chance(r, 700) ? odd[rng_below(r, sizeof odd)] : rng_below(r, 256));
	made->list = 0;
	s->spoilt |= 3ull << k | (k > 0 ? 1ull << (k - 1) : 0);
}

unsigned
tlist_rows(const struct target *t, uint64_t list, struct tlist_row rows[SIM_FOUND])
{
	make(t, list, rows);
	return made->n_rows;
}

/* The next part; the last one ends it. */
static void
answer(struct tconn *c)
{
	bool is_slow = c->t->list_slow_until_us > sim_now(c->t->w);
	struct rng *r = &c->t->rng;
	struct seek *s = seek_of(c);
	uint8_t bhs[48] = { 0x24, 0x80 };
	uint32_t n;

	make(c->t, c->list, NULL);
	n = made->n - c->list_at;
	if (n > c->p.their_dsl || is_slow || rng_chance(r, 400)) {
		uint32_t most = n < c->p.their_dsl ? n : c->p.their_dsl;

		most = is_slow && most > 20 ? 20 : most;
		n = most > 0 ? 1 + rng_below(r, most) : 0;
	}
	be_put32(bhs + 16, c->list_itt);
	be_put32(bhs + 20, NO_TAG);
	if (c->list_at + n < made->n) {
		bhs[1] = 0x40; /* C */
		be_put32(bhs + 20, c->list_ttt = 0x1000 + rng_below(r, 1000));
	}
	for (unsigned i = rng_below(r, 4);
	     i > 0 && s != NULL && n > 0 && c->t->list_spoilt_until_us > sim_now(c->t->w); i--)
		spoil(r, s, c->list_at, n);
	twire_put(c, bhs, (const uint8_t *)made->text + c->list_at, n, true);
	c->list_at += n;
	if (s == NULL)
		return;
	s->list = c->list;
	s->is_told = c->list_at == made->n;
}

void
tlist_text(struct tconn *c, const uint8_t *bhs, const uint8_t *data, uint32_t n)
{
	static const char all[] = "SendTargets=All";
	uint32_t ttt = be_get32(bhs + 20);

	if (!c->is_discovery)
		tlaw_broken(c, "text in a normal session");
	if ((bhs[0] & 0x40) == 0)
		c->exp_cmd_sn++;
	if ((bhs[1] & 0x7f) != 0 || be_get32(bhs + 16) == NO_TAG)
		tlaw_broken(c, "text with flags %02x", bhs[1]);
	if (c->list_ttt == 0 || ttt == NO_TAG) {
		if (n != sizeof all || memcmp(data, all, n) != 0 || ttt != NO_TAG)
			tlaw_broken(c, "text that is not %s", all);
		c->list = rng_next(&c->t->rng);
		c->list_at = 0;
	} else if (ttt != c->list_ttt || n > 0) {
		tlaw_broken(c, "text for tag %x instead of %x, %u bytes", ttt, c->list_ttt, n);
	}
	c->list_ttt = 0;
	if (c->t->list_silent_until_us > sim_now(c->t->w))
		return;
	c->list_itt = be_get32(bhs + 16);
	if (c->t->list_slow_until_us <= sim_now(c->t->w))
		answer(c);
	else
		agenda_set(&c->t->w->agenda, &c->list_due,
		    sim_now(c->t->w) + rng_between(&c->t->rng, 1, 2 * SECOND));
}

void
tlist_due(struct agenda_timer *timer)
{
	answer(LIST_ENTRY(timer, struct tconn, list_due));
}
