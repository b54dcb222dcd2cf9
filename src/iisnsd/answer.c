#include "iisnsd/answer.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "core/addr.h"
#include "core/iname.h"

#define CAP_MIN 16

/* What of a portal group came so far. */
struct group {
	char name[LIMIT_ISCSI_NAME_BYTES + 1];
	char address[ISNSP_ADDRESS_BYTES];
	uint32_t port, tag;
	bool has_name, has_address, has_port, has_tag;
	bool is_bad; /* something of it cannot be used */
};

/* The node that the server is speaking of. */
struct node {
	char name[LIMIT_ISCSI_NAME_BYTES + 1];
	char alias[LIMIT_ALIAS_BYTES + 1];
	bool is_good;
};

struct reading {
	struct answer_targets *to;
	size_t cap;
	struct group group;
	struct node node;
};

void
answer_targets_fini(struct answer_targets *t)
{
	for (size_t i = 0; i < t->n; i++)
		free(t->list[i].alias);
	free(t->list);
	*t = (struct answer_targets){ 0 };
}

static int
compare(const void *a, const void *b)
{
	const struct answer_target *x = a, *y = b;
	int c = strcmp(x->name, y->name);

	c = c != 0 ? c : strcmp(x->address, y->address);
	return c != 0 ? c : x->port - y->port;
}

static bool
is_same(const struct answer_target *x, const struct answer_target *y)
{
	const char *a = x->alias != NULL ? x->alias : "", *b = y->alias != NULL ? y->alias : "";

	return compare(x, y) == 0 && x->tpgt == y->tpgt && strcmp(a, b) == 0;
}

bool
answer_targets_equal(const struct answer_targets *a, const struct answer_targets *b)
{
	if (a->n != b->n || a->left_out != b->left_out || a->is_too_many != b->is_too_many)
		return false;
	for (size_t i = 0; i < a->n; i++)
		if (!is_same(&a->list[i], &b->list[i]))
			return false;
	return true;
}

enum isnsp_result
answer_status(struct cursor *body, uint32_t *ret)
{
	*ret = cursor_be32(body);
	return body->failed ? ISNSP_IS_SHORT : ISNSP_IS_OK;
}

enum isnsp_result
answer_period(struct cursor body, uint32_t *ret)
{
	enum isnsp_result r = ISNSP_IS_OK;
	struct isnsp_attr a;

	*ret = 0;
	while (r == ISNSP_IS_OK && cursor_left(&body) > 0) {
		r = isnsp_get_attr(&body, &a);
		if (r == ISNSP_IS_OK && a.tag == ISNSP_PERIOD && a.n > 0)
			r = isnsp_attr_number(&a, ret);
	}
	return r;
}

/* A portal that somebody could listen at; a link-local address says nothing without its link. */
static bool
is_usable(const char *address)
{
	struct in6_addr six;
	struct in_addr four;

	if (inet_pton(AF_INET, address, &four) == 1)
		return four.s_addr != INADDR_ANY && !IN_MULTICAST(ntohl(four.s_addr)) &&
		       four.s_addr != INADDR_NONE;
	return inet_pton(AF_INET6, address, &six) == 1 && !IN6_IS_ADDR_UNSPECIFIED(&six) &&
	       !IN6_IS_ADDR_MULTICAST(&six) && !IN6_IS_ADDR_LINKLOCAL(&six);
}

static enum isnsp_result
add(struct reading *r, const struct answer_target *t)
{
	struct answer_targets *to = r->to;
	size_t cap = r->cap == 0 ? CAP_MIN : 2 * r->cap;
	struct answer_target *list;

	if (to->n == LIMIT_ISNS_TARGETS) {
		to->is_too_many = true;
		return ISNSP_IS_OK;
	}
	if (to->n == r->cap) {
		list = realloc(to->list, cap * sizeof *list);
		if (list == NULL)
			return ISNSP_IS_MEMORY;
		to->list = list;
		r->cap = cap;
	}
	to->list[to->n] = *t;
	/* Nice to have: without memory for it, it is not had. */
	if (r->node.is_good && r->node.alias[0] != '\0' && iname_same(r->node.name, t->name))
		to->list[to->n].alias = strdup(r->node.alias);
	to->n++;
	return ISNSP_IS_OK;
}

