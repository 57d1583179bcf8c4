/* SPDX-License-Identifier: ISC */
/*
 * Arguments that many commands share: session.h.
 */
#include "imapd/session.h"

#include <string.h>

#include "imapd/acl_list.h"
#include "lib/imap/imap_set.h"

static uint32_t
highest_uid(const struct imap_session *s)
{
	const struct uid_set *u = &s->view.uids;

	return u->count == 0 ? 0 : u->ranges[u->count - 1].last;
}

static bool
numbers(struct imap_session *s, const struct imap_command *c, struct span text,
    struct uid_set *uids)
{
	uint32_t count = mailbox_view_count(&s->view);
	struct uid_set set = { 0 };
	bool good = imap_set_parse(text, count, &set);

	if (!good)
		reply_bad(s, c, "This is no sequence set");
	else if (imap_set_beyond(text, count))
		reply_bad(s, c, "There are not so many messages");
	else
		mailbox_view_uids(&s->view, &set, uids);
	good = good && !imap_set_beyond(text, count);
	uid_set_fini(&set);
	return good;
}

bool
imap_set_argument(struct imap_session *s, const struct imap_command *c,
    const struct imap_arg *a, struct uid_set *uids)
{
	struct span text;

	uid_set_fini(uids);
	if (!imap_arg_atom(a, &text)) {
		reply_bad(s, c, "A sequence set is missing");
		return false;
	}
	if (span_is(text, "$")) { /* RFC 5182 */
		uid_set_copy(uids, &s->saved);
	} else if (!c->uid) {
		return numbers(s, c, text, uids);
	} else if (!imap_set_parse(text, highest_uid(s), uids)) {
		reply_bad(s, c, "This is no sequence set");
		return false;
	}
	uid_set_intersect(uids, &s->view.uids);
	return true;
}

/* As it is written, a name ends in that character if its UTF-8 does. */
static struct span
without_separator(const struct imap_session *s, struct span wire)
{
	char separator = mail_account_separator(s->account);

	/* an empty level is not dropped: that is no name */
	if (wire.n > 1 && wire.p[wire.n - 1] == separator &&
	    wire.p[wire.n - 2] != separator)
		wire.n--;
	return wire;
}

bool
imap_mailbox_text(const struct imap_session *s, const struct imap_arg *a,
    struct buf *out)
{
	struct span wire;

	return imap_arg_astring(a, &wire) &&
	    imap_mailbox_name(without_separator(s, wire), imap_utf8(s), out);
}

bool
imap_mailbox_argument(struct imap_session *s, const struct imap_command *c,
    const struct imap_arg *a, struct buf *out)
{
	struct span wire;

	if (!imap_arg_astring(a, &wire)) {
		reply_bad(s, c, "A mailbox name is missing");
		return false;
	}
	if (imap_mailbox_text(s, a, out))
		return true;
	reply_no(s, c, "CANNOT", "No mailbox can have that name");
	return false;
}

static bool
is_keyword(struct span name)
{
	for (size_t i = 0; i < name.n; i++)
		if (name.p[i] <= ' ' || name.p[i] >= 0x7f ||
		    strchr("(){%*\"\\]", name.p[i]) != NULL)
			return false;
	return name.n > 0;
}

/*
 * Flags with a backslash that we do not have are passed over, as RFC 9051
 * section 7.1 (PERMANENTFLAGS) allows: clients bring \Recent and others from
 * where they had their messages before.
 */
static uint32_t
system_flag(struct span name)
{
	static const struct {
		const char *name;
		uint32_t flag;
	} rows[] = {
		{ "\\Answered", MAIL_ANSWERED },
		{ "\\Flagged", MAIL_FLAGGED },
		{ "\\Deleted", MAIL_DELETED },
		{ "\\Seen", MAIL_SEEN },
		{ "\\Draft", MAIL_DRAFT },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (span_is_nocase(name, rows[i].name))
			return rows[i].flag;
	return 0;
}

/* RFC 4314 section 4. */
uint32_t
imap_flags_permitted(unsigned int rights)
{
	uint32_t flags = 0;

	if ((rights & ACL_SEEN) != 0)
		flags |= MAIL_SEEN;
	if ((rights & ACL_DELETE_MESSAGE) != 0)
		flags |= MAIL_DELETED;
	if ((rights & ACL_WRITE) != 0)
		flags |= MAIL_SYSTEM_FLAGS & ~(MAIL_SEEN | MAIL_DELETED);
	return flags;
}

static bool
take_flag(struct imap_session *s, const struct imap_command *c,
    struct mailbox *in, unsigned int rights, const struct imap_arg *a,
    enum imap_keywords how, uint32_t *flags, uint64_t *keywords, bool *denied)
{
	struct span name;
	struct why why;
	int bit;

	if (!imap_arg_atom(a, &name) ||
	    !(span_starts(name, "\\") ? is_keyword(span_skip(name, 1)) :
					is_keyword(name))) {
		reply_bad(s, c, "This is no flag");
		return false;
	}
	if (span_starts(name, "\\")) {
		uint32_t flag = system_flag(name);

		*denied =
		    *denied || (flag & ~imap_flags_permitted(rights)) != 0;
		*flags |= flag & imap_flags_permitted(rights);
		return true;
	}
	if ((rights & ACL_WRITE) == 0) {
		*denied = true;
		return true;
	}
	bit = mailbox_keyword(in, name, how != KEYWORDS_KNOWN, &why);
	if (bit < 0 &&
	    (how == KEYWORDS_KNOWN ||
		(how == KEYWORDS_THAT_FIT && mailbox_keywords_full(in))))
		return true;
	if (bit < 0) {
		reply_result(s, c,
		    why.error == 0 ? MAIL_LIMIT : mail_result_of(why.error),
		    &why);
		return false;
	}
	*keywords |= (uint64_t)1 << bit;
	return true;
}

bool
imap_flags_argument(struct imap_session *s, const struct imap_command *c,
    struct mailbox *in, unsigned int rights, const struct imap_arg *a,
    size_t count, enum imap_keywords how, uint32_t *flags, uint64_t *keywords,
    bool *denied)
{
	bool some = false;

	*flags = 0;
	*keywords = 0;
	if (count == 1 && a->type == IMAP_LIST) {
		count = a->count;
		a = a->list;
	}
	for (size_t i = 0; i < count; i++)
		if (!take_flag(s, c, in, rights, &a[i], how, flags, keywords,
			&some))
			return false;
	if (denied != NULL)
		*denied = some;
	return true;
}
