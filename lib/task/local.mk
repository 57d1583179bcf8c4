# SPDX-License-Identifier: ISC
libposthaste_a_SOURCES += lib/task/task.h lib/task/task.c \
	lib/task/task_fd.c lib/task/task_stack.c lib/task/task_timer.c \
	lib/task/task_internal.h lib/base/compat_fiber.h

check_PROGRAMS += tests/unit/lib/task/task_test
TESTS += tests/unit/lib/task/task_test
tests_unit_lib_task_task_test_SOURCES = tests/unit/lib/task/task_test.c
tests_unit_lib_task_task_test_LDADD = $(LDADD) -lcmocka
