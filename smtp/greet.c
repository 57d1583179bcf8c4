/* SPDX-License-Identifier: ISC */
#include "smtp/greet.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "lib/base/base64.h"
#include "lib/base/clock.h"
#include "lib/log/log.h"
#include "lib/net/connect.h"
#include "smtp/ask_lookup.h"
#include "smtp/settings.h"

enum { SYSTEM_CONNECT_S = 180 }; /* smtp_connect_timeout = 0 */

static const struct {
	const char *name;
	enum peer_feature feature;
} extensions[] = {
#define EXTENSION(name, feature) { name, feature },
#include "smtp/extensions.def"
#undef EXTENSION
};

/* What of this server's extensions is to be ignored. */
static enum verdict
find_discarded(struct greeting *g, struct peer *p, struct why *why)
{
	const char *setting = settings()->lmtp ?
	    "lmtp_discard_lhlo_keyword_address_maps" :
	    "smtp_discard_ehlo_keyword_address_maps";
	const char *table =
	    settings()->smtp.smtp_discard_ehlo_keyword_address_maps;
	const char *key = p->address;
	enum table_result r;

	p->discard = NULL;
	if (table[0] == '\0')
		return OK;
	r = ask_table(g->arena, setting, table, &key, 1, &p->discard);
	if (r == TABLE_FOUND || r == TABLE_NONE)
		return OK;
	return why_set(why, "4.3.0", "%s lookup error", setting);
}

static bool
discarded(const struct peer *p, struct span keyword)
{
	struct span rest = span_of(p->discard != NULL ?
			    p->discard :
			    settings()->smtp.smtp_discard_ehlo_keywords),
		    item;

	while (conf_list_next(&rest, &item))
		if (span_equal_nocase(item, keyword))
			return true;
	return false;
}

static bool
mechanism_allowed(const char *name)
{
	struct span rest = span_of(settings()->smtp.smtp_sasl_mechanism_filter),
		    item;
	bool any = false;

	while (conf_list_next(&rest, &item)) {
		if (item.n > 0 && item.p[0] == '!') {
			if (span_is_nocase(span_skip(item, 1), name))
				return false;
		} else {
			any = true;
			if (span_is_nocase(item, name))
				return true;
		}
	}
	return !any;
}

static void
learn_mechanisms(struct peer *p, struct span list)
{
	struct span word;

	p->mechanisms_offered = true;
	while (span_cut(&list, " =\t", true, &word)) {
		if (span_is_nocase(word, "PLAIN") && mechanism_allowed("PLAIN"))
			p->mechanisms |= PEER_PLAIN;
		if (span_is_nocase(word, "LOGIN") && mechanism_allowed("LOGIN"))
			p->mechanisms |= PEER_LOGIN;
	}
}

void
greet_extension(struct peer *p, struct span line, bool first)
{
	struct span rest = line, word;

	/* "AUTH=LOGIN" is an old form that some still speak */
	if (first || !span_cut(&rest, " =\t", true, &word) ||
	    discarded(p, word))
		return;
	for (size_t i = 0; i < sizeof(extensions) / sizeof(extensions[0]); i++)
		if (span_is_nocase(word, extensions[i].name)) {
			p->features |= extensions[i].feature;
			if (extensions[i].feature == PEER_SIZE)
				(void)span_u64(span_trim(rest), UINT64_MAX / 2,
				    &p->size_limit);
			if (extensions[i].feature == PEER_AUTH)
				learn_mechanisms(p, rest);
		}
}

/* A server that gives our own name in its greeting is ourselves. */
static bool
greets_as_us(const struct peer_reply *r)
{
	struct span rest = span_of(r->text), word;

	return span_cut(&rest, " ", true, &word) &&
	    span_cut(&rest, " ", true, &word) &&
	    span_is_nocase(word, settings()->common.myhostname);
}

