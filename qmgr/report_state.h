/* SPDX-License-Identifier: ISC */
#ifndef QMGR_REPORT_STATE_H
#define QMGR_REPORT_STATE_H

/*
 * How far a report has come, as the file of the message it is about tells:
 * a letter for each recipient, or a flag for delay warnings.
 */

#include <stdbool.h>
#include "lib/queue/queue_file.h"

enum report_about {
	ABOUT_FAILURE, /* and what sendmail -bv asks */
	ABOUT_SUCCESS,
	ABOUT_DELAY,
	ABOUT_KINDS,
};

enum report_stage {
	STAGE_NONE, /* no report yet */
	STAGE_MAKING, /* it exists, and is perhaps not active */
	STAGE_MADE, /* it is on its way */
};

/* The letter of a recipient; not for ABOUT_DELAY. */
char report_state_letter(enum report_about about, enum report_stage stage);
/* The message's flags at this stage of a delay warning. */
unsigned int report_state_flags(unsigned int flags, enum report_stage stage);

/* Is a report of this kind being made? */
bool
report_state_making(const struct queue_envelope *e, enum report_about about);
/*
 * All that is STAGE_MAKING becomes this, on disk, synced, and in *e. fd is
 * open for marking. -1 with errno.
 */
int report_state_settle(int fd, struct queue_envelope *e,
    enum report_about about, enum report_stage stage);

/* "failure:ID" and its like in a report's envelope. False if it is none. */
bool report_state_parse(const char *client, enum report_about *about,
    const char **original);

#endif
