/* SPDX-License-Identifier: ISC */
#ifndef LOOKUP_VIEWS_H
#define LOOKUP_VIEWS_H

/*
 * Which recipients exist, as single services of smtpd see it: Postfix's smtpd
 * asks the tables itself, with the -o that its line of master.cf has
 * (-o local_recipient_maps= behind a content filter). Where mail goes and what
 * it becomes is the same for all. Process lifetime.
 */

#include "lib/conf/master_cf.h"
#include "lookup/maps.h"

struct views;

/* Opens the tables of those services that have other ones than main.cf. */
struct views *views_open(struct conf *c, const struct master_cf *services,
    const struct maps *m);
/*
 * The maps as the service ("inet/NAME") has them; those given to views_open
 * for all others. "v" may be NULL.
 */
struct maps *
views_find(const struct views *v, struct maps *m, const char *service);

#endif
