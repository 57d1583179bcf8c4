/* SPDX-License-Identifier: ISC */
#ifndef IMAPD_PRELOGIN_H
#define IMAPD_PRELOGIN_H

/* The not authenticated state: from the greeting until the login. */

#include "lib/imap/imap_read.h"
#include "lib/login/login.h"

#define PARAM_GROUP imapd
#define PARAM_DEF "imapd/params.def"
#include "lib/conf/param.h"

enum { IMAP_TAG_MAX = 255 };

struct prelogin {
	struct login login; /* first */
	const struct imapd_params *params;
	struct imap_reader *reader;
	char tag[IMAP_TAG_MAX + 1]; /* of the command under way */
};

/* For struct login_stage, of clients that are struct prelogin. */
void prelogin_dialogue(struct login *l);
void prelogin_say(struct login *l, enum login_says what);

#endif
