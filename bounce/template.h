/* SPDX-License-Identifier: ISC */
#ifndef BOUNCE_TEMPLATE_H
#define BOUNCE_TEMPLATE_H

/*
 * The words of reports, from bounce_template_file in Postfix's format
 * (bounce(5)): four texts, failure_template, delay_template,
 * success_template and verify_template, each
 *
 *	failure_template = <<EOF
 *	Charset: us-ascii
 *	From: MAILER-DAEMON (Mail Delivery System)
 *	Subject: Undelivered Mail Returned to Sender
 *	Postmaster-Subject: Postmaster Copy: Undelivered Mail
 *
 *	This is the mail system at host $myhostname.
 *	EOF
 *
 * $name and ${name} are settings; $delay_warning_time_hours and its like
 * (_seconds _minutes _hours _days _weeks) are times in that unit; $$ is "$".
 */

#include <stdbool.h>
#include "bounce/compose.h"
#include "lib/base/buf.h"
#include "lib/base/mem.h"
#include "lib/conf/conf.h"

/*
 * Replaces, in "words" (one for each compose_kind), what the file's text
 * defines, with texts in the arena. False, with a line in *error,
 * when it is malformed: then nothing was replaced.
 */
bool template_parse(struct span text, struct conf *c, struct arena *a,
    struct compose_words words[COMPOSE_KINDS], struct buf *error);

#endif
