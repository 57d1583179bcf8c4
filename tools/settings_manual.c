/* SPDX-License-Identifier: ISC */
/*
 * Prints main.cf(5) from the rows of every params.def and of
 * conf/compat.def: for the manual, and for postconf --manual.
 */
#include "tools/settings_manual.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/mem.h"
#include "lib/conf/conf_parts.h"

/* Text within a macro's quoted argument. */
static void
put_argument(const char *text)
{
	for (; *text != '\0'; text++) {
		if (*text == '"')
			fputs("\\(dq", stdout);
		else if (*text == '\\')
			fputs("\\e", stdout);
		else
			putchar(*text);
	}
}

/* A paragraph, one sentence a line. */
static void
put_text(const char *text)
{
	bool start = true;

	for (; *text != '\0'; text++) {
		if (start && (*text == '.' || *text == '\''))
			fputs("\\&", stdout);
		start = false;
		if (*text == '\\') {
			fputs("\\e", stdout);
		} else if (*text == ' ' && text[-1] == '.' && text[1] >= 'A' &&
		    text[1] <= 'Z') {
			putchar('\n');
			start = true;
		} else {
			putchar(*text);
		}
	}
	putchar('\n');
}

static const char *
type_text(const struct param *p)
{
	switch (p->type) {
	case PARAM_TEXT:
		return "text";
	case PARAM_RAW:
		return "template";
	case PARAM_WORD:
		return "word";
	case PARAM_BOOL:
		return "yes or no";
	case PARAM_COUNT:
		return "number";
	case PARAM_SIZE:
		return "bytes";
	case PARAM_TIME:
		return "time";
	case PARAM_TABLES:
		return "list";
	}
	return "";
}

static void
put_default(struct conf *c, const struct param *p)
{
	if (p->fallback[0] != '\0') {
		fputs("Default:\n.Ql \"", stdout);
		put_argument(p->fallback);
		puts("\"");
	} else if (conf_compute(c, p->name) != NULL) {
		puts("Default: found out from the system, or set when built");
	} else {
		puts("Default: none");
	}
}

static void
put_setting(struct conf *c, const struct param *p)
{
	printf(".It Va %s\n", p->name);
	put_default(c, p);
	printf(".Pq %s", type_text(p));
	if (p->type == PARAM_WORD && p->max[0] != '\0')
		printf(" : %s", p->max);
	else if (p->min[0] != '\0' && p->type != PARAM_TEXT &&
	    p->type != PARAM_RAW && p->type != PARAM_TABLES)
		printf(" , at least %s", p->min);
	if (p->max[0] != '\0' &&
	    (p->type == PARAM_COUNT || p->type == PARAM_SIZE ||
		p->type == PARAM_TIME))
		printf(" , at most %s", p->max);
	fputs("\n.br\n", stdout);
	put_text(p->meaning);
	if (compat_difference(span_of(p->name))[0] != '\0') {
		puts("Not quite as in Postfix:");
		put_text(compat_difference(span_of(p->name)));
	}
}

static int
by_name(const void *a, const void *b)
{
	const struct param *const *x = a, *const *y = b;

	return strcmp((*x)->name, (*y)->name);
}

static void
put_settings(struct conf *c)
{
	const struct param **all = NULL;
	size_t n = 0;

	for (const struct param_group *const *g = param_groups; *g; g++)
		for (size_t i = 0; i < (*g)->count; i++) {
			all = mem_resize(all, (n + 1) * sizeof(*all));
			all[n++] = &(*g)->params[i];
		}
	qsort(all, n, sizeof(*all), by_name);
	puts(".Bl -tag -width Ds");
	for (size_t i = 0; i < n; i++)
		put_setting(c, all[i]);
	puts(".El");
	free(all);
}

static void
put_compat(enum compat_verdict verdict)
{
	size_t count;
	const struct compat *rows = compat_rows(&count);

	puts(".Bl -tag -width Ds -compact");
	for (size_t i = 0; i < count; i++) {
		if (rows[i].verdict != verdict ||
		    param_find(span_of(rows[i].name)) != NULL)
			continue;
		printf(".It Va %s\n", rows[i].name);
		put_text(rows[i].reason);
	}
	puts(".El");
}

