/*
 * What the initiator is told to do: its configuration, its requests, its
 * clock, its socket.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "fault.h"
#include "words.h"

static uint32_t
ms(struct world *w, const char *text)
{
	return (uint32_t)(words_time_us(w, text) / 1000);
}

static void
config_word(struct world *w, const struct word *word)
{
	struct sess_cfg *cfg = &w->cfg;
	const char *v;

	if ((v = word_value(word, "slots")) != NULL)
		cfg->slots = (uint16_t)words_number(w, v, 0);
	else if ((v = word_value(word, "stat_sn")) != NULL) /* the target's first */
		w->stat_sn = (uint32_t)words_number(w, v, 0);
	else if ((v = word_value(word, "login_timeout")) != NULL)
		cfg->login_timeout_ms = ms(w, v);
	else if ((v = word_value(word, "logout_timeout")) != NULL)
		cfg->logout_timeout_ms = ms(w, v);
	else if ((v = word_value(word, "request_timeout")) != NULL)
		cfg->request_timeout_ms = ms(w, v);
	else if ((v = word_value(word, "abort_timeout")) != NULL)
		cfg->abort_timeout_ms = ms(w, v);
	else if ((v = word_value(word, "reset_timeout")) != NULL)
		cfg->reset_timeout_ms = ms(w, v);
	else if ((v = word_value(word, "nop_timeout")) != NULL)
		cfg->nop_timeout_ms = ms(w, v);
	else if ((v = word_value(word, "nop_interval")) != NULL)
		cfg->nop_interval_ms = ms(w, v);
	else if ((v = word_value(word, "tpgt")) != NULL)
		cfg->login.expected_tpgt = (int32_t)words_number(w, v, 0);
	else if ((v = word_value(word, "alias")) != NULL)
		cfg->login.initiator_alias = v;
	else if (strcmp(word->text, "discovery") == 0)
		cfg->login.target_name = NULL;
	else if (strcmp(word->text, "skip_security") == 0)
		cfg->login.skip_security = true;
	else
		world_fail(w, "there is no configuration '%s'", word->text);
}

void
command_config(struct world *w, const struct word *word, size_t n)
{
	for (size_t i = 1; i < n; i++)
		config_word(w, &word[i]);
}

void
command_offer(struct world *w, const struct word *word, size_t n)
{
	for (size_t i = 1; i < n; i++) {
		char name[LIMIT_KEY_NAME_BYTES + 1];
		enum key_id key;

		snprintf(name, sizeof name, "%.*s", (int)strcspn(word[i].text, "="), word[i].text);
		if (!neg_key_find(name, &key) ||
		    neg_parse_value(key, word[i].text + strlen(name) + 1, &w->cfg.login.offer) !=
			NEG_PARSE_OK)
			world_fail(w, "'%s' cannot be offered", word[i].text);
	}
}

void
command_silent(struct world *w, const struct word *word, size_t n)
{
	for (size_t i = 1; i < n; i++) {
		enum key_id key;

		if (!neg_key_find(word[i].text, &key))
			world_fail(w, "there is no key '%s'", word[i].text);
		else
			w->cfg.login.offer.silent |= NEG_BIT(key);
	}
}

/*
 * A stand-in for the algorithms, which the core takes from outside: each byte
 * of the result is a sum of what went in.  Algorithm 8 is not available.
 */
static size_t
toy_hash(void *ctx, unsigned algorithm, const struct chap_part *parts, size_t n, uint8_t *out)
{
	size_t bytes = chap_algorithm_bytes(algorithm);
	uint8_t sum = 0x11;

	(void)ctx;
	if (algorithm == 8)
		return 0;
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < parts[i].n; k++)
			sum = (uint8_t)(sum * 3 + ((const uint8_t *)parts[i].bytes)[k]);
	memset(out, sum, bytes);
	return bytes;
}

void
command_chap(struct world *w, const struct word *word, size_t n)
{
	static const uint8_t challenge[4] = { 1, 2, 3, 4 };
	struct chap_cfg *c = &w->chap;

	w->chap_ops.hash = toy_hash;
	*c = (struct chap_cfg){ .ops = &w->chap_ops,
		.identifier = 9,
		.challenge = challenge,
		.challenge_len = sizeof challenge };
	for (size_t i = 1; i < n; i++) {
		const char *v;

		if ((v = word_value(&word[i], "name")) != NULL)
			c->name = v;
		else if ((v = word_value(&word[i], "secret")) != NULL) {
			c->secret = (const uint8_t *)v;
			c->secret_len = strlen(v);
		} else if ((v = word_value(&word[i], "target_name")) != NULL)
			c->target_chap_name = v;
		else if ((v = word_value(&word[i], "target_secret")) != NULL) {
			c->mutual = CHAP_BI_SECRET;
			c->target_secret = (const uint8_t *)v;
			c->target_secret_len = strlen(v);
		} else if (strcmp(word[i].text, "ask") == 0)
			c->mutual = CHAP_BI_ASK;
		else if ((v = word_value(&word[i], "algorithm")) != NULL)
			c->algorithm[c->n_algorithms++] = (uint8_t)words_number(w, v, 0);
		else
			world_fail(w, "CHAP has no '%s'", word[i].text);
	}
	w->cfg.login.chap = c;
}

