#pragma once

#include <stddef.h>
#include <stdint.h>

/// Encodes groups of three bytes as four characters of base64 (RFC 4648, section 4) with vector instructions, as
/// far as the processor has them. Returns how many of the `groups` it did, from the first one on; the rest, all of
/// them where there are no such instructions, is left to the caller.
///
/// Reads nothing beyond `groups * 3` bytes of `input` and writes nothing beyond `groups * 4` bytes of `output`.
size_t framecodec_base64_encode(const uint8_t *input, size_t groups, uint8_t *output);
