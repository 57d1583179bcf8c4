/* SPDX-License-Identifier: ISC */
#include "lib/tls/tls_protocols.h"

#include <openssl/ssl.h>

static const struct version {
	const char *name;
	const char *number; /* the form for versions not known yet */
	int value;
	uint64_t option;
} versions[] = {
	{ "SSLv2", "0002", 0, 0 },
	{ "SSLv3", "0300", 0, 0 },
	{ "TLSv1", "0301", TLS1_VERSION, SSL_OP_NO_TLSv1 },
	{ "TLSv1.1", "0302", TLS1_1_VERSION, SSL_OP_NO_TLSv1_1 },
	{ "TLSv1.2", "0303", TLS1_2_VERSION, SSL_OP_NO_TLSv1_2 },
	{ "TLSv1.3", "0304", TLS1_3_VERSION, SSL_OP_NO_TLSv1_3 },
};

enum {
	VERSION_COUNT = sizeof(versions) / sizeof(versions[0]),
	FIRST_SPOKEN = 2,
};

static int
find(struct span name)
{
	for (int i = 0; i < VERSION_COUNT; i++)
		if (span_is_nocase(name, versions[i].name) ||
		    span_is_nocase(name, versions[i].number))
			return i;
	return -1;
}

/* What a list says, before it is weighed. */
struct wish {
	unsigned int included;
	unsigned int excluded;
	int floor;
	int ceiling;
};

static bool
take(struct wish *w, struct span word)
{
	bool exclude = false, floor = false, ceiling = false;
	int v;

	if (span_starts(word, ">="))
		floor = true, word = span_skip(word, 2);
	else if (span_starts(word, "<="))
		ceiling = true, word = span_skip(word, 2);
	else if (span_starts(word, "!"))
		exclude = true, word = span_skip(word, 1);
	v = find(word);
	if (v == -1)
		return false;
	if (floor)
		w->floor = v;
	else if (ceiling)
		w->ceiling = v;
	else if (exclude)
		w->excluded |= 1u << v;
	else
		w->included |= 1u << v;
	return true;
}

static bool
allowed(const struct wish *w, int v)
{
	if (v < w->floor || v > w->ceiling || (w->excluded & 1u << v) != 0)
		return false;
	return w->included == 0 || (w->included & 1u << v) != 0;
}

static bool
weigh(const struct wish *w, struct tls_versions *out)
{
	struct tls_versions t = { 0, 0, 0 };

	for (int v = FIRST_SPOKEN; v < VERSION_COUNT; v++) {
		if (!allowed(w, v))
			continue;
		if (t.lowest == 0)
			t.lowest = versions[v].value;
		t.highest = versions[v].value;
	}
	if (t.lowest == 0)
		return false;
	for (int v = FIRST_SPOKEN; v < VERSION_COUNT; v++)
		if (versions[v].value > t.lowest &&
		    versions[v].value < t.highest && !allowed(w, v))
			t.holes |= versions[v].option;
	*out = t;
	return true;
}

bool
tls_protocols_parse(const char *text, struct tls_versions *out,
    struct buf *error)
{
	struct wish w = { 0, 0, 0, VERSION_COUNT - 1 };
	struct span rest = span_of(text), word;

	if (span_trim(rest).n == 0)
		rest = SPAN(">=TLSv1.2");
	while (span_cut(&rest, " \t\r\n,:", true, &word)) {
		if (word.n == 0 || take(&w, word))
			continue;
		buf_printf(error, "unknown TLS protocol \"%.*s\"",
		    SPAN_ARG(word));
		return false;
	}
	if (!weigh(&w, out)) {
		buf_printf(error, "no TLS protocol is left of \"%s\"",
		    text == NULL ? "" : text);
		return false;
	}
	return true;
}