void
command_reconfigure(struct world *w, const struct word *word, size_t n)
{
	(void)word;
	(void)n;
	sess_configure(w->sess, &w->cfg);
}

void
command_connect(struct world *w, const struct word *word, size_t n)
{
	(void)word;
	(void)n;
	world_connect(w);
}

/* Splits "…" into words and runs it as a line of the script. */
static void
run_words(struct world *w, const char *const *text, size_t n)
{
	const struct line *line = w->line;
	struct word word[16];

	for (size_t i = 0; i < n; i++)
		word[i] =
		    (struct word){ .text = (char *)(uintptr_t)text[i], .len = strlen(text[i]) };
	commands_run(w, &(struct line){ .number = line->number, .word = word, .words = n });
	w->line = line;
}
#define RUN(w, ...)                                        \
	run_words(w, (const char *const[]){ __VA_ARGS__ }, \
	    sizeof((const char *const[]){ __VA_ARGS__ }) / sizeof(char *))

/* Connect, and answer the security stage: the operational one has begun. */
void
command_operational(struct world *w, const struct word *word, size_t n)
{
	(void)word;
	(void)n;
	world_connect(w);
	RUN(w, "<", "login_request", "csg=0", "nsg=1", "transit=1", "|", "AuthMethod=None");
	RUN(w, ">", "login_response", "csg=0", "nsg=1", "transit=1", "|", "AuthMethod=None",
	    "TargetPortalGroupTag=1");
	RUN(w, "<", "login_request", "csg=1", "nsg=3", "transit=1");
}

/* The whole login; the words are keys of the target's. */
void
command_online(struct world *w, const struct word *word, size_t n)
{
	static char header[] = "login_response csg=1 nsg=3 transit=1 | ANSWERS";
	struct word answer[64] = { 0 };
	char text[sizeof header], *save = NULL;
	size_t words = 0;

	command_operational(w, word, 1);
	if (w->failed)
		return;
	memcpy(text, header, sizeof header);
	for (char *t = strtok_r(text, " ", &save); t != NULL; t = strtok_r(NULL, " ", &save))
		answer[words++] = (struct word){ .text = t, .len = strlen(t) };
	for (size_t i = 1; i < n && words < 64; i++)
		answer[words++] = word[i];
	wiretalk_send(w, answer, words);
	RUN(w, "online_now");
}

static void
submit_word(struct world *w, struct req *r, const struct word *word)
{
	static const char *const attr[] = { "untagged", "simple", "ordered", "head_of_queue", "aca",
		NULL };
	const char *v;

	if ((v = word_value(word, "lun")) != NULL) {
		uint64_t lun = words_lun(w, v);

		for (int i = 0; i < 8; i++)
			r->lun[i] = (uint8_t)(lun >> 8 * (7 - i));
	} else if ((v = word_value(word, "timeout")) != NULL)
		r->timeout_ms = ms(w, v);
	else if ((v = word_value(word, "cdb")) != NULL) {
		for (size_t i = 0; i < strlen(v) / 2 && i < 16; i++) {
			unsigned b = 0;

			if (sscanf(v + 2 * i, "%2x", &b) != 1)
				world_fail(w, "a CDB is hexadecimal");
			r->cdb[i] = (uint8_t)b;
		}
	} else if ((v = word_value(word, "attr")) != NULL)
		r->attr = (enum req_attr)words_choice(w, "task attribute", v, attr);
	else
		world_fail(w, "a request has no '%s'", word->text);
}

