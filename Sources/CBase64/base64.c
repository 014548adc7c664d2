// Base64 wants a byte shuffle and a table in a register. SSSE3 has them, and every x86-64 processor since 2006 has
// SSSE3; but x86-64 as Swift compiles for it does not, so this is C, which can choose when it runs.
#include "CBase64.h"

#if defined(__x86_64__)
#include <immintrin.h>

// Four groups at a time: twelve bytes of the sixteen that are loaded become sixteen characters.
__attribute__((target("ssse3")))
static size_t encode_ssse3(const uint8_t *input, size_t groups, uint8_t *output) {
    // In each 32-bit lane the bytes b1 b0 b2 b1 of a group, so that every six bits lie within one 16-bit half.
    const __m128i spread = _mm_setr_epi8(1, 0, 2, 1, 4, 3, 5, 4, 7, 6, 8, 7, 10, 9, 11, 10);
    // Multiplying by powers of two shifts each half by its own distance: the first and third value to the right,
    // the second and fourth to the left.
    const __m128i odd_bits = _mm_set1_epi32(0x0FC0FC00), odd_shifts = _mm_set1_epi32(0x04000040);
    const __m128i even_bits = _mm_set1_epi32(0x003F03F0), even_shifts = _mm_set1_epi32(0x01000010);
    // What makes a character of a value when added, by class: 0 is a to z, 1 to 10 are the digits, 11 is +,
    // 12 is /, 13 is A to Z.
    const char digit = '0' - 52;
    const __m128i offsets = _mm_setr_epi8(
        'a' - 26, digit, digit, digit, digit, digit, digit, digit, digit, digit, digit, '+' - 62, '/' - 63, 'A',
        0, 0);
    size_t done = 0;
    // The load takes four bytes more than it uses, so that two groups must follow.
    while (groups - done >= 6) {
        const __m128i bytes = _mm_loadu_si128((const __m128i *)(input + done * 3));
        const __m128i lanes = _mm_shuffle_epi8(bytes, spread);
        const __m128i odd = _mm_mulhi_epu16(_mm_and_si128(lanes, odd_bits), odd_shifts);
        const __m128i even = _mm_mullo_epi16(_mm_and_si128(lanes, even_bits), even_shifts);
        const __m128i values = _mm_or_si128(odd, even);
        const __m128i upper = _mm_and_si128(_mm_cmpgt_epi8(_mm_set1_epi8(26), values), _mm_set1_epi8(13));
        const __m128i classes = _mm_or_si128(_mm_subs_epu8(values, _mm_set1_epi8(51)), upper);
        const __m128i characters = _mm_add_epi8(values, _mm_shuffle_epi8(offsets, classes));
        _mm_storeu_si128((__m128i *)(output + done * 4), characters);
        done += 4;
    }
    return done;
}
#endif

size_t framecodec_base64_encode(const uint8_t *input, size_t groups, uint8_t *output) {
#if defined(__x86_64__)
    if (__builtin_cpu_supports("ssse3")) return encode_ssse3(input, groups, output);
#endif
    (void)input, (void)groups, (void)output;
    return 0;
}
