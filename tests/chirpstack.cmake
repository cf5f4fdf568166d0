#  SPDX-License-Identifier: MIT
#  ChirpStack as a host.
fuota_test (unit chirpstack LIBS chirpstack)
fuota_test (unit chirpstack_event LIBS chirpstack)
fuota_test (unit chirpstack_inquiry LIBS chirpstack)
fuota_test (unit provision LIBS provision)
fuota_fuzz (chirpstack LIBS chirpstack)
fuota_fuzz (inquiry LIBS chirpstack control_core)
if (FUOTA_MQTT AND FUOTA_GRPC)
    pkg_check_modules (MOSQUITTO REQUIRED IMPORTED_TARGET libmosquitto)
    fuota_test (actor chirpstack_actor LIBS chirpstack_actor TIMEOUT 60)
    fuota_system (standin)
    fuota_system (chirpstack)
    fuota_system (rehearse)
    #  Their packages are installed once for a build
    set_tests_properties (system/standin system/chirpstack
        system/rehearse PROPERTIES
        TIMEOUT 900 RESOURCE_LOCK standin)
endif ()
