/* SPDX-License-Identifier: ISC */
/*
 * CAPABILITY, NOOP, LOGOUT (RFC 9051 section 6.1), ID (RFC 2971), ENABLE
 * (RFC 5161), and what is not for an authenticated session.
 */
#include "imapd/basic.h"

#include <string.h>

#include "imapd/client_id.h"
#include "lib/log/log.h"

enum {
	CAPABILITIES_MAX = 4000,
};

const char *
imap_capabilities(const struct imap_session *s)
{
	static const char *const names[] = {
#define CAPABILITY(name) name,
#include "imapd/capabilities.def"
#undef CAPABILITY
	};
	static struct buf list = BUF_INIT(CAPABILITIES_MAX);

	buf_reset(&list);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		/* RFC 4978: no more once it is used */
		if (s->compressed && strcmp(names[i], "COMPRESS=DEFLATE") == 0)
			continue;
		buf_printf(&list, "%s%s", i == 0 ? "" : " ", names[i]);
		if (strcmp(names[i], "APPENDLIMIT") == 0 &&
		    s->params->imap_append_limit > 0)
			buf_printf(&list, "=%lld",
			    (long long)s->params->imap_append_limit);
	}
	return buf_text(&list);
}

static bool
no_arguments(struct imap_session *s, const struct imap_command *c)
{
	if (c->count == 0)
		return true;
	reply_bad(s, c, "No arguments are expected");
	return false;
}

void
imap_capability(struct imap_session *s, const struct imap_command *c)
{
	if (!no_arguments(s, c))
		return;
	buf_printf(&s->out, "* CAPABILITY %s\r\n", imap_capabilities(s));
	reply_ok(s, c, NULL, "Capability completed.");
}

void
imap_noop(struct imap_session *s, const struct imap_command *c)
{
	if (no_arguments(s, c))
		reply_ok(s, c, NULL, "NOOP completed.");
}

void
imap_logout(struct imap_session *s, const struct imap_command *c)
{
	if (!no_arguments(s, c))
		return;
	buf_add_text(&s->out, "* BYE Logging out\r\n");
	reply_ok(s, c, NULL, "Logout completed.");
	imap_session_end(s, NULL);
}

void
imap_too_late(struct imap_session *s, const struct imap_command *c)
{
	reply_bad(s, c, "You are logged in already");
}

void
imap_id(struct imap_session *s, const struct imap_command *c)
{
	struct buf told = BUF_INIT(CLIENT_ID_LOG_MAX);

	if (!client_id_read(c, &told)) {
		reply_bad(s, c,
		    "A list of names and values, or NIL, is"
		    " expected");
	} else {
		if (told.n > 0)
			log_info("ID user=<%s>, session=%s, %s", s->user, s->id,
			    buf_text(&told));
		buf_add_text(&s->out, "* ID (\"name\" \"Posthaste\")\r\n");
		reply_ok(s, c, NULL, "ID completed.");
	}
	buf_fini(&told);
}

/* RFC 4978. The answer goes out as it was before. */
void
imap_compress(struct imap_session *s, const struct imap_command *c)
{
	if (c->count != 1 || !imap_arg_is(&c->args[0], "DEFLATE")) {
		reply_bad(s, c, "DEFLATE is what can be had");
		return;
	}
	if (s->compressed) {
		reply_no(s, c, "COMPRESSIONACTIVE", "It is compressed already");
		return;
	}
	reply_ok(s, c, NULL, "DEFLATE active");
	if (imap_send(s) != IO_OK || stream_flush(s->io) != IO_OK)
		return;
	s->compressed = stream_deflate(s->io);
	if (!s->compressed)
		imap_session_end(s, "too much ahead of compression");
}

/* What ENABLE knows; "also" is implied. */
static const struct extension {
	const char *name;
	unsigned int what;
	unsigned int also;
} extensions[] = {
	{ "CONDSTORE", ENABLED_CONDSTORE, 0 },
	{ "QRESYNC", ENABLED_QRESYNC, ENABLED_CONDSTORE },
	{ "UTF8=ACCEPT", ENABLED_UTF8, 0 },
	{ "IMAP4rev2", ENABLED_REV2, 0 },
	{ "UIDONLY", ENABLED_UIDONLY, 0 },
};

static void
turn_on(struct imap_session *s, const struct extension *e, struct buf *on)
{
	if (imap_enabled(s, e->what))
		return;
	buf_printf(on, " %s", e->name);
	if (((e->what | e->also) & ENABLED_CONDSTORE) != 0)
		imap_enable_condstore(s);
	s->enabled |= e->what | e->also;
}

/* What nobody knows is passed over: RFC 5161 section 3.1. */
void
imap_enable(struct imap_session *s, const struct imap_command *c)
{
	struct buf on = BUF_INIT(CAPABILITIES_MAX);
	struct span name;

	for (size_t i = 0; i < c->count; i++)
		if (!imap_arg_atom(&c->args[i], &name)) {
			reply_bad(s, c, "Names of extensions are expected");
			return;
		}
	if (c->count == 0) {
		reply_bad(s, c, "Names of extensions are expected");
		return;
	}
	for (size_t i = 0; i < c->count; i++)
		for (size_t e = 0;
		     e < sizeof(extensions) / sizeof(extensions[0]); e++)
			if (imap_arg_is(&c->args[i], extensions[e].name))
				turn_on(s, &extensions[e], &on);
	buf_printf(&s->out, "* ENABLED%s\r\n", buf_text(&on));
	reply_ok(s, c, NULL, "Enabled.");
	buf_fini(&on);
}
