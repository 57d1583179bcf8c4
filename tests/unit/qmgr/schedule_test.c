/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "qmgr/schedule.h"

/* A transport of its own for each test: the table of them is one. */
static struct transport *
make_transport(const char *name, uint32_t recipients, unsigned int window)
{
	struct transport_limits lim = {
		.window = {
			.initial = window,
			.most = window,
			.positive = { 1, FEEDBACK_CONSTANT },
			.negative = { 1, FEEDBACK_CONSTANT },
			.failed_cohorts = 1,
		},
		.recipients = recipients,
		.processes = 100,
	};

	return transport_new(name, &lim);
}

static struct entry *
make_entry(const char *id, uint32_t recipients)
{
	struct queue_recipient *r = mem_array(recipients, sizeof(*r));
	struct queue_envelope e = { .sender = "a@example.test",
		.envid = "",
		.client = "",
		.recipients = r,
		.recipient_count = recipients };
	struct entry *made;

	for (uint32_t i = 0; i < recipients; i++)
		r[i] = (struct queue_recipient){ .address = "b@example.test",
			.original = "b@example.test",
			.orcpt = "",
			.status = QUEUE_RECIPIENT_PENDING };
	made = entry_new(id, "incoming", &e, 0);
	free(r);
	made->groups = mem_array(1, sizeof(struct group));
	made->groups[0] = (struct group){ .entry = made, .end = recipients };
	made->group_count = 1;
	entry_add(made);
	return made;
}

static struct entry *
wait_for(struct transport *t, const char *nexthop, const char *id,
    uint32_t recipients, bool again)
{
	struct entry *e = make_entry(id, recipients);

	schedule_wait(&e->groups[0], destination_get(t, nexthop, nexthop),
	    again);
	return e;
}

/* Serves one request to its end; the id it was about. */
static const char *
serve(struct transport *t)
{
	static char id[QUEUE_ID_MAX];
	struct pick p;

	assert_true(schedule_next(t, &p));
	snprintf(id, sizeof(id), "%s", p.group->entry->id);
	assert_false(schedule_finish(&p, REACHED));
	return id;
}

static void
each_destination_in_turn(void **state)
{
	struct transport *t = make_transport("turns", 50, 1);

	(void)state;
	wait_for(t, "big.test", "a1", 1, false);
	wait_for(t, "big.test", "a2", 1, false);
	wait_for(t, "big.test", "a3", 1, false);
	wait_for(t, "small.test", "b1", 1, false);
	assert_string_equal(serve(t), "a1");
	assert_string_equal(serve(t), "b1");
	assert_string_equal(serve(t), "a2");
	assert_string_equal(serve(t), "a3");
	assert_false(schedule_ready(t));
	assert_null(t->by_key); /* idle destinations are forgotten */
}

static void
window_bounds_what_is_in_flight(void **state)
{
	struct transport *t = make_transport("bounds", 1, 3);
	struct pick p[4];

	(void)state;
	wait_for(t, "x.test", "c1", 10, false);
	for (int i = 0; i < 3; i++)
		assert_true(schedule_next(t, &p[i]));
	assert_false(schedule_next(t, &p[3]));
	assert_false(schedule_finish(&p[1], NO_OPINION));
	assert_true(schedule_next(t, &p[3]));
	assert_int_equal(p[3].first, 3);
	assert_int_equal(p[3].count, 1);
}

static void
new_mail_passes_a_backlog(void **state)
{
	struct transport *t = make_transport("backlog", 50, 1);
	char id[16];

	(void)state;
	for (int i = 0; i < 1000; i++) {
		snprintf(id, sizeof(id), "d%d", i);
		wait_for(t, "x.test", id, 1, true);
	}
	serve(t);
	wait_for(t, "x.test", "new", 1, false);
	for (int i = 0; i < 2; i++)
		if (strcmp(serve(t), "new") == 0)
			return;
	fail_msg("new mail waits behind the backlog");
}

