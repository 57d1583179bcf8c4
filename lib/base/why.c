/* SPDX-License-Identifier: ISC */
#include "lib/base/why.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/ensure.h"

static void
clean(char *text)
{
	for (unsigned char *p = (unsigned char *)text; *p; p++)
		if (*p < ' ' || *p == 0x7f)
			*p = *p == '\n' || *p == '\t' ? ' ' : '?';
}

static enum verdict
verdict_of(const char *dsn)
{
	return dsn[0] == '2' ? OK : dsn[0] == '5' ? NEVER : LATER;
}

static void
fill(struct why *w, const char *dsn, const char *format, va_list ap)
{
	ensure(why_dsn_valid(dsn));
	memset(w, 0, sizeof(*w));
	snprintf(w->dsn, sizeof(w->dsn), "%s", dsn);
	vsnprintf(w->text, sizeof(w->text), format, ap);
	clean(w->text);
}

enum verdict
why_set(struct why *w, const char *dsn, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	fill(w, dsn, format, ap);
	va_end(ap);
	return verdict_of(dsn);
}

enum verdict
why_errno(struct why *w, const char *dsn, const char *format, ...)
{
	int error = errno;
	size_t n;
	va_list ap;

	va_start(ap, format);
	fill(w, dsn, format, ap);
	va_end(ap);
	n = strlen(w->text);
	snprintf(w->text + n, sizeof(w->text) - n, ": %s", strerror(error));
	w->error = error;
	errno = error;
	return verdict_of(dsn);
}

void
why_clear(struct why *w)
{
	memset(w, 0, sizeof(*w));
}

void
why_soften(struct why *w)
{
	if (w->dsn[0] == '5')
		w->dsn[0] = '4';
}

static const char *
digits(const char *p)
{
	const char *start = p;

	while (isdigit((unsigned char)*p) && p - start < 4)
		p++;
	return p > start && p - start < 4 ? p : NULL;
}

bool
why_dsn_valid(const char *dsn)
{
	const char *p = dsn + 1;

	if (dsn[0] != '2' && dsn[0] != '4' && dsn[0] != '5')
		return false;
	if (*p != '.' || (p = digits(p + 1)) == NULL || *p != '.')
		return false;
	p = digits(p + 1);
	return p != NULL && *p == '\0';
}