static enum verdict
hear_banner(struct greeting *g, struct peer *p, bool *esmtp, struct why *why)
{
	struct peer_reply r;
	enum verdict v;

	v = peer_hear(p, settings()->smtp.smtp_helo_timeout,
	    "receiving the initial server greeting", &r, NULL, why);
	if (v != OK)
		return v;
	v = peer_verdict(&r);
	if (v != OK || p->broken) {
		p->broken = true;
		why_set(why,
		    r.code / 100 == 5 &&
			    !settings()->smtp.smtp_skip_5xx_greeting ?
			r.dsn :
			r.code / 100 == 4 ? r.dsn :
					    "4.0.0",
		    "host %s refused to talk to me: %s", p->shown, r.text);
		snprintf(why->mta, sizeof(why->mta), "%s", p->name);
		return why->dsn[0] == '5' ? NEVER : LATER;
	}
	if (g->loop_check && greets_as_us(&r)) {
		log_warning("host %s greeted me with my own hostname %s",
		    p->shown, settings()->common.myhostname);
		g->ourselves = true;
		return why_set(why, g->best ? "5.4.6" : "4.4.6",
		    "mail for %s loops back to myself", g->destination->host);
	}
	*esmtp = strstr(r.text, "ESMTP") != NULL;
	return OK;
}

static enum verdict
say_hello(struct peer *p, const char *verb, peer_line *each,
    struct peer_reply *r, struct why *why)
{
	char doing[64];

	snprintf(doing, sizeof(doing), "performing the %s handshake", verb);
	peer_say(p, settings()->smtp.smtp_helo_timeout, "%s %s", verb,
	    settings()->smtp.smtp_helo_name);
	return peer_hear(p, settings()->smtp.smtp_helo_timeout, doing, r, each,
	    why);
}

static enum verdict
hello(struct peer *p, bool esmtp, struct why *why)
{
	const struct smtp_params *set = &settings()->smtp;
	const char *verb = settings()->lmtp ? "LHLO" : "EHLO";
	bool extended = settings()->lmtp ||
	    (!set->smtp_never_send_ehlo &&
		(esmtp || set->smtp_always_send_ehlo));
	struct peer_reply r;
	enum verdict v = OK;

	p->features = p->mechanisms = 0;
	p->mechanisms_offered = false;
	p->size_limit = 0;
	if (extended) {
		v = say_hello(p, verb, greet_extension, &r, why);
		if (v != OK)
			return v;
		v = peer_verdict(&r);
		if (v == OK)
			return OK;
		p->features = 0;
	}
	if ((v == NEVER || !extended) && !settings()->lmtp && !p->broken) {
		verb = "HELO";
		v = say_hello(p, verb, NULL, &r, why);
		if (v != OK)
			return v;
		v = peer_verdict(&r);
	}
	return v == OK ? OK : peer_refused(p, &r, verb, why);
}

static const char *
matched_name(const struct greeting *g, const struct peer *p, struct span item)
{
	const char *nexthop = g->destination->host;

	if (span_is_nocase(item, "hostname"))
		return p->name;
	if (span_is_nocase(item, "nexthop"))
		return nexthop;
	if (span_is_nocase(item, "dot-nexthop"))
		return arena_printf(g->arena, ".%s", nexthop);
	return arena_span(g->arena, item);
}

/* The names of which the certificate must have one; none below TLS_VERIFY. */
static void
names_to_prove(const struct greeting *g, const struct peer *p,
    struct tls_target *t)
{
	struct span list = span_of(g->policy->match), item;
	const char **names =
	    arena_alloc(g->arena, (list.n / 2 + 1) * sizeof(*names));

	while (g->policy->level == TLS_VERIFY && policy_next(&list, &item))
		names[t->name_count++] = matched_name(g, p, item);
	t->names = names;
}

/* SNI takes no address, and none of the forms for several names. */
static const char *
name_to_ask_for(const struct greeting *g, const struct peer *p,
    const struct tls_target *t)
{
	const char *name = t->name_count > 0 ? t->names[0] : p->name;
	struct span set = span_of(settings()->tls.smtp_tls_servername);
	struct address literal;

	if (set.n > 0)
		name = matched_name(g, p, set);
	if (name[0] == '.')
		name = p->name;
	return name[0] == '\0' || address_parse_ip(span_of(name), 0, &literal) ?
	    NULL :
	    name;
}

/*
 * Servers and names apart; contexts, and so levels, are apart anyway. Names as
 * they are asked for: one that only says "dot-nexthop" is another one for each
 * next hop, and a server may be that of many.
 */
