/* SPDX-License-Identifier: ISC */
/* What a FETCH command asks for: items and modifiers. */
#include "imapd/fetch.h"

#include <string.h>

enum { SECTIONS_MAX = 1000 };

struct item_name {
	const char *name;
	unsigned int wants;
};

static const struct item_name items[] = {
	{ "UID", FETCH_UID },
	{ "FLAGS", FETCH_FLAGS },
	{ "INTERNALDATE", FETCH_DATE },
	{ "RFC822.SIZE", FETCH_SIZE },
	{ "ENVELOPE", FETCH_ENVELOPE },
	{ "BODY", FETCH_BODY },
	{ "BODYSTRUCTURE", FETCH_BODYSTRUCTURE },
	{ "MODSEQ", FETCH_MODSEQ },
	{ "EMAILID", FETCH_EMAILID },
	{ "THREADID", FETCH_THREADID },
	{ "SAVEDATE", FETCH_SAVEDATE },
	{ "PREVIEW", FETCH_PREVIEW },
	{ NULL, 0 },
};

/* These stand alone, not in a list. */
static const struct item_name macros[] = {
	{ "ALL", FETCH_FLAGS | FETCH_DATE | FETCH_SIZE | FETCH_ENVELOPE },
	{ "FAST", FETCH_FLAGS | FETCH_DATE | FETCH_SIZE },
	{ "FULL",
	    FETCH_FLAGS | FETCH_DATE | FETCH_SIZE | FETCH_ENVELOPE |
		FETCH_BODY },
	{ NULL, 0 },
};

static unsigned int
find(const struct item_name *names, struct span atom)
{
	for (; names->name != NULL; names++)
		if (span_is_nocase(atom, names->name))
			return names->wants;
	return 0;
}

/* Asked for twice, told once. */
static bool
is_repeated(const struct fetch_plan *p, const struct section *x)
{
	for (size_t i = 0; i < p->section_count; i++)
		if (span_equal(p->sections[i].label, x->label) &&
		    p->sections[i].most == x->most)
			return true;
	return false;
}

static const char *
take_section(struct arena *a, struct span atom, struct fetch_plan *out)
{
	struct section *x = &out->sections[out->section_count];

	if (out->section_count == SECTIONS_MAX)
		return "Too many sections";
	if (!section_parse(a, atom, x))
		return "Unknown FETCH item, or a section that is none";
	out->sets_seen |= !x->peek;
	if (!is_repeated(out, x))
		out->section_count++;
	return NULL;
}

static const char *
take_item(struct arena *a, struct span atom, struct fetch_plan *out)
{
	unsigned int wants = find(items, atom);

	out->wants |= wants;
	return wants != 0 ? NULL : take_section(a, atom, out);
}

/* "(LAZY)" behind PREVIEW. */
static bool
is_lazy(const struct imap_arg *a)
{
	return a->type == IMAP_LIST && a->count == 1 &&
	    imap_arg_is(&a->list[0], "LAZY");
}

static const char *
take_items(struct arena *a, const struct imap_arg *args, size_t count,
    struct fetch_plan *out)
{
	const char *wrong = NULL;
	struct span atom;

	if (count == 0)
		return "Empty list of FETCH items";
	for (size_t i = 0; i < count && wrong == NULL; i++) {
		if (!imap_arg_atom(&args[i], &atom))
			return "A FETCH item is an atom";
		wrong = take_item(a, atom, out);
		if (span_is_nocase(atom, "PREVIEW") && i + 1 < count &&
		    is_lazy(&args[i + 1])) {
			out->wants |= FETCH_LAZY;
			i++;
		}
	}
	return wrong;
}

/* RFC 9394 section 3.1: "1:10", "-1:-30"; both of one sign, in any order. */
static bool
take_range(const struct imap_arg *a, struct fetch_plan *out)
{
	struct span text, first;
	uint64_t one, two;

	if (!imap_arg_atom(a, &text))
		return false;
	out->backward = span_starts(text, "-");
	first = span_take(text, span_find(text, ':'));
	text = span_skip(text, first.n + 1);
	if (out->backward) {
		if (!span_starts(text, "-"))
			return false;
		first = span_skip(first, 1);
		text = span_skip(text, 1);
	}
	if (!span_u64(first, UINT32_MAX, &one) ||
	    !span_u64(text, UINT32_MAX, &two) || one == 0 || two == 0)
		return false;
	out->partial = true;
	out->partial_from = one < two ? one : two;
	out->partial_to = one < two ? two : one;
	return true;
}

static const char *
take_modifiers(const struct imap_arg *list, bool uid, struct fetch_plan *out)
{
	const struct imap_arg *a = list;

	for (; a->type != IMAP_END; a++) {
		if (imap_arg_is(a, "VANISHED") && uid) {
			out->vanished = true;
		} else if (imap_arg_is(a, "CHANGEDSINCE") &&
		    imap_arg_number(&a[1], INT64_MAX, &out->since)) {
			out->changed_since = true;
			out->wants |= FETCH_MODSEQ;
			a++;
		} else if (imap_arg_is(a, "PARTIAL") && uid && !out->partial &&
		    take_range(&a[1], out)) {
			a++;
		} else {
			return "Unknown modifier of FETCH";
		}
	}
	if (out->vanished && !out->changed_since)
		return "VANISHED needs CHANGEDSINCE";
	return NULL;
}

const char *
fetch_plan_read(struct arena *a, const struct imap_arg *args, bool uid,
    struct fetch_plan *out)
{
	const char *wrong = NULL;
	size_t used = 1, room;
	struct span atom;

	memset(out, 0, sizeof(*out));
	room = args[0].type == IMAP_LIST ? args[0].count : 1;
	room = room < SECTIONS_MAX ? room : SECTIONS_MAX;
	out->sections = arena_alloc(a, (room + 1) * sizeof(out->sections[0]));
	if (args[0].type == IMAP_LIST) {
		wrong = take_items(a, args[0].list, args[0].count, out);
	} else if (!imap_arg_atom(&args[0], &atom)) {
		wrong = "Missing FETCH items";
	} else if (find(macros, atom) != 0) {
		out->wants = find(macros, atom);
	} else {
		used = span_is_nocase(atom, "PREVIEW") && is_lazy(&args[1]) ?
		    2 :
		    1;
		wrong = take_items(a, args, used, out);
	}
	if (wrong != NULL)
		return wrong;
	if (args[used].type == IMAP_LIST)
		wrong = take_modifiers(args[used++].list, uid, out);
	if (wrong == NULL && args[used].type != IMAP_END)
		wrong = "Arguments that FETCH does not have";
	return wrong;
}
