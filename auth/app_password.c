/* SPDX-License-Identifier: ISC */
#include "auth/app_password.h"

#include <ctype.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <string.h>

#include "auth/passwd_file.h"
#include "lib/base/buf.h"
#include "lib/base/ensure.h"
#include "lib/base/hex.h"

enum { LETTERS = 20, GROUP = 5, FIELDS = 6, TYPED_MAX = 2 * LETTERS };

/* 32 of them, five bits each; none that is read for another (l, 1, o, 0). */
static const char alphabet[] = "abcdefghijkmnpqrstuvwxyz23456789";

static const struct {
	const char *name;
	unsigned int bit;
} protocols[] = {
#define APP_PROTOCOL(name, bit) { name, bit },
#include "auth/app_protocols.def"
#undef APP_PROTOCOL
};

enum { PROTOCOLS = sizeof(protocols) / sizeof(protocols[0]) };

unsigned int
app_password_protocol(struct span name)
{
	for (size_t i = 0; i < PROTOCOLS; i++)
		if (span_is_nocase(name, protocols[i].name))
			return protocols[i].bit;
	return 0;
}

bool
app_password_protocols(struct span list, unsigned int *out, struct span *bad)
{
	unsigned int found = 0, one;
	struct span word;

	while (span_cut(&list, ", \t\r\n", true, &word)) {
		if (word.n == 0)
			continue;
		one = app_password_protocol(word);
		if (one == 0) {
			*bad = word;
			return false;
		}
		found |= one;
	}
	*out = found;
	return true;
}

void
app_password_add_protocols(unsigned int bits, struct buf *out)
{
	const char *between = "";

	for (size_t i = 0; i < PROTOCOLS; i++)
		if ((bits & protocols[i].bit) != 0) {
			buf_printf(out, "%s%s", between, protocols[i].name);
			between = ",";
		}
}

bool
app_password_label_valid(struct span label)
{
	if (label.n == 0 || label.n > APP_PASSWORD_LABEL_MAX ||
	    label.p[0] == ' ' || label.p[label.n - 1] == ' ')
		return false;
	for (size_t i = 0; i < label.n; i++) {
		unsigned char c = (unsigned char)label.p[i];

		if (c < ' ' || c >= 0x7f || strchr(":<>,\"\\", c) != NULL)
			return false;
	}
	return true;
}

static bool
read_digest(struct span text, unsigned char out[APP_PASSWORD_DIGEST])
{
	int high, low;

	if (text.n != 2 * APP_PASSWORD_DIGEST)
		return false;
	for (size_t i = 0; i < APP_PASSWORD_DIGEST; i++) {
		high = hex_lower_digit(text.p[2 * i]);
		low = hex_lower_digit(text.p[2 * i + 1]);
		if (high < 0 || low < 0)
			return false;
		out[i] = (unsigned char)(high << 4 | low);
	}
	return true;
}

static bool
read_time(struct span text, int64_t *out)
{
	uint64_t n;

	if (!span_u64(text, INT64_MAX, &n))
		return false;
	*out = (int64_t)n;
	return true;
}

static const char *
take_fields(const struct span f[FIELDS], struct app_password *out)
{
	struct span bad;

	if (!account_name_valid(f[0]))
		return "has a name that nobody can log in with";
	if (!read_digest(f[1], out->digest))
		return "has no SHA-256 in its second field";
	if (!app_password_protocols(f[2], &out->protocols, &bad) ||
	    out->protocols == 0)
		return "has protocols other than imap, pop3 and smtp";
	if (!read_time(f[3], &out->created) || !read_time(f[4], &out->expires))
		return "has a time that is no number of seconds";
	if (!app_password_label_valid(f[5]))
		return "has no label that can be used";
	return NULL;
}

static const char *
lower_case(struct arena *a, struct span name)
{
	char *copy = arena_span(a, name);

	for (char *c = copy; *c != '\0'; c++)
		*c = (char)tolower((unsigned char)*c);
	return copy;
}

bool
app_password_parse(struct span line, struct arena *a, struct app_password *out,
    const char **error)
{
	struct span fields[FIELDS], rest = line;
	size_t n = 0;

	*error = NULL;
	memset(out, 0, sizeof(*out));
	if (span_trim(line).n == 0 || line.p[0] == '#')
		return false;
	while (n < FIELDS - 1 && span_cut(&rest, ":", false, &fields[n]))
		n++;
	fields[FIELDS - 1] = rest;
	*error =
	    n < FIELDS - 1 ? "has too few fields" : take_fields(fields, out);
	if (account_name_valid(fields[0]))
		out->user = lower_case(a, fields[0]);
	if (*error != NULL)
		return false;
	out->label = arena_span(a, fields[FIELDS - 1]);
	return true;
}

void
app_password_print(const struct app_password *p, struct buf *out)
{
	buf_printf(out, "%s:", p->user);
	for (size_t i = 0; i < APP_PASSWORD_DIGEST; i++)
		buf_printf(out, "%02x", p->digest[i]);
	buf_add_char(out, ':');
	app_password_add_protocols(p->protocols, out);
	buf_printf(out, ":%lld:%lld:%s\n", (long long)p->created,
	    (long long)p->expires, p->label);
}

bool
app_password_digest(struct span typed,
    unsigned char digest[APP_PASSWORD_DIGEST])
{
	char letters[LETTERS];
	size_t n = 0;
	bool good = typed.n <= TYPED_MAX;

	for (size_t i = 0; good && i < typed.n; i++) {
		char c = typed.p[i];

		if (c == '-' || c == ' ')
			continue;
		if (c >= 'A' && c <= 'Z')
			c = (char)(c - 'A' + 'a');
		good = n < LETTERS && c != '\0' && strchr(alphabet, c) != NULL;
		if (good)
			letters[n++] = c;
	}
	good = good && n == LETTERS;
	if (good)
		ensure(EVP_Digest(letters, n, digest, NULL, EVP_sha256(),
			   NULL) == 1);
	OPENSSL_cleanse(letters, sizeof(letters));
	return good;
}

bool
app_password_make(char text[APP_PASSWORD_TEXT_MAX],
    unsigned char digest[APP_PASSWORD_DIGEST])
{
	unsigned char random[LETTERS];
	char *at = text;

	if (RAND_priv_bytes(random, LETTERS) != 1)
		return false;
	for (size_t i = 0; i < LETTERS; i++) {
		if (i > 0 && i % GROUP == 0)
			*at++ = '-';
		/* 256 is a multiple of 32: all letters are as likely */
		*at++ = alphabet[random[i] % (sizeof(alphabet) - 1)];
	}
	*at = '\0';
	OPENSSL_cleanse(random, sizeof(random));
	return app_password_digest(span_of(text), digest);
}