static const char head[] =
    ".\\\" SPDX-License-Identifier: ISC\n"
    ".\\\" Made by tools/settings_manual from the rows of params.def files.\n"
    ".Dd November 21, 2026\n"
    ".Dt MAIN.CF 5\n"
    ".Os\n"
    ".Sh NAME\n"
    ".Nm main.cf\n"
    ".Nd settings of Posthaste\n"
    ".Sh DESCRIPTION\n"
    ".Nm\n"
    "holds lines\n"
    ".Dl name = value\n"
    "in any order.\n"
    "A line that begins with white space continues the one before it.\n"
    "Empty lines, and lines whose first visible character is #, are skipped.\n"
    "Of two lines with the same name the last wins, with a warning.\n"
    "A name that is no setting, here or in any release of Postfix, is an\n"
    "error, unless another setting refers to it or\n"
    ".Va unknown_parameters\n"
    "says otherwise.\n"
    ".Pp\n"
    "In a value these stand for others:\n"
    ".Bl -tag -width Ds\n"
    ".It Li $name , ${name} , $(name)\n"
    "The value of that setting.\n"
    ".It Li ${name?text} , ${name?{text}}\n"
    "The text, if the setting is not empty.\n"
    ".It Li ${name:text} , ${name:{text}}\n"
    "The text, if the setting is empty; else nothing.\n"
    ".It Li ${name?{text}:{other}}\n"
    "One of two.\n"
    ".It Li ${{a} == {b} ? {text} : {other}}\n"
    "One of two, after a comparison: ==, !=, <, <=, >, >=, by number if\n"
    "both sides are numbers.\n"
    "With\n"
    ".Li level\n"
    "behind the sign, as in <level, release numbers such as 3.6 are\n"
    "compared.\n"
    ".It Li $$\n"
    "A dollar sign.\n"
    ".El\n"
    ".Pp\n"
    "Times are numbers with s, m, h, d or w.\n"
    "Lists are separated by commas or white space; text in braces is one\n"
    "item.\n"
    ".Pp\n"
    "A line of\n"
    ".Xr master.cf 5\n"
    "can set any of these for one service, with\n"
    ".Fl o .\n"
    "Changes take effect with\n"
    ".Ql posthaste reload .\n"
    ".Sh SETTINGS\n";

void
settings_manual(void)
{
	struct conf *c = conf_new("/");

	fputs(head, stdout);
	put_settings(c);
	puts(".Ss Of each service\n"
	     "Where NAME is a delivery service of\n"
	     ".Xr master.cf 5 ,\n"
	     "NAME_destination_concurrency_limit,\n"
	     "NAME_destination_recipient_limit, NAME_destination_rate_delay,\n"
	     "NAME_initial_destination_concurrency, NAME_time_limit and their\n"
	     "like override default_destination_concurrency_limit and so on\n"
	     "for that service.");
	puts(".Ss Whose name is no word of C\n"
	     ".Bl -tag -width Ds\n"
	     ".It Va 2bounce_notice_recipient\n"
	     "Default:\n"
	     ".Ql \"postmaster\"\n"
	     ".Pq text\n"
	     ".br\n"
	     "Who gets reports that could not be delivered to the sender.\n"
	     ".El");
	puts(".Ss Of a line of postscreen\n"
	     ".Bl -tag -width Ds\n"
	     ".It Va smtpd_service_name\n"
	     "Default:\n"
	     ".Ql \"smtpd\"\n"
	     ".Pq text\n"
	     ".br\n"
	     "The pass line of\n"
	     ".Xr master.cf 5\n"
	     "whose options its sessions have.\n"
	     ".El");
	puts(".Sh SETTINGS OF POSTFIX\n"
	     "Every other setting that Postfix 3.12 has, or had once, is\n"
	     "known.\n"
	     "With its default value it asks for nothing.\n"
	     "With another one, as\n"
	     ".Ql posthaste check\n"
	     "says, with file and line:\n"
	     ".Ss Protection that is to come\n"
	     "Refused, unless missing_protection is warn.");
	put_compat(COMPAT_GUARDS);
	puts(".Ss Refused");
	put_compat(COMPAT_REFUSED);
	puts(".Ss Planned\n"
	     "Without effect so far; a warning.");
	put_compat(COMPAT_PLANNED);
	puts(".Ss Mapped\n"
	     "Something else here serves the purpose; a warning.");
	put_compat(COMPAT_MAPPED);
	puts(".Ss Harmless\n"
	     "Not needed; a warning.");
	put_compat(COMPAT_HARMLESS);
	puts(".Sh SEE ALSO\n"
	     ".Xr postconf 1 ,\n"
	     ".Xr master.cf 5 ,\n"
	     ".Xr master 8");
	conf_free(&c);
}
