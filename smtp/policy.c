/* SPDX-License-Identifier: ISC */
#include "smtp/policy.h"

#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/ensure.h"
#include "lib/ipc/proto_lookup.h"
#include "lib/log/log.h"
#include "lib/service/service.h"
#include "lib/table/table.h"
#include "smtp/settings.h"

enum { ASK_TIMEOUT_S = 100, KEYS_MAX = 4 };

static const char service[] = "lookup-smtp";

/* The value in the arena, NULL when no key is in the table. */
static enum verdict
ask(struct arena *a, const char *setting, const char *table,
    struct msg_address_item *keys, size_t count, const char **value,
    struct why *why)
{
	struct msg_query query = { .table = table, .keys = { keys, count } };
	int64_t deadline = clock_in(ASK_TIMEOUT_S);
	struct ipc *c = service_ask(service, &protocol_lookup, deadline);
	const struct msg_query_reply *reply = NULL;
	const void *message = NULL;
	enum verdict v = LATER;
	bool ok = false;

	*value = NULL;
	why_set(why, "4.3.0", "%s lookup error", setting);
	if (c != NULL &&
	    ipc_send(c, &message_query, &query, deadline) == IPC_OK &&
	    ipc_expect(c, &message_query_reply, &message, deadline) == IPC_OK)
		ok = true;
	reply = message;
	if (ok && reply->result == TABLE_FOUND)
		*value = arena_text(a, reply->value);
	if (ok && (reply->result == TABLE_FOUND || reply->result == TABLE_NONE))
		v = OK;
	else if (ok)
		log_warning("%s: %s", setting, reply->value);
	service_done(service, &c, ok);
	return v;
}

static enum tls_level
level_of(struct span word, bool *known, bool *secure)
{
	static const struct {
		const char *word;
		enum tls_level level;
	} levels[] = {
		{ "none", TLS_NONE },
		{ "may", TLS_MAY },
		{ "encrypt", TLS_ENCRYPT },
		{ "verify", TLS_VERIFY },
		{ "secure", TLS_VERIFY },
	};

	*secure = span_is_nocase(word, "secure");
	for (size_t i = 0; i < sizeof(levels) / sizeof(levels[0]); i++)
		if (span_is_nocase(word, levels[i].word))
			return levels[i].level;
	*known = false;
	return TLS_NONE;
}

bool
policy_parse(struct arena *a, struct span value, struct policy *out)
{
	struct policy p = { 0 };
	bool known = true;
	struct span word;

	if (!span_cut(&value, " \t,", true, &word))
		return false;
	p.level = level_of(word, &known, &p.secure);
	while (span_cut(&value, " \t,", true, &word)) {
		if (word.n == 0)
			continue;
		/* one name; what it means as hostname or nexthop is known */
		if (!span_starts_nocase(word, "match="))
			return false;
		word = span_skip(word, 6);
		if (span_find(word, ':') < word.n || word.n == 0)
			return false;
		if (span_is(word, "nexthop"))
			p.secure = true;
		else if (span_is(word, "hostname"))
			p.secure = false;
		else
			p.match = arena_span(a, word);
	}
	if (known)
		*out = p;
	return known;
}

/* Next hop as written, then its domain, then the domain's parents. */
enum verdict
policy_find(struct arena *a, const struct destination *d, struct policy *out,
    struct why *why)
{
	const struct client_settings *set = settings();
	const char *maps = set->smtp.smtp_tls_policy_maps;
	struct msg_address_item keys[KEYS_MAX] = { 0 };
	const char *value = NULL, *dot;
	enum verdict v;
	size_t n = 0;

	*out = (struct policy){ .level = set->tls_level,
		.secure = set->tls_secure };
	if (maps[0] == '\0')
		return OK;
	keys[n++].address = d->text;
	if (strcmp(d->host, d->text) != 0 && d->host[0] != '\0')
		keys[n++].address = d->host;
	for (dot = strchr(d->host, '.'); dot != NULL && n < KEYS_MAX;
	     dot = strchr(dot + 1, '.'))
		keys[n++].address = dot;
	v = ask(a, "smtp_tls_policy_maps", maps, keys, n, &value, why);
	if (v != OK || value == NULL)
		return v;
	if (!policy_parse(a, span_of(value), out)) {
		log_warning("smtp_tls_policy_maps: \"%s\" for %s is not valid",
		    value, d->text);
		return why_set(why, "4.3.5",
		    "client TLS configuration problem");
	}
	return OK;
}

enum verdict
credentials_find(struct arena *a, const char *sender,
    const struct destination *d, const char *host, struct credentials *out,
    struct why *why)
{
	const struct smtp_params *p = &settings()->smtp;
	struct msg_address_item keys[KEYS_MAX] = { 0 };
	const char *value = NULL, *cut;
	enum verdict v;
	size_t n = 0;

	memset(out, 0, sizeof(*out));
	if (!p->smtp_sasl_auth_enable || p->smtp_sasl_password_maps[0] == '\0')
		return OK;
	if (p->smtp_sender_dependent_authentication && sender[0] != '\0')
		keys[n++].address = sender;
	keys[n++].address = d->text;
	keys[n++].address = host;
	v = ask(a, "smtp_sasl_password_maps", p->smtp_sasl_password_maps, keys,
	    n, &value, why);
	if (v != OK || value == NULL)
		return v;
	cut = strstr(value, p->smtp_sasl_password_result_delimiter);
	if (p->smtp_sasl_password_result_delimiter[0] == '\0' || cut == NULL)
		cut = value + strlen(value);
	out->user =
	    arena_span(a, (struct span){ value, (size_t)(cut - value) });
	out->password = *cut == '\0' ?
	    "" :
	    cut + strlen(p->smtp_sasl_password_result_delimiter);
	return OK;
}
