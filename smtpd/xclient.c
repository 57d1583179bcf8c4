/* SPDX-License-Identifier: ISC */
/*
 * XCLIENT: a proxy (or a test) says on whose behalf it speaks. The session
 * begins anew, as if that client had connected: its limits, its lists, its
 * greeting; and whether it may use XCLIENT again.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/mem.h"
#include "lib/log/log.h"
#include "lib/mail/reply.h"
#include "smtpd/attributes.h"
#include "smtpd/connect.h"
#include "smtpd/login.h"
#include "smtpd/session.h"

static void
set_text(char **to, const char *text)
{
	free(*to);
	*to = mem_text(text);
}

static void
take_names(struct client *c, const struct attribute *name,
    const struct attribute *reverse)
{
	if (name->given) {
		set_text(&c->name, name->unavailable ? "unknown" : name->text);
		c->name_trouble = name->for_now;
	}
	if (reverse->given)
		set_text(&c->unverified_name,
		    reverse->unavailable ? "unknown" : reverse->text);
}

static uint16_t
port_of(const struct attribute *port)
{
	uint64_t number = 0;

	(void)span_u64(span_of(port->text), UINT16_MAX, &number);
	return (uint16_t)number;
}

static_assert((int)ADDRESS_TEXT_MAX <= (int)ATTRIBUTE_MAX, "a text's room");

/* Unavailable: no address at all, which no list of networks has. */
static void
take_address(struct address *to, const struct attribute *address,
    const struct attribute *port)
{
	char text[ADDRESS_TEXT_MAX];

	if (!address->given && !port->given)
		return;
	if (address->given)
		memcpy(text, address->text, sizeof(text));
	else
		address_host(to, text);
	*to = (struct address){ .length = 0 };
	if (address_parse_ip(span_of(text), port_of(port), to))
		address_normalise(to);
}

static void
take_login(struct session *s, const struct attribute *login)
{
	login_forget(s);
	if (!login->given || login->unavailable ||
	    !s->p->smtpd_sasl_auth_enable)
		return;
	s->user = mem_text(login->text);
	s->mechanism = mem_text("XCLIENT");
}

/* What was said before is forgotten, and what is told now put in its place. */
static void
take(struct session *s, const struct attributes *said)
{
	const struct attribute *list = said->list;
	const struct attribute *helo = &list[ATTRIBUTE_HELO];
	const struct attribute *protocol = &list[ATTRIBUTE_PROTO];
	struct client *c = &s->client;

	session_forget(s);
	take_names(c, &list[ATTRIBUTE_NAME], &list[ATTRIBUTE_REVERSE_NAME]);
	take_address(&c->address, &list[ATTRIBUTE_ADDR], &list[ATTRIBUTE_PORT]);
	take_address(&c->server, &list[ATTRIBUTE_DESTADDR],
	    &list[ATTRIBUTE_DESTPORT]);
	address_host(&c->address, c->address_text);
	take_login(s, &list[ATTRIBUTE_LOGIN]);
	s->esmtp =
	    protocol->given && span_is_nocase(span_of(protocol->text), "ESMTP");
	if (helo->given && !helo->unavailable) {
		s->helo = mem_text(helo->text);
		session_state(s, STATE_READY);
	}
}

static struct mem_pool parsed = MEM_POOL(struct attributes);

void
verb_xclient(struct session *s, struct span arguments)
{
	struct attributes *said = mem_pool_get(&parsed);
	struct buf reply = BUF_INIT(REPLY_LINE_MAX);

	if (!s->client.may_xclient) {
		say_no(s, 550, "5.7.0", "Error: insufficient authorization");
	} else if (!attributes_parse(arguments, FOR_XCLIENT, said, &reply)) {
		say_text(s, buf_text(&reply));
	} else {
		take(s, said);
		connect_again(s);
	}
	buf_fini(&reply);
	mem_pool_put(&parsed, said);
}
