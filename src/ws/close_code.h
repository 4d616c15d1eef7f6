// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// Close codes of RFC 6455 section 7.4 and the registry it opened (1012 to 1014). Codes of the client protocol (4000 and
// up) belong to the protocol floor.
#pragma once

#include <cstdint>

namespace spillway::ws {

namespace close_code {
inline constexpr std::uint16_t kNormal = 1000;
inline constexpr std::uint16_t kGoingAway = 1001;
inline constexpr std::uint16_t kProtocolError = 1002;
inline constexpr std::uint16_t kUnsupported = 1003;
/// Never on the wire: "no code was given", "no close frame came", "TLS failed".
inline constexpr std::uint16_t kNoneReceived = 1005;
inline constexpr std::uint16_t kAbnormal = 1006;
inline constexpr std::uint16_t kTlsFailed = 1015;
inline constexpr std::uint16_t kInvalidPayload = 1007;
inline constexpr std::uint16_t kPolicy = 1008;
inline constexpr std::uint16_t kTooBig = 1009;
inline constexpr std::uint16_t kExtensionRequired = 1010;
inline constexpr std::uint16_t kInternal = 1011;
inline constexpr std::uint16_t kServiceRestart = 1012;
inline constexpr std::uint16_t kTryAgainLater = 1013;
inline constexpr std::uint16_t kBadGateway = 1014;
}  // namespace close_code

/// May stand in a close frame: 1000 to 1003, 1007 to 1014, 3000 to 4999.
[[nodiscard]] constexpr bool is_valid_on_wire(std::uint32_t code) {
    return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) || (code >= 3000 && code <= 4999);
}

}  // namespace spillway::ws
