/* SPDX-License-Identifier: ISC */
#include "lib/service/internal.h"

#include <limits.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/log/log.h"

static struct {
	struct status_page *page;
	struct status_slot *own;
	unsigned int generation;
} status;

void
slots_open(int fd, size_t slot, unsigned int generation)
{
	void *p = mmap(NULL, sizeof(struct status_page), PROT_READ | PROT_WRITE,
	    MAP_SHARED, fd, 0);

	if (p == MAP_FAILED)
		fatal("cannot map the status page: %m");
	close(fd);
	status.page = p;
	status.own = &status.page->slots[slot];
	status.generation = generation;
}

void
slots_state(enum slot_state state)
{
	if (status.own == NULL || status.own->state == state)
		return;
	status.own->since = clock_ms();
	status.own->state = state;
}

void
slots_sessions(int delta)
{
	if (status.own == NULL)
		return;
	status.own->sessions += (uint32_t)delta;
	if (delta > 0)
		status.own->served += (uint64_t)delta;
}

/* Read once: a neighbour may write nonsense here. */
static size_t
used(void)
{
	uint32_t n = status.page == NULL ? 0 : status.page->used;

	return n < STATUS_SLOTS ? n : STATUS_SLOTS;
}

static bool
alive(const struct status_slot *s)
{
	return s->state != SLOT_FREE;
}

unsigned int
slots_all_sessions(void)
{
	unsigned int sum = 0;
	size_t n = used();

	for (size_t i = 0; i < n; i++)
		if (alive(&status.page->slots[i]))
			sum += status.page->slots[i].sessions;
	return sum;
}

unsigned int
service_all_sessions(void)
{
	return slots_all_sessions();
}

bool
slots_other_idle(void)
{
	size_t n = used();

	for (size_t i = 0; i < n; i++) {
		const struct status_slot *s = &status.page->slots[i];

		if (s != status.own && s->generation == status.generation &&
		    (s->state == SLOT_IDLE || s->state == SLOT_STARTING))
			return true;
	}
	return false;
}

bool
slots_earlier_idle(void)
{
	size_t n = used();

	for (size_t i = 0; i < n; i++) {
		const struct status_slot *s = &status.page->slots[i];

		if (s == status.own)
			return false;
		if (s->generation == status.generation && s->state == SLOT_IDLE)
			return true;
	}
	return false;
}

unsigned int
slots_fewest_elsewhere(void)
{
	unsigned int fewest = UINT_MAX;
	size_t n = used();

	for (size_t i = 0; i < n; i++) {
		const struct status_slot *s = &status.page->slots[i];
		uint32_t sessions = s->sessions;

		if (s != status.own && s->generation == status.generation &&
		    (s->state == SLOT_IDLE || s->state == SLOT_FULL) &&
		    sessions < fewest)
			fewest = sessions;
	}
	return fewest;
}

bool
slots_at_limit(int64_t maxproc)
{
	int64_t most =
	    maxproc > 0 && maxproc < PROCESSES_MAX ? maxproc : PROCESSES_MAX;
	size_t n = used();

	for (size_t i = 0; i < n; i++)
		if (alive(&status.page->slots[i]) &&
		    status.page->slots[i].generation == status.generation)
			most--;
	return most <= 0;
}

bool
slots_first(void)
{
	return status.page == NULL || status.own == &status.page->slots[0];
}
