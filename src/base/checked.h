/* Arithmetic on lengths that somebody else chose: true means it did not fit. */
#ifndef BASE_CHECKED_H
#define BASE_CHECKED_H

#define checked_add(a, b, ret) __builtin_add_overflow((a), (b), (ret))
#define checked_sub(a, b, ret) __builtin_sub_overflow((a), (b), (ret))
#define checked_mul(a, b, ret) __builtin_mul_overflow((a), (b), (ret))

#endif
