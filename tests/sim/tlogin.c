/* A target's side of a login: RFC 7143, chapters 6 and 13, with any legal result. */
#include "tlogin.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/be.h"
#include "net.h"
#include "seek.h"
#include "target.h"
#include "tchap.h"
#include "visits.h"

void
tlogin_add(struct tconn *c, const char *key, const char *value)
{
	size_t k = strlen(key), v = strlen(value) + 1;

	if (c->reply_n + k + 1 + v > sizeof c->reply)
		sim_fail(c->t->w, "simulator", "a login's answer is too long");
	memcpy(c->reply + c->reply_n, key, k);
	c->reply[c->reply_n + k] = '=';
	memcpy(c->reply + c->reply_n + k + 1, value, v);
	c->reply_n += (uint32_t)(k + 1 + v);
}

void
tlogin_add_number(struct tconn *c, const char *key, uint32_t v)
{
	char text[16];

	(void)snprintf(text, sizeof text, "%u", v);
	tlogin_add(c, key, text);
}

static uint32_t
lower(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

/* A list: CRC32C where it is offered and liked. */
static bool
answer_digest(struct tconn *c, const char *key, const char *value)
{
	bool is_crc = strstr(value, "CRC32C") != NULL && rng_chance(&c->t->rng, 800);

	tlogin_add(c, key, is_crc ? "CRC32C" : "None");
	return is_crc;
}

static bool
answer_bool(struct tconn *c, const char *key, const char *value, bool is_or)
{
	bool is_yes = strcmp(value, "Yes") == 0, is_ours = rng_chance(&c->t->rng, 500);
	bool result = is_or ? is_yes || is_ours : is_yes && is_ours;

	if (!is_yes && strcmp(value, "No") != 0)
		tlaw_broken(c, "%s=%s", key, value);
	tlogin_add(c, key, result ? "Yes" : "No");
	return result;
}

static uint32_t
answer_min(struct tconn *c, const char *key, const char *value, uint32_t ours)
{
	uint32_t result = lower((uint32_t)strtoul(value, NULL, 0), ours);

	tlogin_add_number(c, key, result);
	return result;
}

static void
answer_time(struct tconn *c, const char *key, const char *value, bool is_wait)
{
	uint32_t theirs = (uint32_t)strtoul(value, NULL, 0);

	if (is_wait) {
		uint32_t ours = rng_chance(&c->t->rng, 300) ? rng_below(&c->t->rng, 5) : 0;

		c->p.time2wait = theirs > ours ? theirs : ours;
		tlogin_add_number(c, key, c->p.time2wait);
	} else {
		c->p.time2retain = answer_min(c, key, value, rng_below(&c->t->rng, 20));
	}
}

static void
answer_task_reporting(struct tconn *c, const char *value)
{
	static const char *const words[] = { "RFC3720", "ResponseFence", "FastAbort" };
	const char *word = words[rng_below(&c->t->rng, 3)];

	if (strstr(value, word) == NULL)
		word = words[0];
	c->p.fast_abort = word == words[2];
	tlogin_add(c, "TaskReporting", word);
}

static bool
answer_number(struct tconn *c, const char *key, const char *value)
{
	struct rng *r = &c->t->rng;
	struct tparams *p = &c->p;

	if (strcmp(key, "MaxRecvDataSegmentLength") == 0) {
		p->their_dsl = (uint32_t)strtoul(value, NULL, 0);
		p->our_dsl = (uint32_t)rng_span(r, 512, 16384);
		tlogin_add_number(c, key, p->our_dsl);
	} else if (strcmp(key, "MaxBurstLength") == 0) {
		p->max_burst = answer_min(c, key, value, (uint32_t)rng_span(r, 512, 16384));
	} else if (strcmp(key, "FirstBurstLength") == 0) {
		p->first_burst = lower(p->max_burst, (uint32_t)rng_span(r, 512, 16384));
		p->first_burst = answer_min(c, key, value, p->first_burst);
	} else if (strcmp(key, "MaxOutstandingR2T") == 0) {
		p->max_r2t = answer_min(c, key, value, 1 + rng_below(r, TARGET_R2T));
	} else if (strcmp(key, "MaxConnections") == 0 || strcmp(key, "iSCSIProtocolLevel") == 0) {
		(void)answer_min(c, key, value, 1);
	} else if (strcmp(key, "ErrorRecoveryLevel") == 0) {
		(void)answer_min(c, key, value, rng_below(r, 3));
	} else if (strcmp(key, "DefaultTime2Wait") == 0) {
		answer_time(c, key, value, true);
	} else if (strcmp(key, "DefaultTime2Retain") == 0) {
		answer_time(c, key, value, false);
	} else {
		return false;
	}
	return true;
}

/* CHAP where it is offered, nearly always; else what else is offered. */
static void
answer_auth(struct tconn *c, const char *value)
{
	bool is_none_fine = strstr(value, "None") != NULL;

	c->chap.is_on =
	    strstr(value, "CHAP") != NULL && (!is_none_fine || rng_chance(&c->t->rng, 850));
	if (!c->chap.is_on && !is_none_fine)
		tlaw_broken(c, "AuthMethod=%s", value);
	if (!c->chap.is_on) {
		visits_auth(VISITS_AUTH_NONE);
		tlogin_add(c, "AuthMethod", "None");
	}
}

static void
answer_key(struct tconn *c, const char *key, const char *value)
{
	struct tparams *p = &c->p;

	if (strcmp(key, "AuthMethod") == 0)
		answer_auth(c, value);
	else if (strcmp(key, "HeaderDigest") == 0)
		p->header_digest = answer_digest(c, key, value);
	else if (strcmp(key, "DataDigest") == 0)
		p->data_digest = answer_digest(c, key, value);
	else if (strcmp(key, "InitialR2T") == 0)
		p->initial_r2t = answer_bool(c, key, value, true);
	else if (strcmp(key, "ImmediateData") == 0)
		p->immediate_data = answer_bool(c, key, value, false);
	else if (strcmp(key, "DataPDUInOrder") == 0 || strcmp(key, "DataSequenceInOrder") == 0)
		tlogin_add(c, key, "Yes");
	else if (strcmp(key, "TaskReporting") == 0)
		answer_task_reporting(c, value);
	else if (!answer_number(c, key, value) && strcmp(key, "InitiatorName") != 0 &&
		 strcmp(key, "InitiatorAlias") != 0 && strcmp(key, "TargetName") != 0 &&
		 strcmp(key, "SessionType") != 0 && strncmp(key, "CHAP_", 5) != 0)
		tlogin_add(c, key, "NotUnderstood");
}

/* ---- who it is ---- */

const char *
tlogin_value(const struct tconn *c, const char *key)
{
	size_t n = strlen(key);

	for (const char *p = c->text; p < c->text + c->text_n; p += strlen(p) + 1)
		if (strncmp(p, key, n) == 0 && p[n] == '=')
			return p + n + 1;
	return NULL;
}

static void
check_names(struct tconn *c)
{
	const char *target = tlogin_value(c, "TargetName"), *type = tlogin_value(c, "SessionType");
	const char *name = tlogin_value(c, "InitiatorName");
	const struct owner *o = &c->t->w->owners[c->t->i];
	unsigned number, oldest = o->dialled_name;

	c->is_discovery = (c->isid[4] & 0x80) != 0;
	if (c->is_discovery && seek_of(c) != NULL)
		oldest = seek_of(c)->renames;
	if (c->is_discovery ? target != NULL : target == NULL || strcmp(target, c->t->name) != 0)
		tlaw_broken(c, "a login to %s", target != NULL ? target : "nobody");
	if (strcmp(type != NULL ? type : "Normal", c->is_discovery ? "Discovery" : "Normal") != 0)
		tlaw_broken(c, "a session of type %s", type != NULL ? type : "Normal");
	if (name == NULL || sscanf(name, "iqn.2026-11.org.openisw:host%u", &number) != 1 ||
	    (number < oldest && c->net->o != NULL) || number > o->renames)
		tlaw_broken(c, "a login by %s, which is not its name any more",
		    name != NULL ? name : "nobody");
	(void)snprintf(c->name, sizeof c->name, "%s", name);
}

/* RFC 7143, section 6.3.5: the session that it had in this portal group is over. */
static bool
is_reinstated(const struct tconn *c, const struct tconn *old)
{
	return strcmp(old->name, c->name) == 0 &&
	       c->t->groups[old->portal] == c->t->groups[c->portal];
}

static void
reinstate(struct tconn *c)
{
	LIST_EACH(node, tmp, &c->t->conns)
	{
		struct tconn *o = LIST_ENTRY(node, struct tconn, link);

		if (o == c || !o->is_alive || memcmp(o->isid, c->isid, 6) != 0)
			continue;
		if (!is_reinstated(c, o))
			continue;
		TRACE(c->t->w, "target %u: a session is reinstated", c->t->i);
		tconn_kill(o);
	}
	c->is_alive = true;
	c->tsih = ++c->t->tsih != 0 ? c->t->tsih : ++c->t->tsih;
	c->t->w->logins++;
	/* Somebody else with its name and ISID logs in again, too. */
	if (c->t->twin_until_us > sim_now(c->t->w) && !c->is_discovery &&
	    c->t->groups[c->portal] == c->t->groups[c->t->twin_portal])
		agenda_set(&c->t->w->agenda, &c->death,
		    sim_now(c->t->w) + rng_span(&c->t->rng, 100, 2 * SECOND));
}

/* ---- responses ---- */

static void
respond(struct tconn *c, uint8_t flags, const char *text, uint32_t n)
{
	uint8_t bhs[48] = { 0x23, flags };

	memcpy(bhs + 8, c->isid, 6);
	be_put16(bhs + 14, (flags & 0x83) == 0x83 ? c->tsih : 0);
	be_put32(bhs + 16, c->login_itt);
	twire_put(c, bhs, (const uint8_t *)text, n, true);
}

static void
respond_status(struct tconn *c, uint8_t class, uint8_t detail)
{
	uint8_t bhs[48] = { 0x23 };

	memcpy(bhs + 8, c->isid, 6);
	be_put32(bhs + 16, c->login_itt);
	bhs[36] = class;
	bhs[37] = detail;
	twire_put(c, bhs, (const uint8_t *)c->reply, c->reply_n, true);
	agenda_set(&c->t->w->agenda, &c->close_timer, sim_now(c->t->w) + 20000);
}

/* The whole of c->reply, or a part of it. */
static void
respond_text(struct tconn *c)
{
	uint32_t n = c->reply_n - c->reply_at, limit = 8192;
	uint8_t csg = c->phase == T_SECURITY ? 0 : 1, nsg = c->reply_nsg;

	if (n > 40 && rng_chance(&c->t->rng, 100))
		limit = 20 + rng_below(&c->t->rng, n - 20);
	if (n > limit) {
		respond(c, (uint8_t)(0x40 | csg << 2), c->reply + c->reply_at, limit);
		c->reply_at += limit;
		return;
	}
	if (c->reply_transit && nsg == 3)
		reinstate(c);
	respond(c, (uint8_t)(c->reply_transit ? 0x80 | csg << 2 | nsg : csg << 2),
	    c->reply + c->reply_at, n);
	c->reply_n = c->reply_at = 0;
	if (!c->reply_transit)
		return;
	c->phase = nsg == 3 ? T_FULL : T_OPERATIONAL;
	c->is_full = nsg == 3;
	c->seen_stat_sn = c->stat_sn - 1;
}

/* True: nothing more is to be said. */
static bool
is_turned_away(struct tconn *c)
{
	struct target *t = c->t;
	uint64_t now = sim_now(t->w);
	char to[64];

	if (t->login_silent_until_us > now)
		return true;
	if (t->redirect_until_us > now && c->portal == t->redirect_from) {
		unsigned other = 1 - c->portal;

		(void)snprintf(to, sizeof to, "10.0.%u.%u:3260,%u", t->i, other, t->groups[other]);
		tlogin_add(c, "TargetAddress", to);
		respond_status(c, 1, t->is_redirect_permanent ? 2 : 1);
		return true;
	}
	if (t->login_refuse_until_us > now) {
		respond_status(c, t->status_class, t->status_detail);
		return true;
	}
	return false;
}

static void
begin(struct tconn *c, const uint8_t *bhs)
{
	c->is_first = false;
	c->login_itt = be_get32(bhs + 16);
	c->exp_cmd_sn = be_get32(bhs + 24);
	c->max_cmd_sn = c->exp_cmd_sn - 1;
	memcpy(c->isid, bhs + 8, 6);
	c->phase = (bhs[1] >> 2 & 3) == 0 ? T_SECURITY : T_OPERATIONAL;
	/* What holds without a word of it. */
	c->p.initial_r2t = c->p.immediate_data = true;
	c->p.their_dsl = c->p.our_dsl = 8192;
	c->p.max_burst = 262144;
	c->p.first_burst = 65536;
	c->p.max_r2t = 1;
	c->p.time2wait = 2;
	c->p.time2retain = 20;
}

static void
answer_all(struct tconn *c, bool is_start)
{
	if (is_start) {
		check_names(c);
		if (is_turned_away(c))
			return;
		/* 13.9: one that serves many targets has no tag to tell. */
		if (!c->is_discovery || rng_chance(&c->t->rng, 500))
			tlogin_add_number(c, "TargetPortalGroupTag", c->t->groups[c->portal]);
		if (rng_chance(&c->t->rng, 300))
			tlogin_add(c, "TargetAlias", "simulated");
	}
	for (char *p = c->text; p < c->text + c->text_n; p += strlen(p) + 1) {
		char *eq = strchr(p, '=');
		char key[64];

		if (eq == NULL || (size_t)(eq - p) >= sizeof key)
			tlaw_broken(c, "text without a value");
		memcpy(key, p, (size_t)(eq - p));
		key[eq - p] = '\0';
		answer_key(c, key, eq + 1);
	}
	if (c->chap.is_on && c->phase == T_SECURITY) {
		enum tchap_next next = tchap_step(c);

		if (next == TCHAP_REFUSE) {
			respond_status(c, 2, 1);
			return;
		}
		c->reply_transit = c->reply_transit && next == TCHAP_END;
	}
	c->text_n = 0;
	if (c->reply_transit && c->phase == T_OPERATIONAL && !c->was_extra &&
	    rng_chance(&c->t->rng, c->t->p_extra_round))
		c->reply_transit = !(c->was_extra = true);
	respond_text(c);
}

void
tlogin_in(struct tconn *c, const uint8_t *bhs, const uint8_t *data, uint32_t n)
{
	bool is_start = c->is_first;

	tlaw_login(c, bhs);
	if (c->is_impostor && c->reply_n == 0)
		tlaw_broken(c, "the next part of a login, and has not proved who it is");
	if (is_start)
		begin(c, bhs);
	if (c->text_n + n > sizeof c->text)
		tlaw_broken(c, "too much text in a login");
	memcpy(c->text + c->text_n, data, n);
	c->text_n += n;
	if ((bhs[1] & 0x40) != 0) {
		respond(c, (uint8_t)(bhs[1] & 0x0c), NULL, 0);
		c->is_first = is_start;
		return;
	}
	if (c->text_n > 0 && c->text[c->text_n - 1] != '\0')
		tlaw_broken(c, "text without its NUL");
	if (c->reply_at < c->reply_n && c->reply_at > 0) {
		if (n > 0)
			tlaw_broken(c, "text in the middle of the target's");
		respond_text(c);
		return;
	}
	c->reply_n = c->reply_at = 0;
	c->reply_transit = (bhs[1] & 0x80) != 0;
	c->reply_nsg = bhs[1] & 3;
	answer_all(c, is_start);
}
