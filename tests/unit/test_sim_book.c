//  SPDX-License-Identifier: MIT

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "broker/host/sim_book.h"

static void
test_sim_book__put_and_get (void **state)
{
    fuota_sim_shelf_t *shelf = fuota_sim_shelf_new ();
    (void) state;
    fuota_sim_book_t *book = fuota_sim_book_open (shelf, 1, 2);
    assert_null (fuota_sim_book_get (book, 1));
    assert_null (fuota_sim_book_get (book, UINT32_MAX));
    for (uint32_t n = 1; n <= 16383; n += 77) {
        uint8_t data [2] = { (uint8_t) n, (uint8_t) (n >> 8) };
        assert_true (fuota_sim_book_put (shelf, book, n, data));
        assert_true (fuota_sim_book_put (shelf, book, n, data));
        assert_memory_equal (fuota_sim_book_get (book, n), data, 2);
        data [0]++;
        assert_false (fuota_sim_book_put (shelf, book, n, data));
        assert_null (fuota_sim_book_get (book, n + 1));
    }
    assert_false (fuota_sim_book_put (shelf, book, 16384, (uint8_t [2]){ 0 }));
    fuota_sim_book_close (shelf, &book);
    assert_null (book);
    assert_int_equal (fuota_sim_shelf_size (shelf), 0);
    fuota_sim_shelf_destroy (&shelf);
    fuota_sim_shelf_destroy (&shelf);
}

//  Open as long as somebody reads it; another size is another book
static void
test_sim_book__is_shared (void **state)
{
    fuota_sim_shelf_t *shelf = fuota_sim_shelf_new ();
    (void) state;
    fuota_sim_book_t *one = fuota_sim_book_open (shelf, 7, 1);
    fuota_sim_book_t *two = fuota_sim_book_open (shelf, 7, 1);
    fuota_sim_book_t *size = fuota_sim_book_open (shelf, 7, 2);
    fuota_sim_book_t *key = fuota_sim_book_open (shelf, 7 + 512, 1);
    assert_ptr_equal (one, two);
    assert_ptr_not_equal (one, size);
    assert_ptr_not_equal (one, key);
    assert_true (fuota_sim_book_put (shelf, one, 5, (uint8_t [1]){ 9 }));
    fuota_sim_book_close (shelf, &one);
    assert_int_equal (fuota_sim_book_get (two, 5) [0], 9);
    fuota_sim_book_close (shelf, &two);
    assert_int_equal (fuota_sim_shelf_size (shelf), 0);
    fuota_sim_book_close (shelf, &two);
    one = fuota_sim_book_open (shelf, 7, 1);
    assert_null (fuota_sim_book_get (one, 5));
    fuota_sim_shelf_destroy (&shelf);
}

int
main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test (test_sim_book__put_and_get),
        cmocka_unit_test (test_sim_book__is_shared),
    };
    return cmocka_run_group_tests_name ("sim_book", tests, NULL, NULL);
}
