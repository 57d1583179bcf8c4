/* SPDX-License-Identifier: ISC */
#ifndef LIB_BASE_COMPAT_FIBER_H
#define LIB_BASE_COMPAT_FIBER_H

/*
 * What AddressSanitizer must be told about stacks that are not the thread's
 * own. Without the sanitizer these are empty.
 */

#include <stddef.h>

#include "lib/base/compat_sanitizer.h"

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#include <sanitizer/lsan_interface.h>
#endif

/* About to run on another stack; save NULL: this one is given up. */
static inline void
fiber_leave(void **save, const void *bottom, size_t size)
{
#ifdef __SANITIZE_ADDRESS__
	__sanitizer_start_switch_fiber(save, bottom, size);
#else
	(void)save, (void)bottom, (void)size;
#endif
}

/* Now running here; says which stack was left. */
static inline void
fiber_enter(void *saved, const void **bottom, size_t *size)
{
#ifdef __SANITIZE_ADDRESS__
	__sanitizer_finish_switch_fiber(saved, bottom, size);
#else
	(void)saved, (void)bottom, (void)size;
#endif
}

static inline void
fiber_stack_new(void *bottom, size_t size)
{
#ifdef __SANITIZE_ADDRESS__
	__asan_unpoison_memory_region(bottom, size);
	__lsan_register_root_region(bottom, size);
#else
	(void)bottom, (void)size;
#endif
}

/* No frame is left on it. */
static inline void
fiber_stack_clean(void *bottom, size_t size)
{
#ifdef __SANITIZE_ADDRESS__
	__asan_unpoison_memory_region(bottom, size);
#else
	(void)bottom, (void)size;
#endif
}

static inline void
fiber_stack_gone(void *bottom, size_t size)
{
#ifdef __SANITIZE_ADDRESS__
	__lsan_unregister_root_region(bottom, size);
#else
	(void)bottom, (void)size;
#endif
}

#endif
