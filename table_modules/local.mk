# SPDX-License-Identifier: ISC
# Table types whose client library not every site has: lib/table/module.h.
# They use no symbol of ours, and are linked with their own library alone.
module_cflags = $(filter-out -fPIE,$(AM_CFLAGS)) -fPIC
module_ldflags = -shared -Wl,--as-needed -Wl,-z,relro -Wl,-z,now $(SANITIZE)

EXTRA_PROGRAMS = table_modules/table_ldap.so table_modules/table_mysql.so \
	table_modules/table_pgsql.so table_modules/table_redis.so \
	table_modules/table_sqlite.so
EXTRA_DIST += table_modules/module.h

if HAVE_LDAP
daemon_PROGRAMS += table_modules/table_ldap.so
endif
if HAVE_MYSQL
daemon_PROGRAMS += table_modules/table_mysql.so
endif
if HAVE_PGSQL
daemon_PROGRAMS += table_modules/table_pgsql.so
endif
if HAVE_REDIS
daemon_PROGRAMS += table_modules/table_redis.so
check_PROGRAMS += tests/unit/table_modules/table_redis_test
TESTS += tests/unit/table_modules/table_redis_test
endif
if HAVE_SQLITE
daemon_PROGRAMS += table_modules/table_sqlite.so
endif

table_modules_table_ldap_so_SOURCES = table_modules/table_ldap.c
table_modules_table_ldap_so_CFLAGS = $(module_cflags) $(LDAP_CFLAGS)
table_modules_table_ldap_so_LDFLAGS = $(module_ldflags)
table_modules_table_ldap_so_LDADD = $(LDAP_LIBS)
table_modules_table_mysql_so_SOURCES = table_modules/table_mysql.c
table_modules_table_mysql_so_CFLAGS = $(module_cflags) $(MYSQL_CFLAGS)
table_modules_table_mysql_so_LDFLAGS = $(module_ldflags)
table_modules_table_mysql_so_LDADD = $(MYSQL_LIBS)
table_modules_table_pgsql_so_SOURCES = table_modules/table_pgsql.c
table_modules_table_pgsql_so_CFLAGS = $(module_cflags) $(PGSQL_CFLAGS)
table_modules_table_pgsql_so_LDFLAGS = $(module_ldflags)
table_modules_table_pgsql_so_LDADD = $(PGSQL_LIBS)
table_modules_table_redis_so_SOURCES = table_modules/table_redis.c
table_modules_table_redis_so_CFLAGS = $(module_cflags) $(REDIS_CFLAGS)
table_modules_table_redis_so_LDFLAGS = $(module_ldflags)
table_modules_table_redis_so_LDADD = $(REDIS_LIBS)
table_modules_table_sqlite_so_SOURCES = table_modules/table_sqlite.c
table_modules_table_sqlite_so_CFLAGS = $(module_cflags) $(SQLITE_CFLAGS)
table_modules_table_sqlite_so_LDFLAGS = $(module_ldflags)
table_modules_table_sqlite_so_LDADD = $(SQLITE_LIBS)

# Each with the module's own source; of mysql and pgsql the client library is
# the target's, of ldap all of it but its URLs.
if HAVE_LDAP
check_PROGRAMS += tests/fuzz/table_ldap_fuzz
TESTS += tests/fuzz/table_ldap_fuzz
endif
if HAVE_MYSQL
check_PROGRAMS += tests/fuzz/table_mysql_fuzz
TESTS += tests/fuzz/table_mysql_fuzz
endif
if HAVE_PGSQL
check_PROGRAMS += tests/fuzz/table_pgsql_fuzz
TESTS += tests/fuzz/table_pgsql_fuzz
endif
if HAVE_REDIS
check_PROGRAMS += tests/fuzz/table_redis_fuzz
TESTS += tests/fuzz/table_redis_fuzz
endif
if HAVE_SQLITE
check_PROGRAMS += tests/fuzz/table_sqlite_fuzz
TESTS += tests/fuzz/table_sqlite_fuzz
endif
module_fuzz = tests/fuzz/replay.c tests/fuzz/module_asker.c \
	tests/fuzz/module_asker.h
tests_fuzz_table_ldap_fuzz_SOURCES = tests/fuzz/table_ldap_fuzz.c \
	$(module_fuzz)
tests_fuzz_table_ldap_fuzz_CFLAGS = $(AM_CFLAGS) $(LDAP_CFLAGS)
tests_fuzz_table_ldap_fuzz_LDADD = $(LDADD) $(LDAP_LIBS)
tests_fuzz_table_mysql_fuzz_SOURCES = tests/fuzz/table_mysql_fuzz.c \
	$(module_fuzz)
tests_fuzz_table_mysql_fuzz_CFLAGS = $(AM_CFLAGS) $(MYSQL_CFLAGS)
tests_fuzz_table_pgsql_fuzz_SOURCES = tests/fuzz/table_pgsql_fuzz.c \
	$(module_fuzz)
tests_fuzz_table_pgsql_fuzz_CFLAGS = $(AM_CFLAGS) $(PGSQL_CFLAGS)
tests_fuzz_table_redis_fuzz_SOURCES = tests/fuzz/table_redis_fuzz.c \
	$(module_fuzz)
tests_fuzz_table_redis_fuzz_CFLAGS = $(AM_CFLAGS) $(REDIS_CFLAGS)
tests_fuzz_table_redis_fuzz_LDADD = $(LDADD) $(REDIS_LIBS)
tests_fuzz_table_sqlite_fuzz_SOURCES = tests/fuzz/table_sqlite_fuzz.c \
	$(module_fuzz)
tests_fuzz_table_sqlite_fuzz_CFLAGS = $(AM_CFLAGS) $(SQLITE_CFLAGS)
tests_fuzz_table_sqlite_fuzz_LDADD = $(LDADD) $(SQLITE_LIBS)

tests_unit_table_modules_table_redis_test_SOURCES = \
	tests/unit/table_modules/table_redis_test.c
tests_unit_table_modules_table_redis_test_CFLAGS = $(AM_CFLAGS) $(REDIS_CFLAGS)
tests_unit_table_modules_table_redis_test_LDADD = $(REDIS_LIBS) -lcmocka
