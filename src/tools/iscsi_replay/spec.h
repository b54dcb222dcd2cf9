/* iscsi-replay's command line: the tables of opts.def and forms.def. */
#ifndef ISCSI_REPLAY_SPEC_H
#define ISCSI_REPLAY_SPEC_H

#include "tools/common/cmdline.h"

enum opt {
#define OPT(id, ...) OPT_##id,
#include "tools/iscsi_replay/opts.def"
	OPT_COUNT
};

extern const struct cmdline_tool iscsi_replay_spec;

#endif
