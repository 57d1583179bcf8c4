/* SPDX-License-Identifier: ISC */
#ifndef TOOLS_SENDMAIL_SMTP_H
#define TOOLS_SENDMAIL_SMTP_H

/*
 * sendmail -bs: SMTP (RFC 5321) on standard input and output, for programs
 * of this machine that submit mail so. Messages go to postdrop, with the
 * rights of the caller. The command's exit status.
 */

#include "lib/conf/common.h"

int sendmail_smtp(const struct common_params *common);

#endif
