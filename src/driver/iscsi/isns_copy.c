#include <stdlib.h>
#include <string.h>

#include "core/iname.h"
#include "driver/call.h"
#include "driver/iscsi/isns_impl.h"
#include "sys/log.h"

void
isns_copy_drop(struct isns_copy *c)
{
	for (size_t i = 0; i < c->n; i++) {
		free(c->servers[i].found);
		json_decref(c->servers[i].shown);
	}
	free(c->servers);
	*c = (struct isns_copy){ 0 };
}

const struct isns_server *
isns_copy_find(const struct isns_copy *c, const char *text)
{
	for (size_t i = 0; i < c->n; i++)
		if (strcmp(c->servers[i].text, text) == 0)
			return &c->servers[i];
	return NULL;
}

int
isns_compare(const void *a, const void *b)
{
	const struct discovered *x = a, *y = b;
	int c = strcmp(x->name, y->name);

	c = c != 0 ? c : strcmp(x->host, y->host);
	return c != 0 ? c : x->port - y->port;
}

/* False: it makes no sense. */
static bool
take_server(struct isns_server *s, json_t *o)
{
	const char *text = json_string_value(json_object_get(o, "address"));
	const char *error = json_string_value(json_object_get(o, "error"));

	if (text == NULL || !isns_address(text, &s->at))
		return false;
	cut_copy(s->text, sizeof s->text, text);
	s->is_known = json_is_true(json_object_get(o, "is_known"));
	s->is_all = s->is_known && !json_is_true(json_object_get(o, "is_cut"));
	s->has_failed = error != NULL;
	cut_copy(s->error, sizeof s->error, error != NULL ? error : "");
	s->shown = json_incref(o);
	return true;
}

static bool
begin(struct isns_copy *c, int64_t serial, const json_t *servers)
{
	json_t *o;
	size_t i;

	isns_copy_drop(c);
	c->serial = serial;
	if (json_array_size(servers) > LIMIT_ISNS_SERVERS)
		return false;
	c->servers = call_alloc((json_array_size(servers) + 1) * sizeof *c->servers);
	json_array_foreach(servers, i, o)
	{
		if (!take_server(&c->servers[i], o))
			return false;
		c->n++;
	}
	return true;
}

/* Zeroed. */
static struct discovered *
add_found(struct isns_server *s)
{
	struct discovered *list;

	if ((s->n & (s->n - 1)) == 0) { /* it is full: none, 1, 2, 4 … */
		list = call_alloc((s->n == 0 ? 1 : 2 * s->n) * sizeof *list);
		if (s->n > 0)
			memcpy(list, s->found, s->n * sizeof *list);
		free(s->found);
		s->found = list;
	}
	return &s->found[s->n++];
}

/* What is malformed is left out and said. */
static bool
take_target(struct isns_copy *c, const json_t *v)
{
	json_int_t server = json_integer_value(json_object_get(v, "server"));
	const char *name = json_string_value(json_object_get(v, "name"));
	const char *address = json_string_value(json_object_get(v, "address"));
	json_int_t port = json_integer_value(json_object_get(v, "port"));
	json_int_t tpgt = json_integer_value(json_object_get(v, "tpgt"));
	struct discovered *f;
	struct isns_server *s;
	struct addr a;

	if (server < 0 || (size_t)server >= c->n || name == NULL || address == NULL ||
	    iname_check(name, strlen(name)) != INAME_OK ||
	    addr_parse_host(address, &a) != ADDR_OK || !addr_is_literal(&a) || port < 1 ||
	    port > UINT16_MAX || tpgt < 0 || tpgt > UINT16_MAX)
		return false;
	s = &c->servers[server];
	if (s->n == LIMIT_ISNS_TARGETS)
		return false;
	f = add_found(s);
	cut_copy(f->name, sizeof f->name, name);
	cut_copy(f->host, sizeof f->host, a.host);
	f->port = (uint16_t)port;
	f->tpgt = (uint16_t)tpgt;
	return true;
}

enum isns_copy_step
isns_copy_take(struct isns_copy *c, const json_t *result, size_t *ret_next)
{
	const json_t *next = json_object_get(result, "next"), *v;
	json_int_t serial = json_integer_value(json_object_get(result, "serial"));
	size_t i;

	if (serial <= 0)
		return ISNS_COPY_BAD;
	if (serial != c->serial && !begin(c, serial, json_object_get(result, "servers")))
		return ISNS_COPY_BAD;
	json_array_foreach(json_object_get(result, "targets"), i, v)
	{
		if (!take_target(c, v))
			log_warn("iisnsd told of a target that makes no sense; it is left out");
	}
	if (json_is_integer(next)) {
		*ret_next = (size_t)json_integer_value(next);
		/* Each page has something, so there is an end. */
		return i > 0 ? ISNS_COPY_MORE : ISNS_COPY_BAD;
	}
	for (i = 0; i < c->n; i++)
		if (c->servers[i].n > 1)
			qsort(c->servers[i].found, c->servers[i].n, sizeof *c->servers[i].found,
			    isns_compare);
	return ISNS_COPY_WHOLE;
}
