#!/bin/sh
#  SPDX-License-Identifier: MIT
#
#  fec_cross.sh root fec_cycle.c folder - build the kernels for aarch64 and
#  check them in an emulator. Exit 77: not done, for want of a tool.
root=$1 cycle=$2 folder=$3
for tool in aarch64-linux-gnu-gcc qemu-aarch64; do
    if ! command -v $tool >/dev/null; then
        echo "SKIP: the NEON kernel is NOT tested here: no $tool"
        echo "SKIP: (Debian: gcc-aarch64-linux-gnu, qemu-user)"
        exit 77
    fi
done
kernel=$root/fec_worker/kernel
aarch64-linux-gnu-gcc -std=c11 -O2 -Wall -Wextra -Wconversion -Wshadow \
    -Werror -static -I"$root" -o "$folder/fec_cross" \
    "$root/tests/unit/fec_cross.c" "$cycle" "$kernel/fec.c" "$kernel/xor.c" \
    "$kernel/fec_block.c" "$kernel/fec_sweep.c" "$kernel/fec_product.c" \
    "$kernel/fec_tile.c" "$kernel/fec_portable.c" "$kernel/fec_neon.c" &&
    qemu-aarch64 "$folder/fec_cross"
