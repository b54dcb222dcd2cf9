#include "iisnsd/follow_answer.h"

#include "ipc/codec.h"
#include "ipc/helper.h"

/* What stands around the targets: the servers, with their sentences. */
#define SERVERS_BYTES (16u << 10)
#define TARGETS_BYTES (HELPER_MESSAGE_BYTES - SERVERS_BYTES)

static json_t *
show_counts(const struct server *s)
{
	static const char *const names[SERVER_COUNTS] = {
#define ISNS_COUNT(id, name, text) name,
#include "ipc/isns_count.def"
#undef ISNS_COUNT
	};
	json_t *o = json_object();

	for (int i = 0; i < SERVER_COUNTS; i++)
		(void)json_object_set_new(o, names[i],
		    json_integer((json_int_t)s->counts[i])); /* no memory: one less, as below */
	return o;
}

static json_t *
show_server(const struct server *s)
{
	return json_pack("{s:s, s:s, s:s?, s:b, s:b, s:o?, s:I, s:I, s:b, s:o}", "address", s->text,
	    "state", server_word(s), "peer", s->peer[0] != '\0' ? s->peer : NULL, "is_known",
	    s->is_known, "is_notifying", s->is_notifying, "error",
	    s->error[0] != '\0' ? ipc_text(s->error) : NULL, "targets", (json_int_t)s->targets.n,
	    "left_out", (json_int_t)s->targets.left_out, "is_cut", s->targets.is_too_many, "counts",
	    show_counts(s));
}

static json_t *
show_target(const struct answer_target *t, int server)
{
	json_t *o = json_pack("{s:i, s:s, s:s, s:i, s:i}", "server", server, "name", t->name,
	    "address", t->address, "port", t->port, "tpgt", t->tpgt);

	if (t->alias != NULL && o != NULL)
		(void)json_object_set_new(o, "alias", ipc_text(t->alias)); /* or without */
	return o;
}

/* From the `from`-th one on; *ret_next: the first that did not fit, or null. */
static json_t *
show_targets(const struct list *servers, size_t from, json_t **ret_next)
{
	json_t *list = json_array(), *o;
	size_t at = 0, left = TARGETS_BYTES, n;
	int server = 0;

	*ret_next = json_null();
	LIST_EACH(node, tmp, servers)
	{
		const struct server *s = LIST_ENTRY(node, struct server, link);

		for (size_t i = 0; i < s->targets.n; i++, at++) {
			if (at < from)
				continue;
			o = show_target(&s->targets.list[i], server);
			n = o != NULL ? json_dumpb(o, NULL, 0, JSON_COMPACT) + 1 : 0;
			if (n == 0 || n > left) {
				json_decref(o);
				*ret_next = json_integer((json_int_t)at);
				return list;
			}
			left -= n;
			(void)json_array_append_new(list, o);
		}
		server++;
	}
	return list;
}

json_t *
follow_answer(const struct list *servers, int64_t serial, size_t from)
{
	json_t *next, *targets = show_targets(servers, from, &next), *shown = json_array();

	LIST_EACH(node, tmp, servers)
	(void)json_array_append_new(shown, show_server(LIST_ENTRY(node, struct server, link)));
	return json_pack("{s:I, s:o, s:o, s:o}", "serial", (json_int_t)serial, "servers", shown,
	    "targets", targets, "next", next);
}
