/* SPDX-License-Identifier: ISC */
#ifndef LIB_MAIL_RESOLVE_H
#define LIB_MAIL_RESOLVE_H

/* Classes of recipient domains, as Postfix's ADDRESS_CLASS_README has them. */
enum address_class {
	CLASS_DEFAULT, /* somebody else's: relaying needs permission */
	CLASS_LOCAL, /* mydestination, inet_interfaces */
	CLASS_VIRTUAL_ALIAS,
	CLASS_VIRTUAL_MAILBOX,
	CLASS_RELAY, /* relay_domains */
};

enum rewrite_kind {
	REWRITE_ENVELOPE_SENDER,
	REWRITE_ENVELOPE_RECIPIENT,
	REWRITE_HEADER_SENDER,
	REWRITE_HEADER_RECIPIENT,
};

#endif
