#  SPDX-License-Identifier: MIT
#  ChirpStack as a host.
foreach (name chirpstack chirpstack_group chirpstack_device chirpstack_fate
        chirpstack_inquiry chirpstack_watch)
    fuota_test (unit ${name} SOURCES unit/chirpstack_rig.c LIBS chirpstack)
endforeach ()
fuota_test (unit chirpstack_air LIBS chirpstack)
fuota_test (unit chirpstack_event LIBS chirpstack)
fuota_test (unit provision LIBS provision)
fuota_test (unit device_kind LIBS chirpstack)
fuota_fuzz (chirpstack LIBS chirpstack)
fuota_fuzz (inquiry LIBS chirpstack control_core)

#  A ZeroMQ back end as a host.
fuota_test (unit zmq_host LIBS zmq_host)
fuota_test (actor zmq_actor LIBS zmq_actor)
fuota_fuzz (zmq LIBS zmq_host)
fuota_bench (intake LIBS zmq_actor scratch PkgConfig::JANSSON)
target_compile_definitions (bench_intake PRIVATE
    FUOTA_VECTORS="${CMAKE_CURRENT_SOURCE_DIR}/vectors")
if (FUOTA_MQTT)
    target_link_libraries (bench_intake PRIVATE PkgConfig::MOSQUITTO)
endif ()
add_executable (example_back_end ${CMAKE_SOURCE_DIR}/docs/example_back_end.c)
target_link_libraries (example_back_end PRIVATE fuota_warnings schema
    PkgConfig::ZMQ)
#  The back end is Debian's own Python
add_test (NAME system/zmq COMMAND ${FUOTA_DEBIAN_PYTHON} -B
    ${CMAKE_CURRENT_SOURCE_DIR}/system/test_zmq.py)
set_tests_properties (system/zmq PROPERTIES LABELS system
    SKIP_RETURN_CODE 77 ENVIRONMENT FUOTA_BUILD=${CMAKE_BINARY_DIR})
if (FUOTA_MQTT AND FUOTA_GRPC)
    pkg_check_modules (MOSQUITTO REQUIRED IMPORTED_TARGET libmosquitto)
    fuota_test (actor chirpstack_actor LIBS chirpstack_actor)
    fuota_test (actor lora_actor LIBS lora_actor)
    fuota_test (actor mqtt_link LIBS chirpstack_actor)
    fuota_system (standin)
    fuota_bench (clock LIBS PkgConfig::CZMQ PkgConfig::MOSQUITTO)
    target_compile_definitions (bench_clock PRIVATE
        FUOTA_PROGRAM="$<TARGET_FILE:fuotad>")
    add_dependencies (bench_clock fuotad)
    set_tests_properties (bench/clock PROPERTIES SKIP_RETURN_CODE 77)
    fuota_system (chirpstack)
    fuota_system (rehearse)
    fuota_system (fleet)
    #  Their packages are installed once for a build
    set_tests_properties (system/standin system/chirpstack
        system/rehearse system/fleet PROPERTIES RESOURCE_LOCK standin)
    #  A network's time does not wait for the other tests
    set_tests_properties (system/fleet PROPERTIES PROCESSORS 2)
endif ()