static const char *
resume_key(const struct greeting *g, const struct peer *p,
    const struct tls_target *t)
{
	const char *key = arena_printf(g->arena, "%s|%s", p->relay,
	    t->sni != NULL ? t->sni : "");

	for (size_t i = 0; i < t->name_count; i++)
		key = arena_printf(g->arena, "%s|%s", key, t->names[i]);
	return key;
}

/* At the level fingerprint: is it one of those we know? */
static bool
fingerprint_known(const struct greeting *g, struct peer *p)
{
	const char *digest = settings()->tls.smtp_tls_fingerprint_digest;
	char of_certificate[TLS_FINGERPRINT_MAX], of_key[TLS_FINGERPRINT_MAX];
	struct tls_session *s = stream_tls(p->io);

	if (!tls_fingerprint(s, digest, false, of_certificate) ||
	    !tls_fingerprint(s, digest, true, of_key))
		return false;
	if (policy_has_fingerprint(g->policy->match, of_certificate) ||
	    policy_has_fingerprint(g->policy->match, of_key))
		return true;
	log_info("%s: fingerprint=%s, pkey_fingerprint=%s is not known",
	    p->relay, of_certificate, of_key);
	return false;
}

static void
log_tls(struct peer *p, bool proven)
{
	const struct tls_session *s = stream_tls(p->io);

	if (settings()->tls.smtp_tls_loglevel > 0)
		log_info("%s TLS connection established to %s: %s%s",
		    proven             ? "Verified" :
			tls_trusted(s) ? "Trusted" :
					 "Untrusted",
		    p->relay, tls_session_text(s),
		    tls_resumed(s) ? ", session resumed" : "");
}

/* TLS runs: is the server the one that was meant? */
static enum verdict
check_server(const struct greeting *g, struct peer *p, struct why *why)
{
	bool fingerprints =
	    g->policy->level == TLS_ENCRYPT && g->policy->match != NULL;
	bool known = fingerprints && fingerprint_known(g, p);

	p->proven = known || g->policy->level == TLS_VERIFY;
	log_tls(p, p->proven);
	if (!fingerprints || known)
		return OK;
	p->broken = true;
	return why_set(why, "4.7.5", "Server certificate not verified");
}

static enum verdict
handshake(struct greeting *g, struct peer *p, struct why *why)
{
	struct tls_context *context =
	    settings()->tls_contexts[g->policy->level];
	struct tls_target target = { 0 };

	names_to_prove(g, p, &target);
	target.sni = name_to_ask_for(g, p, &target);
	target.resume = resume_key(g, p, &target);
	stream_timeout(p->io, settings()->smtp.smtp_starttls_timeout * 1000);
	if (stream_tls_connect_to(p->io, context, &target) == IO_OK)
		return check_server(g, p, why);
	log_info("SSL_connect error to %s: %s", p->relay, stream_error(p->io));
	p->broken = true;
	if (g->policy->level >= TLS_VERIFY &&
	    strstr(stream_error(p->io), "certificate") != NULL)
		return why_set(why, "4.7.5",
		    "Server certificate not verified: %s", stream_error(p->io));
	return why_set(why, "4.7.5", "Cannot start TLS: handshake failure");
}

/*
 * STARTTLS. OK also when it was opportunistic and the server declined. With
 * *plain set, TLS failed beyond repair, and another connection without it is
 * allowed.
 */
