/* Which iSNS servers are configured. */
#include <stdlib.h>
#include <string.h>

#include "core/text.h"
#include "driver/call.h"
#include "driver/iscsi/isns_impl.h"
#include "driver/iscsi/settings.h"

bool
isns_address(const char *text, struct registry_address *ret)
{
	struct addr a;

	if (addr_parse(text, &a) != ADDR_OK && addr_parse_host(text, &a) != ADDR_OK)
		return false;
	memset(ret, 0, sizeof *ret);
	cut_copy(ret->address, sizeof ret->address, a.host);
	ret->port = a.has_port ? a.port : ISNS_PORT;
	return !a.has_tpgt;
}

void
isns_text(const struct registry_address *a, char ret[LIMIT_ADDRESS_BYTES + 1])
{
	struct addr at;

	if (addr_parse_host(a->address, &at) != ADDR_OK) { /* it is no host */
		cut_copy(ret, LIMIT_ADDRESS_BYTES + 1, a->address);
		return;
	}
	at.port = a->port;
	addr_format(&at, false, ret);
}

static bool
is_there(const struct isns_server_list *list, const char *text)
{
	struct registry_address a, b;

	for (size_t i = 0; i < list->n; i++)
		if (isns_address(text, &a) && isns_address(list->text[i], &b) &&
		    registry_address_same(&a, &b))
			return true;
	return false;
}

static bool
add(struct isns_server_list *list, const char *item, size_t n, struct fault *ret_fault)
{
	char text[LIMIT_ADDRESS_BYTES + 1] = "";
	struct registry_address a;

	if (n < sizeof text)
		memcpy(text, item, n);
	if (text[0] == '\0' || !isns_address(text, &a)) {
		fault_set(ret_fault, FAULT_INVALID,
		    "give a host name or an address, with a port where it is not 3205; an IPv6 "
		    "address with a port stands in brackets",
		    "\"%.*s\" is not an iSNS server", (int)(n < 200 ? n : 200), item);
		return false;
	}
	if (is_there(list, text))
		return true;
	if (list->n == LIMIT_ISNS_SERVERS) {
		fault_set(ret_fault, FAULT_INVALID, "delete one that is not needed",
		    "there can be %d iSNS servers at most", LIMIT_ISNS_SERVERS);
		return false;
	}
	cut_copy(list->text[list->n++], sizeof list->text[0], text);
	return true;
}

bool
isns_parse(const char *text, struct isns_server_list *ret, struct fault *ret_fault)
{
	const char *item;
	size_t n;

	ret->n = 0;
	if (text[0] == '\0')
		return true;
	while (text_list_next(&text, &item, &n))
		if (!add(ret, item, n, ret_fault))
			return false;
	return true;
}

void
isns_configured(struct driver *d, struct isns_server_list *ret)
{
	char *value = settings_value(d->reg, NULL, REGISTRY_KEY_isns_servers);
	struct fault why = { 0 };

	(void)isns_parse(value, ret, &why); /* it was checked when it was set */
	free(value);
}

char *
isns_join(const struct isns_server_list *list)
{
	char *text = call_alloc(list->n * sizeof list->text[0] + 1), *p = text;

	for (size_t i = 0; i < list->n; i++) {
		if (i > 0)
			*p++ = ',';
		p = stpcpy(p, list->text[i]);
	}
	return text;
}
