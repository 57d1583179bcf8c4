/* SPDX-License-Identifier: ISC */
#ifndef POP3D_AUTHORIZATION_H
#define POP3D_AUTHORIZATION_H

/* The AUTHORIZATION state: from the greeting until the login. */

#include "lib/login/login.h"

#define PARAM_GROUP pop3d
#define PARAM_DEF "pop3d/params.def"
#include "lib/conf/param.h"

struct authorization {
	struct login login; /* first */
	const struct pop3d_params *params;
	char *user; /* said with USER; the caller frees it */
};

/* For struct login_stage, of clients that are struct authorization. */
void authorization_dialogue(struct login *l);
void authorization_say(struct login *l, enum login_says what);

#endif