static enum verdict
start_tls(struct greeting *g, struct peer *p, bool *plain, struct why *why)
{
	bool must = g->policy->level >= TLS_ENCRYPT;
	struct peer_reply r;
	enum verdict v;

	if (!(p->features & PEER_STARTTLS))
		return !must ?
		    OK :
		    why_set(why, "4.7.4",
			"TLS is required, but was not offered by host %s",
			p->shown);
	peer_say(p, settings()->smtp.smtp_starttls_timeout, "STARTTLS");
	v = peer_hear(p, settings()->smtp.smtp_starttls_timeout,
	    "receiving the STARTTLS response", &r, NULL, why);
	if (v != OK)
		return v;
	if (r.code / 100 != 2 || p->broken) {
		if (!must && !p->broken)
			return OK;
		p->broken = true;
		return why_set(why, "4.7.4",
		    "TLS is required, but host %s "
		    "refused to start TLS: %s",
		    p->shown, r.text);
	}
	/*
	 * What came glued to the 220 was not protected by TLS, whoever put
	 * it there; it must not be taken for an answer inside.
	 */
	if (stream_buffered(p->io) > 0) {
		p->broken = true;
		log_warning("host %s sent more than its answer to STARTTLS",
		    p->shown);
		return why_set(why, "4.7.0",
		    "host %s sent data ahead of the "
		    "TLS handshake",
		    p->shown);
	}
	v = handshake(g, p, why);
	*plain = v != OK && !must;
	return v == OK ? hello(p, true, why) : v;
}

static bool
plaintext_forbidden(const struct peer *p)
{
	const struct smtp_params *set = &settings()->smtp;
	struct span rest, item;

	rest =
	    span_of(p->proven ? set->smtp_sasl_tls_verified_security_options :
		    stream_tls(p->io) != NULL ?
				set->smtp_sasl_tls_security_options :
				set->smtp_sasl_security_options);
	while (conf_list_next(&rest, &item))
		if (span_is_nocase(item, "noplaintext"))
			return true;
	return false;
}

/* Says base 64 of the bytes; nothing of it is ever logged. */
static void
say_secret(struct peer *p, const char *prefix, struct span bytes)
{
	struct buf line = BUF_INIT(4096);

	if (!buf_add_text(&line, prefix) || !base64_encode(bytes, &line) ||
	    !buf_add_text(&line, "\r\n"))
		p->broken = true;
	else
		(void)stream_write(p->io, line.p, line.n);
	if (line.p != NULL)
		explicit_bzero(line.p, line.room);
	buf_fini(&line);
}

static enum verdict
auth_plain(struct peer *p, const struct credentials *c, struct peer_reply *r,
    struct why *why)
{
	struct buf secret = BUF_INIT(2048);
	enum verdict v;

	/* RFC 4616: authorization identity, identity, password */
	buf_add_char(&secret, '\0');
	buf_add_text(&secret, c->user);
	buf_add_char(&secret, '\0');
	buf_add_text(&secret, c->password);
	if (secret.overflow)
		p->broken = true;
	else
		say_secret(p, "AUTH PLAIN ", buf_span(&secret));
	v = peer_hear(p, settings()->smtp.smtp_helo_timeout,
	    "performing the AUTH handshake", r, NULL, why);
	explicit_bzero(secret.p, secret.room);
	buf_fini(&secret);
	return v;
}

static enum verdict
auth_login(struct peer *p, const struct credentials *c, struct peer_reply *r,
    struct why *why)
{
	const char *const answers[] = { c->user, c->password };
	int64_t timeout = settings()->smtp.smtp_helo_timeout;
	enum verdict v;

	peer_say(p, timeout, "AUTH LOGIN");
	v = peer_hear(p, timeout, "performing the AUTH handshake", r, NULL,
	    why);
	for (size_t i = 0; v == OK && r->code == 334 && i < 2; i++) {
		say_secret(p, "", span_of(answers[i]));
		v = peer_hear(p, timeout, "performing the AUTH handshake", r,
		    NULL, why);
	}
	return v;
}

static enum verdict
authenticate(struct greeting *g, struct peer *p, struct why *why)
{
	struct credentials c;
	struct peer_reply r;
	enum verdict v;

	v = credentials_find(g->arena, g->sender, g->destination, p->name, &c,
	    why);
	if (v != OK || c.user == NULL)
		return v;
	if (!(p->features & PEER_AUTH))
		return OK; /* it may know us by our address */
	if (p->mechanisms == 0 || plaintext_forbidden(p))
		return why_set(why, "4.7.0",
		    "SASL authentication failed; "
		    "cannot authenticate to server %s: no mechanism available",
		    p->shown);
	v = (p->mechanisms & PEER_PLAIN) ? auth_plain(p, &c, &r, why) :
					   auth_login(p, &c, &r, why);
	if (v != OK)
		return v;
	if (r.code / 100 == 2)
		return OK;
	if (r.code / 100 == 3)
		p->broken = true;
	why_set(why,
	    peer_verdict(&r) == NEVER &&
		    !settings()->smtp.smtp_sasl_auth_soft_bounce ?
		"5.7.8" :
		"4.7.8",
	    "SASL authentication failed; server %s said: %s", p->shown, r.text);
	return why->dsn[0] == '5' ? NEVER : LATER;
}