static void
list_mail_does_not_starve_single_mail(void **state)
{
	struct transport *t = make_transport("list", 2, 1);

	(void)state;
	wait_for(t, "x.test", "list", 1000, false);
	serve(t);
	wait_for(t, "x.test", "one", 1, false);
	wait_for(t, "x.test", "two", 1, false);
	for (int i = 0, seen = 0; i < 4; i++) {
		seen += strcmp(serve(t), "list") != 0;
		if (seen == 2)
			return;
	}
	fail_msg("single messages wait behind a list");
}

static void
entry_is_busy_until_its_last_request(void **state)
{
	struct transport *t = make_transport("busy", 2, 5);
	struct entry *e = wait_for(t, "x.test", "e1", 3, false);
	struct pick a, b;

	(void)state;
	assert_true(schedule_next(t, &a));
	assert_true(schedule_next(t, &b));
	assert_int_equal(a.count, 2);
	assert_int_equal(b.count, 1);
	schedule_finish(&b, REACHED);
	assert_int_equal(e->busy, 1);
	schedule_finish(&a, REACHED);
	assert_int_equal(e->busy, 0);
	entry_free(&e);
}

static void
death_and_drain(void **state)
{
	struct transport *t = make_transport("death", 1, 1);
	struct entry *e = wait_for(t, "x.test", "f1", 3, false);
	struct reason *r =
	    reason_new(LATER, "delayed", "4.4.1", "down", "", "");
	struct destination *d;
	struct pick p, rest;

	(void)state;
	assert_true(schedule_next(t, &p));
	d = p.destination;
	assert_true(schedule_finish(&p, NOT_REACHED));
	destination_kill(d, r, 1000);
	assert_ptr_equal(destination_dead(d, 999), r);
	assert_true(schedule_drain(d, &rest));
	assert_int_equal(rest.first, 1);
	assert_int_equal(rest.count, 2);
	assert_int_equal(e->busy, 0);
	assert_false(schedule_drain(d, &rest));
	destination_forget(d); /* remembered: it is dead */
	assert_ptr_equal(destination_get(t, "x.test", "x.test"), d);
	assert_int_equal(schedule_dead_count(), 1);
	assert_null(destination_dead(d, 1000));
	assert_int_equal(schedule_dead_count(), 0);
	schedule_sweep(1000);
	assert_null(t->by_key);
	assert_int_equal(r->users, 1);
	reason_free(&r);
	entry_free(&e);
}

static void
failures_add_up_over_single_messages(void **state)
{
	struct transport *t = make_transport("single", 1, 2);
	struct pick p;
	char id[16];

	(void)state;
	for (int i = 0; i < 2; i++) {
		snprintf(id, sizeof(id), "h%d", i);
		wait_for(t, "x.test", id, 1, false);
		assert_true(schedule_next(t, &p));
		/* half of a window, then the other half */
		assert_int_equal(schedule_finish(&p, NOT_REACHED), i == 1);
	}
	schedule_sweep(1);
	assert_null(t->by_key);
}

static void
shares_equal_texts(void **state)
{
	struct entry *e = make_entry("g1", 2);

	(void)state;
	assert_ptr_equal(e->recipients[0].address, e->recipients[0].original);
	assert_int_equal(entry_find("g1") == e, 1);
	assert_true(entry_recipients() >= 2);
	entry_free(&e);
	assert_null(entry_find("g1"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_destination_in_turn),
		cmocka_unit_test(window_bounds_what_is_in_flight),
		cmocka_unit_test(new_mail_passes_a_backlog),
		cmocka_unit_test(list_mail_does_not_starve_single_mail),
		cmocka_unit_test(entry_is_busy_until_its_last_request),
		cmocka_unit_test(death_and_drain),
		cmocka_unit_test(failures_add_up_over_single_messages),
		cmocka_unit_test(shares_equal_texts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
