/* SPDX-License-Identifier: ISC */
#include "qmgr/window.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/ensure.h"

bool
feedback_parse(const char *text, struct feedback *out)
{
	static const struct {
		const char *suffix;
		enum feedback_kind kind;
	} forms[] = {
		{ "", FEEDBACK_CONSTANT },
		{ "/concurrency", FEEDBACK_PER_WINDOW },
		{ "/sqrt_concurrency", FEEDBACK_PER_ROOT },
	};
	char *end;
	double amount = strtod(text, &end);

	if (end == text || !(amount >= 0 && amount <= 1))
		return false;
	while (*end == ' ')
		end++;
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		if (strcmp(end, forms[i].suffix) != 0)
			continue;
		*out = (struct feedback){ amount, forms[i].kind };
		return true;
	}
	return false;
}

/* Newton's method: exact enough for a scheduler, and needs no libm. */
static double
root(double x)
{
	double r = x > 1 ? x / 2 : 1;

	for (int i = 0; i < 20; i++)
		r = (r + x / r) / 2;
	return r;
}

static double
amount_of(struct feedback f, unsigned int size)
{
	switch (f.kind) {
	case FEEDBACK_PER_WINDOW:
		return f.amount / size;
	case FEEDBACK_PER_ROOT:
		return f.amount / root(size);
	case FEEDBACK_CONSTANT:
		break;
	}
	return f.amount;
}

void
window_init(struct window *w, const struct window_limits *lim)
{
	ensure(lim->initial > 0);
	*w = (struct window){ .size = lim->initial };
	if (lim->most > 0 && w->size > lim->most)
		w->size = lim->most;
}

/*
 * The window grows only when the deliveries in flight make use of it:
 * otherwise a trickle of mail would earn the right to a burst.
 */
void
window_success(struct window *w, const struct window_limits *lim,
    unsigned int in_flight)
{
	w->failed = 0;
	w->failure = 0;
	if ((lim->most > 0 && w->size >= lim->most) ||
	    w->size >= in_flight + 1 + lim->initial)
		return;
	w->success += amount_of(lim->positive, w->size);
	while (w->success >= 1) {
		w->size++;
		w->success -= 1;
		if (lim->most > 0 && w->size >= lim->most)
			w->success = 0;
	}
}

bool
window_failure(struct window *w, const struct window_limits *lim)
{
	w->failed += 1.0 / w->size;
	w->success = 0;
	w->failure += amount_of(lim->negative, w->size);
	while (w->failure >= 1) {
		if (w->size > 1)
			w->size--;
		w->failure -= 1;
	}
	/* sums of fractions like 1/3 must count as the whole they are */
	return lim->failed_cohorts > 0 &&
	    w->failed + 1e-9 >= lim->failed_cohorts;
}
