#include "driver/iscsi/mail.h"

#define ASK(id, way, take, refuse, answered, drop, text) \
	const struct mail_kind mail_##id = { #id, take, refuse, answered, drop };
#define TELL(id, way, take, drop, text) \
	const struct mail_kind mail_##id = { #id, take, NULL, NULL, drop };
#include "driver/iscsi/mail.def"
