/* SPDX-License-Identifier: ISC */
#include "lib/mail/esmtp.h"

#include <string.h>

#include "lib/mail/mail_address.h"
#include "lib/mail/smtp_path.h"
#include "lib/queue/queue_file.h"

struct option {
	struct span name;
	struct span value;
	bool has_value;
};

/* One "NAME=value" or "NAME" off the front. */
static bool
next_option(struct span *rest, struct option *o)
{
	struct span word;
	size_t equal;

	if (!span_cut(rest, " \t", true, &word))
		return false;
	equal = span_find(word, '=');
	o->name = span_take(word, equal);
	o->value = span_skip(word, equal + 1);
	o->has_value = equal < word.n;
	return true;
}

static bool
refuse(struct buf *reply, const char *text)
{
	buf_add_text(reply, text);
	return false;
}

static bool
unsupported(struct buf *reply, const struct option *o)
{
	buf_printf(reply, "555 5.5.4 Unsupported option: %.*s%s%.*s",
	    (int)(o->name.n < 100 ? o->name.n : 100), o->name.p,
	    o->has_value ? "=" : "", (int)(o->value.n < 100 ? o->value.n : 100),
	    o->value.p);
	return false;
}

static bool
option_size(struct esmtp_mail *m, const struct option *o, struct buf *reply)
{
	if (m->has_size || !o->has_value ||
	    !span_u64(o->value, UINT64_MAX, &m->size))
		return refuse(reply, "501 5.5.4 Bad message size syntax");
	m->has_size = true;
	return true;
}

static bool
option_body(struct esmtp_mail *m, const struct option *o, struct buf *reply)
{
	if (m->body != 0)
		return refuse(reply, "501 5.5.4 Bad BODY parameter syntax");
	if (span_is_nocase(o->value, "7BIT"))
		m->body = 1;
	else if (span_is_nocase(o->value, "8BITMIME"))
		m->body = 2;
	else
		return unsupported(reply, o);
	return true;
}

static bool
option_ret(struct esmtp_mail *m, const struct option *o, struct buf *reply)
{
	if (m->ret == 0 && span_is_nocase(o->value, "FULL"))
		m->ret = 1;
	else if (m->ret == 0 && span_is_nocase(o->value, "HDRS"))
		m->ret = 2;
	else
		return refuse(reply, "501 5.5.4 Bad RET parameter syntax");
	return true;
}

static bool
option_envid(struct esmtp_mail *m, const struct option *o, struct buf *reply)
{
	struct buf out = BUF_INIT(ENVID_MAX);
	bool good = m->envid[0] == '\0' && envid_decode(o->value, &out);

	if (good)
		memcpy(m->envid, out.p, out.n + 1);
	buf_fini(&out);
	return good || refuse(reply, "501 5.5.4 Bad ENVID parameter syntax");
}

/* RFC 4954 section 5: taken, and as nobody here is trusted, not passed on. */
static bool
option_auth(const struct option *o, struct buf *reply)
{
	struct buf out = BUF_INIT(MAIL_ADDRESS_MAX);
	bool good = o->has_value && xtext_decode(o->value, &out);

	buf_fini(&out);
	return good || refuse(reply, "501 5.5.4 Bad AUTH parameter syntax");
}

static bool
mail_option(struct esmtp_mail *m, const struct esmtp_rules *rules,
    const struct option *o, struct buf *reply)
{
	if (span_is_nocase(o->name, "SIZE"))
		return option_size(m, o, reply);
	if (span_is_nocase(o->name, "BODY"))
		return option_body(m, o, reply);
	if (span_is_nocase(o->name, "AUTH"))
		return option_auth(o, reply);
	if (span_is_nocase(o->name, "SMTPUTF8") && rules->utf8 &&
	    !o->has_value) {
		m->smtputf8 = true;
		return true;
	}
	if (span_is_nocase(o->name, "RET") && rules->dsn)
		return option_ret(m, o, reply);
	if (span_is_nocase(o->name, "ENVID") && rules->dsn)
		return option_envid(m, o, reply);
	return unsupported(reply, o);
}

/* The path, and the reply where there is none. */
static bool
take_path(struct span *rest, const char *keyword, unsigned int flags,
    struct buf *address, const char *bad_syntax, struct buf *reply)
{
	bool mine = span_starts_nocase(*rest, keyword);

	if (mine)
		*rest = span_skip(*rest, strlen(keyword));
	if (!mine || span_trim(*rest).n == 0) {
		buf_printf(reply, "501 5.5.4 Syntax: %s %s<address>",
		    keyword[0] == 'F' ? "MAIL" : "RCPT", keyword);
		return false;
	}
	switch (smtp_path_parse(rest, flags, address)) {
	case SMTP_PATH_OK:
		return true;
	case SMTP_PATH_NEEDS_UTF8:
		return refuse(reply,
		    "553 5.6.7 Must declare SMTPUTF8 to "
		    "send unicode address");
	default:
		return refuse(reply, bad_syntax);
	}
}

