/* What was learned of a LUN by asking it; plain data that is copied from thread to thread. */
#ifndef LU_LU_INFO_H
#define LU_LU_INFO_H

#include "base/fault.h"
#include "scsi/alua.h"
#include "scsi/capacity.h"
#include "scsi/identity.h"
#include "scsi/inquiry.h"
#include "scsi/luns.h"
#include "scsi/mode.h"
#include "scsi/vpd.h"

/* Who stands there, as far as it told. */
enum lu_answer {
	LU_NO_ANSWER, /* a question failed: `fault` says which and why */
	LU_NOBODY,    /* no logical unit there: INQUIRY's qualifier, or 25/00 */
	LU_SOMEBODY,  /* `id` is complete */
};

struct lu_facts {
#include "lu/lu_facts.def"
};

struct lu_info {
	union {
		struct lu_facts facts;
		struct {
#include "lu/lu_facts.def"
		};
	};
	struct identity id; /* LU_SOMEBODY; its sizes when is_sized */
	struct fault fault; /* why it cannot be used as it should, if so */
};

/* The same as it is kept of a unit, in as many bytes as it has.  Begins as zeros. */
struct lu_kept {
	union {
		struct lu_facts facts;
		struct {
#include "lu/lu_facts.def"
		};
	};
	struct identity_kept *id;
	const struct fault *fault; /* fault_kept() */
};

/* False: there is no memory, and all is as before. */
bool lu_keep(struct lu_kept *k, const struct lu_info *info);
void lu_kept_get(const struct lu_kept *k, struct lu_info *ret);
void lu_kept_fini(struct lu_kept *k);

/* The same unit as it may be at this LUN of another path, where nobody has asked yet.  False: there
 * is no LUN with this number. */
bool lu_info_elsewhere(struct lu_info *i, uint32_t number);
/* May the write cache hold what was written? */
bool lu_info_may_cache(const struct lu_facts *i);
/* Does it say what its mode is, or that it has none? */
bool lu_info_has_said_mode(const struct lu_facts *i);

#endif