/* All that comes of a portal group has come. */
static enum isnsp_result
end_group(struct reading *r)
{
	struct group g = r->group;
	struct answer_target t = { .port = (uint16_t)g.port, .tpgt = (uint16_t)g.tag };

	r->group = (struct group){ 0 };
	/* Section 5.6.5.2: "if the PGT is NULL, then no relationship exists". */
	if (!g.has_name || !g.has_tag)
		return ISNSP_IS_OK;
	/* Section 6.3.2: 0 is "the implied canonical port number". */
	if (g.port == 0)
		t.port = ADDR_PORT_DEFAULT;
	if (g.is_bad || !g.has_address || !g.has_port || g.port > UINT16_MAX ||
	    g.tag > UINT16_MAX || iname_normalise(g.name, t.name) != INAME_OK ||
	    !is_usable(g.address)) {
		r->to->left_out++;
		return ISNSP_IS_OK;
	}
	memcpy(t.address, g.address, sizeof t.address);
	return add(r, &t);
}

/* A value that makes no sense spoils its own object only. */
static void
take_node(struct reading *r, const struct isnsp_attr *a)
{
	struct node *n = &r->node;
	uint32_t type;

	if (a->tag == ISNSP_NAME) {
		*n = (struct node){ 0 };
		n->is_good = isnsp_attr_text(a, n->name, sizeof n->name) == ISNSP_IS_OK;
	} else if (a->tag == ISNSP_ALIAS) {
		if (isnsp_attr_text(a, n->alias, sizeof n->alias) != ISNSP_IS_OK)
			n->alias[0] = '\0';
	} else if (a->tag == ISNSP_NODE_TYPE) {
		n->is_good &=
		    isnsp_attr_number(a, &type) == ISNSP_IS_OK && (type & ISNSP_NODE_TARGET) != 0;
	}
}

static enum isnsp_result
take_group(struct reading *r, const struct isnsp_attr *a)
{
	struct group *g = &r->group;
	enum isnsp_result end = ISNSP_IS_OK, good = ISNSP_IS_OK;

	if (a->tag == ISNSP_PG_NAME) {
		end = end_group(r);
		g->has_name = a->n > 0;
		good = isnsp_attr_text(a, g->name, sizeof g->name);
	} else if (a->tag == ISNSP_PG_IP) {
		g->has_address = a->n > 0;
		good = isnsp_attr_address(a, g->address);
	} else if (a->tag == ISNSP_PG_PORT) {
		g->has_port = a->n > 0;
		good = isnsp_attr_number(a, &g->port);
	} else if (a->tag == ISNSP_PG_TAG) {
		g->has_tag = a->n > 0;
		good = a->n > 0 ? isnsp_attr_number(a, &g->tag) : ISNSP_IS_OK;
	}
	g->is_bad |= good != ISNSP_IS_OK;
	return end;
}

static enum isnsp_result
read_objects(struct cursor *body, struct reading *r)
{
	enum isnsp_result result = ISNSP_IS_OK;
	bool is_operating = false; /* what the key was stands before the delimiter */
	struct isnsp_attr a;

	while (result == ISNSP_IS_OK && cursor_left(body) > 0) {
		result = isnsp_get_attr(body, &a);
		if (result != ISNSP_IS_OK)
			break;
		if (a.tag == ISNSP_DELIMITER) {
			is_operating = true;
		} else if (is_operating) {
			if (a.tag == ISNSP_NAME)
				result = end_group(r);
			take_node(r, &a);
			if (result == ISNSP_IS_OK)
				result = take_group(r, &a);
		}
	}
	return result == ISNSP_IS_OK ? end_group(r) : result;
}

static void
sort(struct answer_targets *t)
{
	size_t n = 0;

	if (t->n > 1)
		qsort(t->list, t->n, sizeof *t->list, compare);
	for (size_t i = 0; i < t->n; i++) {
		if (n > 0 && compare(&t->list[n - 1], &t->list[i]) == 0)
			free(t->list[i].alias);
		else
			t->list[n++] = t->list[i];
	}
	t->n = n;
}

enum isnsp_result
answer_get_targets(struct cursor body, struct answer_targets *ret)
{
	struct answer_targets to = { 0 };
	struct reading r = { .to = &to };
	enum isnsp_result result = read_objects(&body, &r);

	if (result != ISNSP_IS_OK) {
		answer_targets_fini(&to);
		return result;
	}
	sort(&to);
	*ret = to;
	return ISNSP_IS_OK;
}
