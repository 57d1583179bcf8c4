/* SPDX-License-Identifier: ISC */
#include "lib/store/uidl_format.h"

#include <ctype.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/buf.h"
#include "lib/base/ensure.h"

enum { WIDTH_MAX = 64, ITEM_MAX = 1024, CONVERSIONS_MAX = 3 };

/* A piece of the format: a character of its own, or a %. */
struct item {
	char letter; /* u v f g, '\0': the character */
	char character;
	bool zeros;
	size_t width; /* 0: as long as it is */
	struct span conversions;
};

bool
uidl_fits(struct span s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] < '!' || s.p[i] > '~')
			return false;
	return s.n > 0 && s.n < STORE_UNIQUE_MAX;
}

static bool
digest_with(const EVP_MD *how, struct span text, char *out)
{
	unsigned char bytes[EVP_MAX_MD_SIZE];
	unsigned int n;

	if (EVP_Digest(text.p, text.n, bytes, &n, how, NULL) != 1)
		return false;
	for (unsigned int i = 0; i < n; i++)
		snprintf(out + 2 * i, 3, "%02x", bytes[i]);
	return true;
}

void
uidl_digest(struct span text, char out[STORE_UNIQUE_MAX])
{
	ensure(digest_with(EVP_sha256(), text, out));
}

void
uidl_own_name(struct span base, char out[STORE_UNIQUE_MAX])
{
	struct span first = span_take(base, span_find(base, ','));

	if (uidl_fits(first))
		snprintf(out, STORE_UNIQUE_MAX, "%.*s", SPAN_ARG(first));
	else
		uidl_digest(base, out);
}

/* ---- the format ---- */

static bool
refuse(struct why *why, const char *what, const char *text)
{
	why_set(why, "4.3.5", "pop3_uidl_format: %s: \"%s\"", what, text);
	return false;
}

/* Behind the percent sign. */
static void
take_variable(struct span *rest, struct item *out)
{
	size_t n = 0;

	out->zeros = span_starts(*rest, "0");
	while (rest->n > 0 && isdigit((unsigned char)rest->p[0])) {
		if (out->width <= WIDTH_MAX)
			out->width =
			    10 * out->width + (size_t)(rest->p[0] - '0');
		*rest = span_skip(*rest, 1);
	}
	while (n < rest->n && strchr("XLUM", rest->p[n]) != NULL)
		n++;
	out->conversions = span_take(*rest, n);
	*rest = span_skip(*rest, n);
	out->letter = rest->n > 0 ? rest->p[0] : '?';
	*rest = span_skip(*rest, 1);
}

static bool
take_item(struct span *rest, struct item *out)
{
	if (rest->n == 0)
		return false;
	*out = (struct item){ .character = rest->p[0] };
	*rest = span_skip(*rest, 1);
	if (out->character != '%')
		return true;
	if (span_starts(*rest, "%"))
		*rest = span_skip(*rest, 1);
	else
		take_variable(rest, out);
	return true;
}

static bool
converts(const struct item *i, char to)
{
	return span_find(i->conversions, to) < i->conversions.n;
}

/* Is it another one for each message, and not cut? */
static bool
distinguishes(const struct item *i)
{
	size_t least = converts(i, 'M') ? 32 :
	    i->letter != 'u'            ? WIDTH_MAX + 1 :
	    converts(i, 'X')            ? 8 :
					  10;

	return i->letter != '\0' && i->letter != 'v' &&
	    (i->width == 0 || i->zeros || i->width >= least);
}

static bool
has_md5(void)
{
	char out[STORE_UNIQUE_MAX];

	return digest_with(EVP_md5(), SPAN(""), out);
}

static const char *
wrong_with(const struct item *i)
{
	bool number = i->letter == 'u' || i->letter == 'v';

	if (i->letter == '\0')
		return i->character > ' ' && i->character <= '~' ?
		    NULL :
		    "only printable characters can be in unique ids";
	if (i->letter == 'm')
		return "%m, the MD5 sum of an mbox message's header, is not"
		       " supported (mbox files have ids of their own)";
	if (i->letter == '{')
		return "long names of variables are not supported; write"
		       " %u, %v, %f or %g";
	if (strchr("uvfg", i->letter) == NULL)
		return "behind a % only u, v, f or g are known, with a width"
		       " and X, L, U or M in between";
	if (i->width > WIDTH_MAX || i->conversions.n > CONVERSIONS_MAX)
		return "too wide";
	if (converts(i, 'X') && !number)
		return "X is for the numbers %u and %v";
	if (converts(i, 'M') && !has_md5())
		return "MD5 is not allowed on this system";
	return NULL;
}

bool
uidl_format_parse(const char *text, struct uidl_format *out, struct why *why)
{
	struct span rest = span_of(text);
	bool distinct = rest.n == 0;
	struct item i;

	*out = (struct uidl_format){ .text = text };
	while (take_item(&rest, &i)) {
		const char *wrong = wrong_with(&i);

		if (wrong != NULL)
			return refuse(why, wrong, text);
		out->wants_uid |= i.letter == 'u' || i.letter == 'v';
		distinct |= distinguishes(&i);
	}
	if (!distinct)
		return refuse(why,
		    "several messages would have the same unique id;"
		    " %u, %f or %g is wanted, not cut short",
		    text);
	return true;
}

/* ---- ids ---- */

static void
convert(struct span conversions, char text[ITEM_MAX])
{
	char digest[STORE_UNIQUE_MAX];

	for (size_t i = 0; i < conversions.n; i++) {
		char to = conversions.p[i];

		if (to == 'M') {
			ensure(digest_with(EVP_md5(), span_of(text), digest));
			snprintf(text, ITEM_MAX, "%s", digest);
		}
		/* hexadecimal is where the number is written */
		for (char *p = text; *p != '\0' && to != 'M' && to != 'X'; p++)
			*p = (char)(to == 'L' ? tolower((unsigned char)*p) :
						toupper((unsigned char)*p));
	}
}

static void
write_item(const struct item *i, const struct uidl_parts *m, struct buf *out)
{
	struct span name =
	    i->letter == 'g' && m->guid.n > 0 ? m->guid : m->base;
	uint64_t number = i->letter == 'u' ? m->uid : m->uidvalidity;
	char text[ITEM_MAX];
	size_t n;

	if (i->letter == '\0') {
		buf_add_char(out, i->character);
		return;
	}
	if (i->letter == 'f' || i->letter == 'g')
		snprintf(text, sizeof(text), "%.*s", SPAN_ARG(name));
	else
		snprintf(text, sizeof(text), converts(i, 'X') ? "%llx" : "%llu",
		    (unsigned long long)number);
	convert(i->conversions, text);
	n = strlen(text);
	for (size_t fill = n; i->zeros && fill < i->width; fill++)
		buf_add_char(out, '0');
	buf_add_span(out,
	    span_take(span_of(text), i->width > 0 && !i->zeros ? i->width : n));
}

void
uidl_format_make(const struct uidl_format *f, const struct uidl_parts *m,
    char out[STORE_UNIQUE_MAX])
{
	struct buf text = BUF_INIT(1 << 16);
	struct span rest = span_of(f->text), made;
	struct item i;

	while (take_item(&rest, &i))
		write_item(&i, m, &text);
	made = buf_span(&text);
	if (uidl_fits(made))
		snprintf(out, STORE_UNIQUE_MAX, "%.*s", SPAN_ARG(made));
	else
		uidl_digest(made, out);
	buf_fini(&text);
}
