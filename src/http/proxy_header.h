// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// The PROXY protocol, versions 1 and 2 (https://www.haproxy.org/download/2.9/doc/proxy-protocol.txt): what a proxy that passes
// TCP on says first. Parsed only where it is expected; nobody guesses.
#pragma once

#include <cstddef>
#include <string_view>

#include <spillway/address.h>

namespace spillway::http {

enum class ProxyOutcome : unsigned char { need_more, complete, malformed };

struct ProxyHeader {
    ProxyOutcome outcome = ProxyOutcome::need_more;
    std::size_t bytes = 0;  // complete: of the header; the request is behind it
    Address client{};       // none: the proxy speaks for itself (LOCAL, UNKNOWN) or for what has no address
};

/// Longest header taken, its extensions (TLVs, which are not looked at) included.
inline constexpr std::size_t kProxyHeaderMax = 2048;

/// Reads the header at the beginning of `bytes`, all that has come so far.
[[nodiscard]] ProxyHeader parse_proxy_header(std::string_view bytes);

}  // namespace spillway::http
