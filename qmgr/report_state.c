/* SPDX-License-Identifier: ISC */
#include "qmgr/report_state.h"

#include <string.h>
#include <unistd.h>

#include "lib/base/ensure.h"

static const char letters[ABOUT_DELAY][3] = {
	[ABOUT_FAILURE] = { QUEUE_RECIPIENT_PENDING, QUEUE_RECIPIENT_REPORTING,
	    QUEUE_RECIPIENT_BOUNCED },
	[ABOUT_SUCCESS] = { QUEUE_RECIPIENT_SUCCESS, QUEUE_RECIPIENT_TELLING,
	    QUEUE_RECIPIENT_DONE },
};

static const unsigned int flags_of[] = {
	[STAGE_NONE] = 0,
	[STAGE_MAKING] = QUEUE_WARNING,
	[STAGE_MADE] = QUEUE_WARNED,
};

static const char *const names[] = {
	[ABOUT_FAILURE] = "failure:",
	[ABOUT_SUCCESS] = "success:",
	[ABOUT_DELAY] = "delay:",
};

char
report_state_letter(enum report_about about, enum report_stage stage)
{
	ensure(about < ABOUT_DELAY);
	return letters[about][stage];
}

unsigned int
report_state_flags(unsigned int flags, enum report_stage stage)
{
	flags &= ~(unsigned int)(QUEUE_WARNING | QUEUE_WARNED);
	return flags | flags_of[stage];
}

bool
report_state_making(const struct queue_envelope *e, enum report_about about)
{
	if (about == ABOUT_DELAY)
		return (e->flags & QUEUE_WARNING) != 0;
	for (size_t i = 0; i < e->recipient_count; i++)
		if (e->recipients[i].status == letters[about][STAGE_MAKING])
			return true;
	return false;
}

static int
settle_recipients(int fd, struct queue_envelope *e, enum report_about about,
    enum report_stage stage)
{
	for (size_t i = 0; i < e->recipient_count; i++) {
		struct queue_recipient *r = &e->recipients[i];

		if (r->status != letters[about][STAGE_MAKING])
			continue;
		if (queue_mark(fd, r->offset, letters[about][stage]) == -1)
			return -1;
		r->status = letters[about][stage];
	}
	return 0;
}

int
report_state_settle(int fd, struct queue_envelope *e, enum report_about about,
    enum report_stage stage)
{
	if (about != ABOUT_DELAY) {
		if (settle_recipients(fd, e, about, stage) == -1)
			return -1;
	} else {
		e->flags = report_state_flags(e->flags, stage);
		if (queue_mark_flags(fd, e, e->flags) == -1)
			return -1;
	}
	return fdatasync(fd);
}

bool
report_state_parse(const char *client, enum report_about *about,
    const char **original)
{
	for (int i = 0; i < ABOUT_KINDS; i++) {
		size_t n = strlen(names[i]);

		if (strncmp(client, names[i], n) != 0 ||
		    !queue_id_valid(client + n))
			continue;
		*about = (enum report_about)i;
		*original = client + n;
		return true;
	}
	return false;
}
