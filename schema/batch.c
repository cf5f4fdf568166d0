//  SPDX-License-Identifier: MIT

#include <stdlib.h>
#include "schema/batch.h"
#include "schema/record.h"

void
fuota_batch_release (fuota_batch_t *self)
{
    free (self->data);
    *self = (fuota_batch_t){ 0 };
}

void
fuota_batch_clear (fuota_batch_t *self)
{
    self->size = self->rows = 0;
    self->failed = false;
}

//  Room for size more bytes, or NULL with the batch marked.
static uint8_t *
s_grow (fuota_batch_t *self, size_t size)
{
    if (self->room - self->size < size) {
        size_t room = (self->size + size) * 2 + 1024;
        uint8_t *data = realloc (self->data, room);
        if (!data) {
            self->failed = true;
            return NULL;
        }
        self->data = data;
        self->room = room;
    }
    uint8_t *place = self->data + self->size;
    self->size += size;
    return place;
}

//  Row: table (1), put (1), key size (1), value size (4), key, value
static void
s_row (fuota_batch_t *self, fuota_table_t table, bool put,
    const fuota_key_t *key, fuota_slice_t value)
{
    size_t size = 7 + key->size + value.size;
    uint8_t *place = s_grow (self, size);
    if (!place)
        return;
    fuota_writer_t out = fuota_writer (place, size);
    fuota_writer_u8 (&out, (unsigned) table);
    fuota_writer_u8 (&out, put);
    fuota_writer_u8 (&out, (unsigned) key->size);
    fuota_writer_le (&out, value.size, 4);
    fuota_writer_copy (&out, key->data, key->size);
    fuota_writer_copy (&out, value.data, value.size);
    self->rows++;
}

void
fuota_batch_put (fuota_batch_t *self, fuota_table_t table,
    const fuota_key_t *key, fuota_slice_t value)
{
    s_row (self, table, true, key, value);
}

void
fuota_batch_del (fuota_batch_t *self, fuota_table_t table,
    const fuota_key_t *key)
{
    s_row (self, table, false, key, fuota_slice (NULL, 0));
}

void
fuota_batch_record (fuota_batch_t *self, fuota_table_t table,
    const fuota_key_t *key, const struct pb_msgdesc_s *fields,
    const void *record)
{
    uint8_t bytes [FUOTA_RECORD_MAX];
    size_t size = fuota_record_encode (fields, record, bytes, sizeof bytes);
    s_row (self, table, true, key, fuota_slice (bytes, size));
}

int
fuota_batch_next (fuota_reader_t *bytes, fuota_batch_row_t *row)
{
    if (!fuota_reader_left (bytes))
        return bytes->rc ? FUOTA_EFORMAT : 0;
    uint8_t table = fuota_reader_u8 (bytes);
    uint8_t put = fuota_reader_u8 (bytes);
    size_t key = fuota_reader_u8 (bytes);
    size_t value = fuota_reader_le32 (bytes);
    row->key = fuota_slice (fuota_reader_take (bytes, key), key);
    row->value = fuota_slice (fuota_reader_take (bytes, value), value);
    if (bytes->rc || table >= FUOTA_TABLES || put > 1 || !key ||
        key > FUOTA_KEY_MAX)
        return FUOTA_EFORMAT;
    row->table = (fuota_table_t) table;
    row->put = put;
    return 1;
}
