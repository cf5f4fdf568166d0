#  SPDX-License-Identifier: MIT
#  ChirpStack as a host.
fuota_test (unit chirpstack LIBS chirpstack)
fuota_test (unit chirpstack_event LIBS chirpstack)