/* All from the open connection on. */
static enum verdict
introduce(struct greeting *g, struct peer *p, bool tls, bool *plain,
    struct why *why)
{
	bool wrapped = settings()->tls.smtp_tls_wrappermode && tls;
	bool esmtp = false;
	enum verdict v = OK;

	v = find_discarded(g, p, why);
	if (v == OK && wrapped)
		v = handshake(g, p, why);
	if (v == OK)
		v = hear_banner(g, p, &esmtp, why);
	if (v != OK)
		return v;
	v = hello(p, esmtp, why);
	if (v == OK && !tls && (p->features & PEER_STARTTLS) &&
	    settings()->tls.smtp_tls_note_starttls_offer)
		log_info("Host offered STARTTLS: [%s]", p->name);
	if (v == OK && tls && !wrapped)
		v = start_tls(g, p, plain, why);
	if (v != OK)
		return v;
	g->handshake = true;
	p->discard = NULL; /* of this delivery's memory */
	return authenticate(g, p, why);
}

static enum verdict
connect_failed(const struct host *h, struct why *why)
{
	char host[ADDRESS_TEXT_MAX];
	int error = errno;

	address_host(&h->address, host);
	why_set(why, "4.4.1", "connect to %s[%s]:%u: %s", h->name, host,
	    address_port(&h->address), strerror(error));
	log_info("%s", why->text);
	return LATER;
}

static int64_t
connect_deadline(void)
{
	int64_t seconds = settings()->smtp.smtp_connect_timeout;

	return clock_in(seconds > 0 ? seconds : SYSTEM_CONNECT_S);
}

static int
connect_host(const struct host *h)
{
	const struct client_settings *set = settings();
	const struct address *from =
	    h->address.any.sa_family == AF_INET ? &set->bind4 : &set->bind6;
	int64_t deadline = connect_deadline();
	int fd;

	if (from->length == 0)
		return connect_address(&h->address, NULL, deadline);
	fd = connect_address(&h->address, from, deadline);
	if (fd < 0 && errno == EADDRNOTAVAIL &&
	    !set->smtp.smtp_bind_address_enforce)
		fd = connect_address(&h->address, NULL, deadline);
	return fd;
}

/* Ends what failed: politely, if the dialogue can go on. */
static enum verdict
settle(enum verdict v, struct peer **p)
{
	if (v != OK)
		peer_quit(p, true);
	return v;
}

enum verdict
greet_host(struct greeting *g, const struct host *h, struct peer **out,
    struct why *why)
{
	bool tls = g->policy->level != TLS_NONE, plain = false;
	enum verdict v;
	int fd;

	fd = connect_host(h);
	if (fd < 0)
		return connect_failed(h, why);
	*out = peer_new(fd, h->name, &h->address);
	v = settle(introduce(g, *out, tls, &plain, why), out);
	if (v == OK || !plain)
		return v;
	/* TLS was only wished for, and this server cannot do what it offers */
	fd = connect_host(h);
	if (fd < 0)
		return connect_failed(h, why);
	*out = peer_new(fd, h->name, &h->address);
	return settle(introduce(g, *out, false, &plain, why), out);
}

enum verdict
greet_unix(struct greeting *g, struct peer **out, struct why *why)
{
	const char *path = g->destination->path;
	bool plain = false;
	int fd;

	/* there are no files here; master knows which sockets are meant */
	fd = service_connect(g->destination->text, connect_deadline());
	if (fd < 0)
		return why_set(why, "4.4.1", "connect to %s[%s]: %s",
		    settings()->common.myhostname, path, service_connect_why());
	*out = peer_new_unix(fd, path);
	return settle(introduce(g, *out, false, &plain, why), out);
}
