//  SPDX-License-Identifier: MIT

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdbool.h>
#include <string.h>
#include "schema/error.h"
#include "workers/package/mckey.h"

//  ---------------------------------------------------------------------
//  One block, and one CMAC

static int
s_block (const uint8_t key [16], const uint8_t in [16], uint8_t out [16],
    int encrypt)
{
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new ();
    uint8_t block [16];
    int size = 0;
    bool done =
        ctx &&
        EVP_CipherInit_ex (ctx, EVP_aes_128_ecb (), NULL, key, NULL, encrypt) &&
        EVP_CIPHER_CTX_set_padding (ctx, 0) &&
        EVP_CipherUpdate (ctx, block, &size, in, 16) && size == 16;
    if (done)
        memcpy (out, block, 16);
    OPENSSL_cleanse (block, sizeof block);
    EVP_CIPHER_CTX_free (ctx);
    return done ? 0 : FUOTA_ECRYPTO;
}

int
fuota_mckey_aes (const uint8_t key [16], const uint8_t in [16],
    uint8_t out [16])
{
    return s_block (key, in, out, 1);
}

int
fuota_mckey_aes_inverse (const uint8_t key [16], const uint8_t in [16],
    uint8_t out [16])
{
    return s_block (key, in, out, 0);
}

int
fuota_mckey_cmac (const uint8_t key [16], const uint8_t *head, size_t head_size,
    const uint8_t *body, size_t size, uint8_t out [16])
{
    char cipher [] = "AES-128-CBC";
    OSSL_PARAM params [] = {
        OSSL_PARAM_construct_utf8_string ("cipher", cipher, 0),
        OSSL_PARAM_construct_end (),
    };
    EVP_MAC *mac = EVP_MAC_fetch (NULL, "CMAC", NULL);
    EVP_MAC_CTX *ctx = mac ? EVP_MAC_CTX_new (mac) : NULL;
    size_t made = 0;
    bool done = ctx && EVP_MAC_init (ctx, key, 16, params) &&
                (!head_size || EVP_MAC_update (ctx, head, head_size)) &&
                (!size || EVP_MAC_update (ctx, body, size)) &&
                EVP_MAC_final (ctx, out, &made, 16) && made == 16;
    EVP_MAC_CTX_free (ctx);
    EVP_MAC_free (mac);
    return done ? 0 : FUOTA_ECRYPTO;
}

//  ---------------------------------------------------------------------
//  Multicast keys (reference 9.1)

//  The derivations differ in the block's first byte, and McAddr after it.
static int
s_derive (const uint8_t key [16], uint8_t first, uint32_t mc_addr,
    uint8_t out [16])
{
    uint8_t block [16] = { first, (uint8_t) mc_addr, (uint8_t) (mc_addr >> 8),
        (uint8_t) (mc_addr >> 16), (uint8_t) (mc_addr >> 24) };
    return fuota_mckey_aes (key, block, out);
}

int
fuota_mckey_root (fuota_root_t kind, const uint8_t root [16],
    uint8_t mc_root_key [16])
{
    return s_derive (root, kind == FUOTA_ROOT_APP_KEY ? 0x20 : 0x00, 0,
        mc_root_key);
}

int
fuota_mckey_kek (const uint8_t mc_root_key [16], uint8_t mc_ke_key [16])
{
    return s_derive (mc_root_key, 0x00, 0, mc_ke_key);
}

static int
s_kek_of_root (fuota_root_t kind, const uint8_t root [16], uint8_t kek [16])
{
    int rc = fuota_mckey_root (kind, root, kek);
    return rc ? rc : fuota_mckey_kek (kek, kek);
}

//  The server deciphers, so that a device needs to encipher only
int
fuota_mckey_wrap (fuota_root_t kind, const uint8_t root [16],
    const uint8_t mc_key [16], uint8_t encrypted [16])
{
    uint8_t kek [16];
    int rc = s_kek_of_root (kind, root, kek);
    if (!rc)
        rc = fuota_mckey_aes_inverse (kek, mc_key, encrypted);
    fuota_mckey_wipe (kek, sizeof kek);
    return rc;
}

int
fuota_mckey_unwrap (fuota_root_t kind, const uint8_t root [16],
    const uint8_t encrypted [16], uint8_t mc_key [16])
{
    uint8_t kek [16];
    int rc = s_kek_of_root (kind, root, kek);
    if (!rc)
        rc = fuota_mckey_aes (kek, encrypted, mc_key);
    fuota_mckey_wipe (kek, sizeof kek);
    return rc;
}

int
fuota_mckey_session (const uint8_t mc_key [16], uint32_t mc_addr,
    uint8_t mc_app_s_key [16], uint8_t mc_nwk_s_key [16])
{
    uint8_t app [16], nwk [16];
    int rc = s_derive (mc_key, 0x01, mc_addr, app);
    if (!rc)
        rc = s_derive (mc_key, 0x02, mc_addr, nwk);
    if (!rc) {
        memcpy (mc_app_s_key, app, 16);
        memcpy (mc_nwk_s_key, nwk, 16);
    }
    fuota_mckey_wipe (app, sizeof app);
    fuota_mckey_wipe (nwk, sizeof nwk);
    return rc;
}

//  ---------------------------------------------------------------------
//  The data block (reference 9.2, 9.3)

//  Both rules give the same block; the kind says only whose key it is
int
fuota_mckey_int_key (fuota_root_t kind, const uint8_t root [16],
    uint8_t int_key [16])
{
    (void) kind;
    return s_derive (root, 0x30, 0, int_key);
}

int
fuota_mckey_block_mic (const uint8_t int_key [16], uint16_t session_cnt,
    uint8_t frag_index, const uint8_t descriptor [4], const uint8_t *block,
    size_t size, uint8_t mic [4])
{
    uint8_t b0 [16] = { 0x49, (uint8_t) session_cnt,
        (uint8_t) (session_cnt >> 8), frag_index };
    uint8_t cmac [16];
    if (size > UINT32_MAX)
        return FUOTA_EVALUE;
    memcpy (b0 + 4, descriptor, 4);
    for (unsigned i = 0; i < 4; i++)
        b0 [12 + i] = (uint8_t) (size >> 8 * i);
    int rc = fuota_mckey_cmac (int_key, b0, 16, block, size, cmac);
    if (!rc)
        memcpy (mic, cmac, 4);
    return rc;
}

//  ---------------------------------------------------------------------
//  Class B (reference 10.3)

int
fuota_mckey_ping_offset (uint32_t beacon_time, uint32_t mc_addr,
    unsigned periodicity, uint16_t *offset)
{
    static const uint8_t zero [16];
    uint8_t block [16] = { 0 };
    if (periodicity > 7)
        return FUOTA_EVALUE;
    for (unsigned i = 0; i < 4; i++) {
        block [i] = (uint8_t) (beacon_time >> 8 * i);
        block [4 + i] = (uint8_t) (mc_addr >> 8 * i);
    }
    int rc = fuota_mckey_aes (zero, block, block);
    if (rc)
        return rc;
    unsigned period = 32u << periodicity;
    *offset = (uint16_t) ((block [0] | (unsigned) block [1] << 8) % period);
    return 0;
}

void
fuota_mckey_wipe (void *key, size_t size)
{
    OPENSSL_cleanse (key, size);
}

void
fuota_mckey_thread_end (void)
{
    OPENSSL_thread_stop ();
}
