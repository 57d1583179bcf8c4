/* SPDX-License-Identifier: ISC */
#ifndef LOOKUP_MASQUERADE_H
#define LOOKUP_MASQUERADE_H

/*
 * Address masquerading: hosts behind a domain are not shown to the outside;
 * user@host.example.com becomes user@example.com (masquerade_domains).
 */

#include "lookup/maps.h"

/*
 * Replaces the address, if addresses of this kind are masqueraded. LATER only
 * if a table of masquerade_exceptions could not be asked.
 */
enum verdict masquerade(struct maps *m, enum rewrite_kind kind, struct arena *a,
    const char **address, struct why *why);

#endif
