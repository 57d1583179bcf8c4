/* SPDX-License-Identifier: ISC */
#ifndef LIB_MAIL_MAIL_ADDRESS_H
#define LIB_MAIL_MAIL_ADDRESS_H

/*
 * Mail addresses as the suite keeps them: the unquoted form local@domain,
 * where the local part is what the quotes meant, and the last "@" parts it
 * from the domain. The empty text is the null sender. Never holds NUL, CR or
 * LF. Addresses are quoted again where they go into SMTP or a header.
 */

#include "lib/base/buf.h"

enum {
	MAIL_ADDRESS_MAX = 1024, /* bytes, in any form within the suite */
	MAIL_HOSTNAME_MAX = 255, /* RFC 1035 section 2.3.4 */
	MAIL_LABEL_MAX = 63,
	/* each byte behind a backslash, two quotes, the final NUL */
	MAIL_ADDRESS_SHOWN_MAX = 2 * MAIL_ADDRESS_MAX + 3,
};

/* False, domain empty, when there is no "@". Either may be NULL. */
bool mail_address_split(struct span address, struct span *local,
    struct span *domain);
/*
 * Adds the form for SMTP and headers: the local part in quotes if it is no
 * dot-atom (RFC 5321 section 4.1.2). No brackets. False if it does not fit.
 */
bool mail_address_quote(struct span address, struct buf *out);
/*
 * The same form, for the log: a local part that the sender chose can then end
 * no field of a line. Returns out.
 */
const char *
mail_address_shown(const char *address, char out[MAIL_ADDRESS_SHOWN_MAX]);
/* Byte of an atom (RFC 5322 atext), or above 127. */
bool mail_address_is_atom(char c);
/* One or more atoms with single dots between them? */
bool mail_address_is_dot_atom(struct span s);

/*
 * A host name as Postfix's valid_hostname: letters, digits, "-", "_", dots
 * single and not at the ends, labels of at most 63 without "-" at the ends,
 * not all digits. UTF-8 labels pass where utf8 is said.
 */
bool mail_hostname_valid(struct span name, bool utf8);
/* "[192.0.2.1]" or "[IPv6:2001:db8::1]", RFC 5321 section 4.1.3. */
bool mail_literal_valid(struct span domain);
/* Well-formed UTF-8 (RFC 3629)? */
bool mail_is_utf8(struct span s);

#endif