/* submit read 4096 as a lun=3 … */
void
command_submit(struct world *w, const struct word *word, size_t n)
{
	static const char *const dirs[] = { "none", "read", "write", NULL };
	struct world_req *q = &w->req[w->reqs];
	int dir = words_choice(w, "direction", word[1].text, dirs);

	if (w->failed || w->reqs == WORLD_NAMES || strcmp(word[3].text, "as") != 0) {
		world_fail(w, "submit read|write|none LENGTH as NAME …");
		return;
	}
	w->reqs++;
	snprintf(q->name, sizeof q->name, "%s", word[4].text);
	q->req = (struct req){ .dir = (enum req_dir)dir,
		.attr = REQ_SIMPLE,
		.user = q,
		.data_len = (uint32_t)words_number(w, word[2].text, 0),
		.lun = { 0, 3 } };
	q->req.cdb[0] = dir == 2 ? 0x2a : dir == 1 ? 0x28 : 0x00;
	q->req.data = fault_spare_calloc(1, q->req.data_len + 1);
	if (q->req.data == NULL)
		abort();
	if (dir == 2)
		memcpy(q->req.data, world_pattern, q->req.data_len);
	for (size_t i = 5; i < n; i++)
		submit_word(w, &q->req, &word[i]);
	sess_submit(w->sess, &q->req, w->now);
}

/* Calls that may be refused: "… ENOTCONN" at the end says so. */
static void
check_error(struct world *w, const struct word *last, int err)
{
	static const struct {
		const char *name;
		int err;
	} names[] = { { "ENOTCONN", -ENOTCONN }, { "EBUSY", -EBUSY }, { "EINVAL", -EINVAL } };
	int want = 0;

	for (size_t i = 0; i < 3; i++)
		if (strcmp(last->text, names[i].name) == 0)
			want = names[i].err;
	if (err != want)
		world_fail(w, "expected %s, got %s", want == 0 ? "success" : strerror(-want),
		    err == 0 ? "success" : strerror(-err));
}

void
command_ping(struct world *w, const struct word *word, size_t n)
{
	check_error(w, &word[n - 1],
	    sess_ping(w->sess, (uint32_t)words_number(w, word[1].text, 0), w, w->now));
}

void
command_send_targets(struct world *w, const struct word *word, size_t n)
{
	w->text_len = 0;
	sendtargets_free(w->targets);
	w->targets = NULL;
	check_error(w, &word[n - 1], sess_send_targets(w->sess, word[1].text, w->now));
}

void
command_logout(struct world *w, const struct word *word, size_t n)
{
	check_error(w, &word[n - 1], sess_logout(w->sess, w->now));
}

void
command_verified(struct world *w, const struct word *word, size_t n)
{
	static const char *const names[] = { "no", "yes", "unknown", NULL };
	int verdict = words_choice(w, "verdict", word[1].text, names);

	(void)n;
	if (verdict >= 0)
		sess_verified(w->sess, (enum chap_verdict)verdict, w->now);
}

/* withdraw a | withdraw a late: it was sent already */
void
command_withdraw(struct world *w, const struct word *word, size_t n)
{
	struct world_req *q = world_req(w, word[1].text);
	bool is_late = n > 2 && strcmp(word[2].text, "late") == 0;

	if (q != NULL && sess_withdraw(w->sess, &q->req, w->now) == is_late)
		world_fail(w, "expected that it is %s", is_late ? "too late" : "withdrawn");
}

void
command_advance(struct world *w, const struct word *word, size_t n)
{
	(void)n;
	world_advance(w, words_time_us(w, word[1].text));
}

/* The target or the network ends the connection. */
void
command_hangup(struct world *w, const struct word *word, size_t n)
{
	(void)word;
	(void)n;
	world_disconnect(w, -ECONNRESET, CONN_OK);
}

/* Our own driver does. */
void
command_disconnect(struct world *w, const struct word *word, size_t n)
{
	(void)word;
	(void)n;
	world_disconnect(w, 0, CONN_OK);
}

/* socket takes 100 | socket takes all */
void
command_socket(struct world *w, const struct word *word, size_t n)
{
	w->socket_room = strcmp(word[n - 1].text, "all") == 0
			     ? UINT64_MAX
			     : words_number(w, word[n - 1].text, 0);
}

/* window 4: commands the target takes at once; window closed: none beyond those it has. */
void
command_window(struct world *w, const struct word *word, size_t n)
{
	(void)n;
	w->window_is_fixed = strcmp(word[1].text, "closed") == 0;
	if (w->window_is_fixed)
		w->window_closed_at = w->exp_cmd_sn - 1;
	else
		w->window = (uint32_t)words_number(w, word[1].text, 0);
}

/* memory fails 2: the second allocation from now on; memory is fine */
void
command_memory(struct world *w, const struct word *word, size_t n)
{
	fault_alloc_at(strcmp(word[1].text, "fails") == 0 && n > 2
			   ? (unsigned)words_number(w, word[2].text, 0)
			   : 0);
}
