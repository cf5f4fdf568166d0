#  SPDX-License-Identifier: MIT
#  Tests of the FEC pool, its workers and what they share.
fuota_test (unit fec_message LIBS schema)
fuota_test (unit parity LIBS db)
fuota_test (unit job LIBS fec_job)
fuota_test (unit pool LIBS pool_core)
fuota_test (unit spawn LIBS pool)
fuota_test (unit demand LIBS demand)
fuota_test (world world_pool LIBS pool_core fec_job fec_source
    PkgConfig::CRYPTO)

#  Real processes; the garbage is sent by Debian's own Python
add_test (NAME system/pool COMMAND ${FUOTA_DEBIAN_PYTHON} -B
    ${CMAKE_CURRENT_SOURCE_DIR}/system/test_pool.py)
add_test (NAME system/workers COMMAND ${FUOTA_DEBIAN_PYTHON} -B
    ${CMAKE_CURRENT_SOURCE_DIR}/system/test_workers.py)
set_tests_properties (system/pool system/workers PROPERTIES LABELS system
    ENVIRONMENT FUOTA_BUILD=${CMAKE_BINARY_DIR})

add_executable (bench_pool bench/bench_pool.c)
target_link_libraries (bench_pool PRIVATE fuota_warnings scratch pool fec_job
    PkgConfig::CRYPTO)
add_test (NAME bench/pool COMMAND bench_pool $<TARGET_FILE:fuota-fec> --smoke)
set_tests_properties (bench/pool PROPERTIES LABELS bench)
fuota_fuzz (fec_message LIBS pool_core fec_job)
fuota_test (unit security LIBS security)
fuota_test (actor pool_actor LIBS scratch pool fec_job PkgConfig::CRYPTO)
