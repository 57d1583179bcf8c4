/* SPDX-License-Identifier: ISC */
#ifndef LOOKUP_MAPS_H
#define LOOKUP_MAPS_H

/*
 * The settings and tables that decide what an address means, opened once for
 * a generation. Process lifetime.
 */

#include "lib/base/why.h"
#include "lib/conf/common.h"
#include "lib/mail/resolve.h"
#include "lib/mail/rewrite.h"
#include "lib/table/table.h"
#include "lookup/own_addresses.h"

#define PARAM_GROUP lookup
#define PARAM_DEF "lookup/params.def"
#include "lib/conf/param.h"

struct maps {
	struct common_params common;
	struct lookup_params own;
	struct rewrite_rules rules;

	struct match_list *mydestination;
	struct match_list *virtual_alias_domains;
	struct match_list *virtual_mailbox_domains;
	struct match_list *relay_domains;
	struct match_list *masquerade_exceptions;
	struct own_addresses *addresses;

	struct table_list *canonical;
	struct table_list *sender_canonical;
	struct table_list *recipient_canonical;
	struct table_list *virtual_alias;
	struct table_list *local_recipient;
	struct table_list *virtual_mailbox;
	struct table_list *relay_recipient;
	struct table_list *relocated;
	struct table_list *transport;
	struct table_list *sender_relayhost;
	struct table_list *sender_transport;

	unsigned int canonical_classes; /* bits: 1 << enum rewrite_kind */
	unsigned int sender_canonical_classes;
	unsigned int recipient_canonical_classes;
	unsigned int masquerade_classes;
	bool propagate_canonical;
	bool propagate_virtual;
	bool propagate_generic;
	bool transport_parents; /* example.com matches its subdomains, too */
};

/*
 * Fills the settings and opens the tables. A table that cannot be used (an
 * unknown type, a syntax error) is logged and then fails at each lookup: mail
 * waits until it is mended.
 */
struct maps *maps_open(struct conf *c);
/*
 * Only what generic(5) tables need: which domains are local, and how names
 * are completed. No tables are opened.
 */
struct maps *maps_open_rules(struct conf *c);
/* One of its lists: of an unusable table as maps_open. */
struct table_list *maps_open_tables(const char *name, const char *specs);
void maps_close(struct maps **m);

/*
 * Logs what a table said and gives LATER, for AGAIN and BROKEN alike: what
 * mail gets to hear is "Temporary lookup failure".
 */
enum verdict maps_failed(const char *what, struct span key,
    const struct buf *value, struct why *why);

/*
 * The address in the lists, in Postfix's order; key parts are in the quoted
 * form, as in tables. OK: *found says whether, *value is in the arena.
 */
enum verdict maps_find_address(struct maps *m, struct table_list *l,
    struct span address, bool local_domain, struct arena *a, bool *found,
    const char **value, const char **extension, struct why *why);

#endif
