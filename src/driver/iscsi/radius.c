#include "driver/iscsi/radius.h"

#include <stdlib.h>

#include "driver/call.h"
#include "driver/iscsi/mail.h"
#include "driver/iscsi/settings.h"

void
radius_push(struct driver *d)
{
	struct isw_radius *m = call_alloc(sizeof *m);
	struct verify_cfg *to = &m->cfg;

	to->server = settings_read(d->reg, NULL, REGISTRY_KEY_radius_server, &to->fault);
	to->nas = settings_read(d->reg, NULL, REGISTRY_KEY_nas_hostname, &to->fault);
	verify_cfg_secret(to, settings_read(d->reg, NULL, REGISTRY_KEY_nas_secret, &to->fault));
	if (to->nas != NULL && to->nas[0] == '\0') {
		free(to->nas);
		to->nas = call_strdup(d->host_name);
	}
	mail_tell(&m->mail, &mail_radius, isw_address(d->isw));
}
