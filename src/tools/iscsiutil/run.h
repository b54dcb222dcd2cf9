/* One function for each row of forms.def. */
#ifndef ISCSIUTIL_RUN_H
#define ISCSIUTIL_RUN_H

#include "tools/common/status.h"
#include "tools/iscsiutil/spec.h"

#define FORM(id, ...) enum status run_##id(const struct cmdline *line);
#include "tools/iscsiutil/forms.def"

#endif
