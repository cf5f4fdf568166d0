#  SPDX-License-Identifier: MIT
#  Tests of the FEC pool, its workers and what they share.
fuota_test (unit fec_message LIBS schema)
fuota_test (unit parity LIBS db)
fuota_test (unit job LIBS fec_job)
fuota_test (unit pool LIBS pool_core)
fuota_test (unit demand LIBS demand)
fuota_test (world world_pool LIBS pool_core fec_job fec_source
    PkgConfig::CRYPTO TIMEOUT 300)
