//  SPDX-License-Identifier: MIT
//
//  Bytes that a client hands to the store as a batch: read row by row, written
//  again, and the two must be the same bytes.

#include <stdlib.h>
#include "schema/batch.h"

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    fuota_reader_t bytes = fuota_reader (data, size);
    fuota_batch_row_t row;
    fuota_batch_t again = { 0 };
    int rc;
    while ((rc = fuota_batch_next (&bytes, &row)) == 1) {
        fuota_key_t key = fuota_key_bytes (row.key.data, row.key.size);
        if (row.put)
            fuota_batch_put (&again, row.table, &key, row.value);
        else if (row.value.size)
            break;  //  A delete with a value: read, never written
        else
            fuota_batch_del (&again, row.table, &key);
    }
    if (again.size > size ||
        (again.size && memcmp (again.data, data, again.size)))
        abort ();
    if (rc == 0 && again.size != size)
        abort ();
    fuota_batch_release (&again);
    return 0;
}
