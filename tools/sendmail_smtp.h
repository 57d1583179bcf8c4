/* SPDX-License-Identifier: ISC */
#ifndef TOOLS_SENDMAIL_SMTP_H
#define TOOLS_SENDMAIL_SMTP_H

/*
 * sendmail -bs: SMTP (RFC 5321) on standard input and output, for programs
 * of this machine that submit mail so. Messages go to postdrop, with the
 * rights of the caller. The command's exit status; both descriptors stay the
 * caller's.
 */

#include "lib/conf/common.h"

int sendmail_smtp(const struct common_params *common, int from, int to);

#endif
