#include "ini/settings.h"

#include <stdlib.h>
#include <string.h>

struct settings *
settings_new(void)
{
	struct settings *s = calloc(1, sizeof *s);

	if (s == NULL)
		return NULL;
	neg_offer_default(&s->offer);
	timers_default(&s->timers);
	return s;
}

void
settings_free(struct settings *s)
{
	if (s == NULL)
		return;
	chapcfg_wipe(&s->chap);
	free(s);
}
