#include "ini/heard.h"

#include <string.h>

/* The same that was heard before, or a row for it; where there is no room, the last one. */
static struct heard_loss *
row_for(struct heard *h, const uint8_t lun[LUNS_WIRE_BYTES], const struct sense *sense)
{
	for (size_t i = 0; i < h->n; i++)
		if (memcmp(h->list[i].lun, lun, LUNS_WIRE_BYTES) == 0 &&
		    sense_loss(&h->list[i].sense) == sense_loss(sense))
			return &h->list[i];
	if (h->n < LIMIT_HEARD)
		return &h->list[h->n++];
	h->is_of_all = true;
	return &h->list[LIMIT_HEARD - 1];
}

void
heard_add(
    struct heard *h, const uint8_t lun[LUNS_WIRE_BYTES], const struct sense *sense, uint64_t at_us)
{
	struct heard_loss *row;

	if (sense_loss(sense) == SENSE_LOSS_NONE)
		return;
	row = row_for(h, lun, sense);
	/* The worst of it, where a row counts for several. */
	if (sense_loss(sense) >= sense_loss(&row->sense)) {
		memcpy(row->lun, lun, LUNS_WIRE_BYTES);
		row->sense = *sense;
	}
	if (row->at_us < at_us)
		row->at_us = at_us;
}

void
heard_merge(struct heard *h, const struct heard *more)
{
	for (size_t i = 0; i < more->n; i++)
		heard_add(h, more->list[i].lun, &more->list[i].sense, more->list[i].at_us);
	h->is_of_all |= more->is_of_all;
}

void
heard_tell(const struct heard *h, struct lunpath *lp)
{
	const struct heard_loss *last = &h->list[LIMIT_HEARD - 1];

	for (size_t i = 0; i + h->is_of_all < h->n; i++)
		lunpath_told(lp, h->list[i].lun, &h->list[i].sense, h->list[i].at_us);
	if (h->is_of_all)
		lunpath_told(lp, lunpath_wire(lp), &last->sense, last->at_us);
}
