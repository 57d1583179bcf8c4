/* SPDX-License-Identifier: ISC */
#ifndef PICKUP_DROP_H
#define PICKUP_DROP_H

/* One file of maildrop, and what becomes of it. */

#include "lib/conf/common.h"
#include "lib/service/service.h"

struct drop_settings {
	struct common_params common;
	unsigned int left_out; /* enum receive_override */
};

enum drop_result {
	DROP_TAKEN, /* submitted, returned, or moved to corrupt: it is gone */
	DROP_LEFT, /* not ready, or refused for now: stays for next time */
	DROP_NOBODY, /* no cleanup to be had: others need not be tried */
};

enum drop_result drop_take(const struct drop_settings *set, const char *id);

#endif
