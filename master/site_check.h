/* SPDX-License-Identifier: ISC */
#ifndef MASTER_SITE_CHECK_H
#define MASTER_SITE_CHECK_H

/*
 * Settings that are each allowed, and do to a site what nobody there means:
 * limits that contradict each other, a name without a domain, networks that
 * are other people's.
 */

#include "master/plan.h"

/* Warnings may be NULL: then nobody wants to know. */
void site_check(const struct plan *plan, struct buf *warnings);

#endif
