// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// Digests and signatures as the protocols need them: text in, text out. OpenSSL stays behind digest.cpp.
// All functions may be called from any thread; each thread keeps its own contexts and the keyed state of the secrets it
// used last, so a signature costs two or three compressions and no allocation inside.
#pragma once

#include <array>
#include <cstddef>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>

namespace spillway::crypto {

/// Base64 (RFC 4648, padded) of SHA-1: 28 characters. RFC 6455 section 4.2.2 asks for it; nothing else may use SHA-1.
[[nodiscard]] std::string sha1_base64(std::string_view message);

/// Lower-case hex of MD5: 32 characters. The HTTP API's body_md5; not a protection by itself, the signature covers it.
[[nodiscard]] std::string md5_hex(std::string_view message);

inline constexpr std::size_t kHmacSha256HexBytes = 64;

/// Lower-case hex of HMAC-SHA256, in place.
using HmacSha256Hex = std::array<char, kHmacSha256HexBytes>;

/// HMAC-SHA256 of the pieces one after the other (nothing between them), without joining them.
[[nodiscard]] HmacSha256Hex hmac_sha256(std::string_view secret, std::span<const std::string_view> pieces);

/// Lower-case hex of HMAC-SHA256: 64 characters.
[[nodiscard]] std::string hmac_sha256_hex(std::string_view secret, std::string_view message);
[[nodiscard]] std::string hmac_sha256_hex(std::string_view secret, std::span<const std::string_view> pieces);
[[nodiscard]] std::string hmac_sha256_hex(std::string_view secret, std::initializer_list<std::string_view> pieces);

/// Whether `hex` is the signature of the pieces, compared in constant time. Lower-case hex only: upper case, any other
/// length and any other character are simply no match.
[[nodiscard]] bool hmac_sha256_matches(std::string_view secret, std::span<const std::string_view> pieces,
                                       std::string_view hex);
[[nodiscard]] bool hmac_sha256_matches(std::string_view secret, std::initializer_list<std::string_view> pieces,
                                       std::string_view hex);

/// Equality whose time depends on the lengths only, never on where the first difference is.
[[nodiscard]] bool equal_constant_time(std::string_view a, std::string_view b);

}  // namespace spillway::crypto
