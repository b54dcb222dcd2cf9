#include "driver/iscsial/scan_empty.h"

void
scan_empty_init(struct scan_empty *e)
{
	*e = (struct scan_empty){ .rows = json_array() };
}

void
scan_empty_fini(struct scan_empty *e)
{
	json_decref(e->rows);
	e->rows = NULL;
}

static void
put(struct scan_empty *e, const char *what, json_t *why, const char *next)
{
	/* No memory: one row less. */
	(void)json_array_append_new(
	    e->rows, json_pack("{s:s, s:o, s:s}", "what", what, "why", why, "next", next));
}

static void
add(struct scan_empty *e, const char *what, const char *why, const char *next)
{
	if (json_array_size(e->rows) >= SCAN_EMPTY_MAX)
		e->more++;
	else
		put(e, what, json_string(why), next);
}

void
scan_empty_portal(struct scan_empty *e, const char *what)
{
	add(e, what, "the portal offers this initiator no target",
	    "have it serve one to the initiator name that 'iscsiutil -l' shows, and scan again");
}

void
scan_empty_slp(struct scan_empty *e, const char *what)
{
	add(e, what, "no agent knows a target in the scopes that are asked for",
	    "compare the scopes ('iscsiutil -l') with those that targets are registered in");
}

void
scan_empty_isns(struct scan_empty *e, const char *what)
{
	add(e, what, "the iSNS server names this initiator no target",
	    "see that one is registered there, in a discovery domain with the initiator name that "
	    "'iscsiutil -l' shows");
}

void
scan_empty_target(struct scan_empty *e, const char *what)
{
	add(e, what, "the target has no LUN for this initiator",
	    "map LUNs to the initiator name that 'iscsiutil -l' shows, and scan again");
}

void
scan_empty_unreached(struct scan_empty *e)
{
	e->unreached++;
}

void
scan_empty_end(struct scan_empty *e, bool has_asked)
{
	if (e->more > 0)
		put(e, "others",
		    json_sprintf("%zu more have nothing, which are not listed", e->more),
		    "'iscsiutil -o' shows what there is");
	e->more = 0;
	if (e->unreached > 0)
		put(e, "network",
		    json_sprintf(
			"there is none yet, only the loopback: %u address%s could not be asked",
			e->unreached, e->unreached == 1 ? "" : "es"),
		    "'ip link' and 'ip address' show the interfaces of this network namespace; "
		    "sessions are opened by themselves when one is up");
	e->unreached = 0;
	if (!has_asked)
		put(e, "nothing was asked",
		    json_string(
			"no discovery target address is configured, and no target is known"),
		    "add one: iscsiutil -a -I <ip-address>");
}
