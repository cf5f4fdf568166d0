//  SPDX-License-Identifier: MIT

#include "schema/key.h"

fuota_key_t
fuota_key_bytes (const void *data, size_t size)
{
    fuota_key_t key = { .size = size < FUOTA_KEY_MAX ? size : FUOTA_KEY_MAX };
    memcpy (key.data, data, key.size);
    return key;
}

static void
s_add (fuota_key_t *key, const void *data, size_t size)
{
    memcpy (key->data + key->size, data, size);
    key->size += size;
}

static void
s_add_be (fuota_key_t *key, uint64_t value, size_t size)
{
    fuota_writer_t out =
        fuota_writer (key->data + key->size, FUOTA_KEY_MAX - key->size);
    fuota_writer_be (&out, value, size);
    key->size += out.at;
}

fuota_key_t
fuota_key_id (const uint8_t *id)
{
    return fuota_key_bytes (id, FUOTA_ID_SIZE);
}

fuota_key_t
fuota_key_device (const uint8_t *id, uint64_t dev_eui)
{
    fuota_key_t key = fuota_key_id (id);
    s_add_be (&key, dev_eui, 8);
    return key;
}

fuota_key_t
fuota_key_eui (uint64_t dev_eui)
{
    fuota_key_t key = { .size = 0 };
    s_add_be (&key, dev_eui, 8);
    return key;
}

fuota_key_t
fuota_key_route (uint64_t dev_eui, const uint8_t *id)
{
    fuota_key_t key = fuota_key_eui (dev_eui);
    s_add (&key, id, FUOTA_ID_SIZE);
    return key;
}

fuota_key_t
fuota_key_counter (uint64_t dev_eui, unsigned frag_index)
{
    fuota_key_t key = fuota_key_eui (dev_eui);
    s_add_be (&key, frag_index, 1);
    return key;
}

fuota_key_t
fuota_key_outbox (fuota_owner_t owner, uint64_t row)
{
    fuota_key_t key = { .size = 0 };
    s_add_be (&key, (uint64_t) owner, 1);
    s_add_be (&key, row, 8);
    return key;
}

fuota_key_t
fuota_key_order (uint64_t seq)
{
    fuota_key_t key = { .size = 0 };
    s_add_be (&key, seq, 8);
    return key;
}

fuota_key_t
fuota_key_journal (const uint8_t *id, uint64_t seq)
{
    fuota_key_t key = fuota_key_id (id);
    s_add_be (&key, seq, 8);
    return key;
}

fuota_key_t
fuota_key_air (uint64_t gateway, uint32_t low)
{
    fuota_key_t key = fuota_key_eui (gateway);
    s_add_be (&key, low, 4);
    return key;
}