/* A domain that nobody can have; one of digits may mean an address. */
static bool
impossible(const char *address)
{
	struct span domain;

	return mail_address_split(span_of(address), NULL, &domain) &&
	    domain.n > 0 && domain.p[0] != '[' &&
	    !mail_hostname_valid(domain, true) &&
	    strspn(domain.p, "0123456789.") < domain.n;
}

bool
esmtp_parse_mail(struct span arguments, const struct esmtp_rules *rules,
    struct esmtp_mail *out, struct buf *reply)
{
	struct buf address = BUF_INIT(MAIL_ADDRESS_MAX);
	struct span rest = arguments;
	struct option option;
	bool good = take_path(&rest, "FROM:",
	    PATH_NULL | (rules->utf8 ? PATH_UTF8 : 0) |
		(rules->strict ? PATH_STRICT : 0),
	    &address, "501 5.1.7 Bad sender address syntax", reply);

	memset(out, 0, sizeof(*out));
	if (good && impossible(buf_text(&address)))
		good = refuse(reply, "501 5.1.7 Bad sender address syntax");
	while (good && next_option(&rest, &option))
		good = mail_option(out, rules, &option, reply);
	if (good && !out->smtputf8 && rules->strict_utf8 &&
	    !span_is_ascii(buf_span(&address)))
		good = refuse(reply,
		    "553 5.6.7 Must declare SMTPUTF8 to "
		    "send unicode address");
	if (good && rules->size_limit > 0 && out->size > rules->size_limit)
		good =
		    refuse(reply, "552 5.3.4 Message size exceeds fixed limit");
	memcpy(out->sender, buf_text(&address), address.n + 1);
	buf_fini(&address);
	return good;
}

/* "NEVER", or some of "SUCCESS,FAILURE,DELAY". */
static bool
option_notify(struct esmtp_rcpt *r, const struct option *o, struct buf *reply)
{
	struct span rest = o->value, word;
	unsigned int bits = 0;
	bool good = r->notify == 0 && rest.n > 0;

	while (good && span_cut(&rest, ",", false, &word)) {
		unsigned int bit = span_is_nocase(word, "NEVER") ?
		    NOTIFY_NEVER :
		    span_is_nocase(word, "SUCCESS") ? NOTIFY_SUCCESS :
		    span_is_nocase(word, "FAILURE") ? NOTIFY_FAILURE :
		    span_is_nocase(word, "DELAY")   ? NOTIFY_DELAY :
						      0;

		good = bit != 0 && !(bits & bit);
		bits |= bit;
	}
	if (!good || ((bits & NOTIFY_NEVER) && bits != NOTIFY_NEVER))
		return refuse(reply, "501 5.5.4 Bad NOTIFY parameter syntax");
	r->notify = bits;
	return true;
}

static bool
option_orcpt(struct esmtp_rcpt *r, const struct option *o, struct buf *reply)
{
	struct buf out = BUF_INIT(ORCPT_MAX);
	bool good = r->orcpt[0] == '\0' && orcpt_decode(o->value, &out);

	if (good)
		memcpy(r->orcpt, out.p, out.n + 1);
	buf_fini(&out);
	return good || refuse(reply, "501 5.5.4 Bad ORCPT parameter syntax");
}

static unsigned int
rcpt_flags(const struct esmtp_rules *rules)
{
	return (rules->utf8 ? PATH_UTF8 : 0) |
	    (rules->strict ? PATH_STRICT : 0);
}

bool
esmtp_parse_rcpt(struct span arguments, const struct esmtp_rules *rules,
    struct esmtp_rcpt *out, struct buf *reply)
{
	struct buf address = BUF_INIT(MAIL_ADDRESS_MAX);
	struct span rest = arguments;
	struct option option;
	bool good = take_path(&rest, "TO:", rcpt_flags(rules), &address,
	    "501 5.1.3 Bad recipient address syntax", reply);

	memset(out, 0, sizeof(*out));
	while (good && next_option(&rest, &option)) {
		if (rules->dsn && span_is_nocase(option.name, "NOTIFY"))
			good = option_notify(out, &option, reply);
		else if (rules->dsn && span_is_nocase(option.name, "ORCPT"))
			good = option_orcpt(out, &option, reply);
		else
			good = unsupported(reply, &option);
	}
	memcpy(out->recipient, buf_text(&address), address.n + 1);
	buf_fini(&address);
	return good;
}

bool
esmtp_peek_rcpt(struct span line, const struct esmtp_rules *rules,
    struct buf *address)
{
	struct span rest;

	line = span_trim(line);
	if (!span_starts_nocase(line, "RCPT "))
		return false;
	rest = span_trim(span_skip(line, 5));
	if (!span_starts_nocase(rest, "TO:"))
		return false;
	rest = span_skip(rest, 3);
	return smtp_path_parse(&rest, rcpt_flags(rules), address) ==
	    SMTP_PATH_OK;
}
