/*
 * What the driver makes of its daemons' answers: addresses of iscsi_resolvd, connections of iswd,
 * targets of islpd and iisnsd, and verdicts of iradd.
 *
 * Input: what is asked, then datagrams as daemon.h has them; each goes to the next of the daemons
 * that are asked.
 *
 * The question ends once at most, with a value that its header allows or with a sentence; nothing
 * stays open.
 *
 * Covers: src/driver/isw/dial.c src/driver/isw/verify.c src/driver/iscsi/slp.c
 * Covers: src/driver/iscsi/isns_copy.c
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/addr.h"
#include "core/iname.h"
#include "daemon.h"
#include "driver/call.h"
#include "driver/iscsi/isns_impl.h"
#include "driver/iscsi/slp.h"
#include "driver/isw/dial.h"
#include "driver/isw/verify.h"
#include "turns.h"

#define HELLO(name) "{\"daemon\":\"" name "\",\"version\":\"1\",\"pid\":1}"

static unsigned n_done;

static void
dialled(void *user, const struct dial_result *r)
{
	(void)user;
	n_done++;
	FUZZ_CHECK(r->fault.is_set == (r->fd < 0));
	FUZZ_CHECK(r->fd >= 0 || r->err < 0);
	FUZZ_CHECK(strlen(r->local) < sizeof r->local && strlen(r->peer) < sizeof r->peer);
	if (r->fd >= 0)
		close(r->fd);
}

static void
verified(void *user, const struct verify_result *r)
{
	(void)user;
	n_done++;
	FUZZ_CHECK(!r->ok || !r->fault.is_set);
	FUZZ_CHECK(!r->timed_out || r->fault.is_set);
}

static void
found(void *user, struct discovery_result *r)
{
	struct addr a;

	(void)user;
	n_done++;
	FUZZ_CHECK(r->n <= LIMIT_SENDTARGETS_TARGETS && (r->n == 0 || !r->fault.is_set));
	for (size_t i = 0; i < r->n; i++) {
		const struct discovered *d = &r->found[i];

		FUZZ_CHECK(iname_check(d->name, strlen(d->name)) == INAME_OK && d->port != 0);
		FUZZ_CHECK(addr_parse_host(d->host, &a) == ADDR_OK);
	}
}

static struct helper_server *
serve(const char *socket_name, const char *name)
{
	struct helper_server *h;
	char path[128];

	(void)strncpy(path, fuzz_path(socket_name), sizeof path - 1);
	path[sizeof path - 1] = '\0';
	if (helper_server_new(turns_loop(), path, path, name, NULL, NULL, &h) != 0)
		abort();
	return h;
}

static void
ask_dial(struct cursor *in, const char *host)
{
	struct dialer w = { .loop = turns_loop(),
		.resolvd = serve("one", "iscsi_resolvd"),
		.iswd = serve("two", "iswd") };
	struct dial *d = dial_start(&w, host, 3260, NULL, 60000, dialled, NULL);
	int fd[2] = { fuzz_daemon_connect("one", HELLO("iscsi_resolvd")),
		fuzz_daemon_connect("two", HELLO("iswd")) };
	enum daemon_passes passes;
	size_t n;

	for (unsigned at = 0; fuzz_daemon_say(fd[at % 2], in, &passes, &n);)
		at += passes == DAEMON_NOTHING_EITHER ? 2 : 1;
	close(fd[0]);
	close(fd[1]);
	turns_make(2);
	if (n_done == 0)
		dial_cancel(d);
	helper_server_free(w.iswd);
	helper_server_free(w.resolvd);
}

static void
say_all(int fd, struct cursor *in)
{
	enum daemon_passes passes;
	size_t n;

	while (fuzz_daemon_say(fd, in, &passes, &n))
		;
	close(fd);
	turns_make(2);
}

static void
ask_verify(struct cursor *in)
{
	struct verify_cfg cfg = { .server = call_strdup("192.0.2.1"), .nas = call_strdup("nas") };
	struct helper_server *h = serve("one", "iradd");
	const struct verify_query q = {
		.name = "target", .challenge = { 1, 2, 3 }, .challenge_len = 16, .response_len = 16
	};
	int fd = fuzz_daemon_connect("one", HELLO("iradd")); /* who is not there is not asked */
	struct verify *v;

	verify_cfg_secret(&cfg, call_strdup("secret"));
	v = verify_start(turns_loop(), h, &cfg, &q, verified, NULL);
	verify_cfg_fini(&cfg); /* it counted then */
	say_all(fd, in);
	if (n_done == 0)
		verify_cancel(v);
	helper_server_free(h);
}

static struct registry *
registry(void)
{
	static struct registry_error error;
	static struct registry *r;

	if (r == NULL && registry_open(fuzz_path("registry.db"), &r, &error) != 0)
		abort();
	return r;
}

static void
ask_slp(struct cursor *in)
{
	static struct driver d;
	struct slp *x;

	d.loop = turns_loop();
	d.reg = registry();
	d.islpd = serve("one", "islpd");
	x = slp_start(&d, found, NULL);
	say_all(fuzz_daemon_connect("one", HELLO("islpd")), in);
	if (n_done == 0)
		slp_cancel(x);
	helper_server_free(d.islpd);
}

/* Only those of a copy that is whole count. */
static void
check_copy(const struct isns_copy *c)
{
	struct addr a;

	FUZZ_CHECK(c->n <= LIMIT_ISNS_SERVERS);
	for (size_t i = 0; i < c->n; i++)
		for (size_t k = 0; k < c->servers[i].n; k++) {
			const struct discovered *f = &c->servers[i].found[k];

			FUZZ_CHECK(iname_check(f->name, strlen(f->name)) == INAME_OK);
			FUZZ_CHECK(addr_parse_host(f->host, &a) == ADDR_OK && addr_is_literal(&a));
			FUZZ_CHECK(f->port != 0);
			FUZZ_CHECK(k == 0 || isns_compare(f - 1, f) <= 0);
		}
}

/* Pages, each with a newline behind it. */
static void
take_isns(struct cursor *in)
{
	struct isns_copy c = { 0 };
	size_t next;

	while (cursor_left(in) > 0) {
		char *line = fuzz_string(in, '\n');
		json_t *page = json_loads(line, 0, NULL);

		if (page != NULL && isns_copy_take(&c, page, &next) == ISNS_COPY_WHOLE)
			check_copy(&c);
		json_decref(page);
		free(line);
	}
	isns_copy_drop(&c);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cursor in = cursor_over(data, size);
	uint8_t what = cursor_u8(&in) % 5;
	unsigned before;

	(void)turns_loop(); /* their descriptors stay */
	(void)registry();
	before = turns_descriptors();
	n_done = 0;
	switch (what) {
	case 0:
		ask_dial(&in, "target.example");
		break;
	case 1:
		ask_dial(&in, "192.0.2.1");
		break;
	case 2:
		ask_verify(&in);
		break;
	case 3:
		ask_slp(&in);
		break;
	default:
		take_isns(&in);
	}
	FUZZ_CHECK(n_done <= 1);
	FUZZ_CHECK(turns_descriptors() == before);
	return 0;
}
