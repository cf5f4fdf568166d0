#  SPDX-License-Identifier: MIT
#  The gRPC client. grpc_server: the other end, in memory.
if (FUOTA_GRPC)
    pkg_check_modules (NGHTTP2 REQUIRED IMPORTED_TARGET libnghttp2)
    pkg_check_modules (SSL REQUIRED IMPORTED_TARGET libssl>=3)
    fuota_library (grpc_server grpc_server.c)
    target_link_libraries (grpc_server PUBLIC PkgConfig::NGHTTP2)
    fuota_test (unit grpc LIBS grpc_core)
    fuota_test (unit grpc_reply LIBS grpc_core)
    fuota_test (unit grpc_server LIBS grpc_core grpc_server)
    fuota_fuzz (grpc LIBS grpc_core)

    #  The same in a thread, with sockets
    fuota_library (grpc_loopback grpc_loopback.c)
    target_link_libraries (grpc_loopback PUBLIC grpc_server PkgConfig::SSL
        PkgConfig::CRYPTO)
    fuota_test (actor grpc_link LIBS grpc_link grpc_loopback)

    #  The reference is left out where libcurl's headers are missing
    fuota_bench (grpc LIBS grpc_link grpc_loopback)
    pkg_check_modules (CURL IMPORTED_TARGET libcurl>=7.88)
    if (CURL_FOUND)
        target_link_libraries (bench_grpc PRIVATE PkgConfig::CURL)
        target_compile_definitions (bench_grpc PRIVATE FUOTA_CURL=1)
    else ()
        target_compile_definitions (bench_grpc PRIVATE FUOTA_CURL=0)
    endif ()
endif ()
