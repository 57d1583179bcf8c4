/* SPDX-License-Identifier: ISC */
#include "smtp/policy.h"

#include <ctype.h>
#include <string.h>

#include "lib/base/ensure.h"
#include "lib/log/log.h"
#include "lib/table/table.h"
#include "smtp/ask_lookup.h"
#include "smtp/settings.h"

static enum verdict
judge(enum table_result r, const char *setting, struct why *why)
{
	why_set(why, "4.3.0", "%s lookup error", setting);
	return r == TABLE_FOUND || r == TABLE_NONE ? OK : LATER;
}

/* No name has any of these, and a fingerprint only colons. */
bool
policy_next(struct span *list, struct span *item)
{
	while (span_cut(list, "| \t\r\n,", true, item))
		if (item->n > 0)
			return true;
	return false;
}

/* The next hexadecimal digit, colons left out; 0: none is left. */
static int
next_digit(struct span *text)
{
	while (text->n > 0 && text->p[0] == ':')
		*text = span_skip(*text, 1);
	if (text->n == 0)
		return 0;
	*text = span_skip(*text, 1);
	return toupper((unsigned char)text->p[-1]);
}

bool
policy_has_fingerprint(const char *match, const char *fingerprint)
{
	struct span list = span_of(match), item;

	while (policy_next(&list, &item)) {
		struct span other = span_of(fingerprint);
		int digit;

		while ((digit = next_digit(&item)) == next_digit(&other))
			if (digit == 0)
				return true;
	}
	return false;
}

static bool
is_fingerprint(struct span item)
{
	size_t digits = 0;
	int digit;

	while ((digit = next_digit(&item)) != 0) {
		if (!isxdigit(digit))
			return false;
		digits++;
	}
	return digits >= 32 && digits % 2 == 0; /* from MD5's up */
}

bool
policy_of_level(struct span word, struct policy *out)
{
	const struct tls_params *set = &settings()->tls;
	const struct {
		const char *word;
		enum tls_level level;
		const char *match;
	} levels[] = {
		{ "none", TLS_NONE, NULL },
		{ "may", TLS_MAY, NULL },
		{ "encrypt", TLS_ENCRYPT, NULL },
		{ "fingerprint", TLS_ENCRYPT,
		    set->smtp_tls_fingerprint_cert_match },
		{ "verify", TLS_VERIFY, set->smtp_tls_verify_cert_match },
		{ "secure", TLS_VERIFY, set->smtp_tls_secure_cert_match },
	};

	for (size_t i = 0; i < sizeof(levels) / sizeof(levels[0]); i++)
		if (span_is_nocase(word, levels[i].word)) {
			out->level = levels[i].level;
			out->match = levels[i].match;
			return true;
		}
	return false;
}

/* Adds what "match=" has; its separators depend on what there is to match. */
static bool
add_match(struct policy *p, struct span value, struct buf *list)
{
	bool names = p->level == TLS_VERIFY;
	size_t before = list->n;
	struct span item;

	if (p->match == NULL)
		return false; /* this level compares nothing */
	while (span_cut(&value, names ? ":" : "|", true, &item)) {
		if (!names && !is_fingerprint(item))
			return false;
		buf_add_span(list, item);
		buf_add_char(list, '|');
	}
	return list->n > before && !list->overflow;
}

bool
policy_parse(struct arena *a, struct span value, struct policy *out)
{
	struct buf list = BUF_INIT(65536);
	struct policy p = { 0 };
	struct span word;
	bool good;

	good =
	    span_cut(&value, " \t,", true, &word) && policy_of_level(word, &p);
	while (good && span_cut(&value, " \t,", true, &word)) {
		if (word.n == 0)
			continue;
		good = span_starts_nocase(word, "match=") &&
		    add_match(&p, span_skip(word, 6), &list);
	}
	if (good && list.n > 0)
		p.match = arena_span(a, buf_span(&list));
	buf_fini(&list);
	if (good)
		*out = p;
	return good;
}

/* The next hop as written; if that is but a domain, its parents too. */
enum verdict
policy_find(struct arena *a, const struct destination *d, struct policy *out,
    struct why *why)
{
	static const char setting[] = "smtp_tls_policy_maps";
	const struct client_settings *set = settings();
	const char *maps = set->smtp.smtp_tls_policy_maps;
	const char *keys[ASK_KEYS_MAX];
	const char *value, *dot = NULL;
	enum verdict v;
	size_t n = 0;

	*out = set->policy;
	if (maps[0] == '\0')
		return OK;
	keys[n++] = d->text;
	if (strcmp(d->host, d->text) == 0)
		dot = strchr(d->host, '.');
	for (; dot != NULL && n < ASK_KEYS_MAX; dot = strchr(dot + 1, '.'))
		keys[n++] = dot;
	v = judge(ask_table(a, setting, maps, keys, n, &value), setting, why);
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

/* By sender, then by the server's name, then by the next hop as written. */
static enum table_result
find_password(struct arena *a, const char *sender, const struct destination *d,
    const char *host, const char **value)
{
	static const char setting[] = "smtp_sasl_password_maps";
	const struct smtp_params *p = &settings()->smtp;
	const char *maps = p->smtp_sasl_password_maps;
	const char *const places[] = { host, d->text };
	enum table_result r = TABLE_NONE;

	*value = NULL;
	if (p->smtp_sender_dependent_authentication && sender[0] != '\0')
		r = ask_table_address(a, setting, maps, sender, value);
	/* one at a time: each is a whole key, for pattern tables as well */
	for (size_t i = 0; i < 2 && r == TABLE_NONE; i++)
		if (i == 0 || strcmp(places[0], places[1]) != 0)
			r = ask_table(a, setting, maps, &places[i], 1, value);
	return r;
}

enum verdict
credentials_find(struct arena *a, const char *sender,
    const struct destination *d, const char *host, struct credentials *out,
    struct why *why)
{
	const struct smtp_params *p = &settings()->smtp;
	const char *value, *cut;
	enum verdict v;

	memset(out, 0, sizeof(*out));
	if (!p->smtp_sasl_auth_enable || p->smtp_sasl_password_maps[0] == '\0')
		return OK;
	v = judge(find_password(a, sender, d, host, &value),
	    "smtp_sasl_password_maps", why);
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
