/* SPDX-License-Identifier: ISC */
#ifndef LIB_CONF_HANDED_ON_H
#define LIB_CONF_HANDED_ON_H

/*
 * Postfix's postscreen hands clients on to a service of type pass, whose
 * options say what they may do. smtpd stands in for both: it serves the line
 * of postscreen with the options of the other.
 */

#include "lib/conf/master_cf.h"

/*
 * To whom that line of postscreen would hand its clients, by
 * smtpd_service_name; NULL: it is another command, or there is no such line.
 */
const struct master_entry *handed_on_to(const struct master_cf *cf,
    struct conf *c, const struct master_entry *e);
/* Is it there for a postscreen that is not disabled? */
bool handed_on_any(const struct master_cf *cf, struct conf *c,
    const struct master_entry *pass);
/* Options and maxproc as they would be: "to" has been looked at before. */
void handed_on_take(struct master_entry *e, const struct master_entry *to);

#endif
