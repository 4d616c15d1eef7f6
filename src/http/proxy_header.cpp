// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "http/proxy_header.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <cstring>
#include <optional>

#include "base/address_text.h"

namespace spillway::http {
namespace {

constexpr std::string_view kSignature2{"\r\n\r\n\0\r\nQUIT\n", 12};
constexpr std::size_t kFixed2 = 16;
constexpr std::string_view kSignature1 = "PROXY ";
constexpr std::size_t kLineMax = 107;  // with CRLF (section 2.1)

constexpr ProxyHeader kMalformed{ProxyOutcome::malformed, 0, {}};

std::uint8_t byte_at(std::string_view bytes, std::size_t i) { return static_cast<std::uint8_t>(bytes[i]); }

/// As much of the signature as has come is right.
bool may_begin(std::string_view bytes, std::string_view signature) {
    const std::size_t n = std::min(bytes.size(), signature.size());
    return bytes.substr(0, n) == signature.substr(0, n);
}

ProxyHeader parse_binary(std::string_view bytes) {
    if (bytes.size() < kFixed2) return {};
    const unsigned version_command = byte_at(bytes, 12);
    const unsigned family = byte_at(bytes, 13);
    const std::size_t length = std::size_t{byte_at(bytes, 14)} << 8 | byte_at(bytes, 15);
    if (version_command >> 4 != 2 || (version_command & 0xF) > 1 || kFixed2 + length > kProxyHeaderMax)
        return kMalformed;
    if (bytes.size() < kFixed2 + length) return {};
    ProxyHeader header{ProxyOutcome::complete, kFixed2 + length, {}};
    if ((version_command & 0xF) == 0) return header;  // LOCAL: a health check of the proxy itself
    auto& address = header.client.bytes;
    switch (family >> 4) {
        case 1:
            if (length < 12) return kMalformed;
            address[10] = address[11] = 0xFF;
            std::memcpy(address.data() + 12, bytes.data() + kFixed2, 4);
            break;
        case 2:
            if (length < 36) return kMalformed;
            std::memcpy(address.data(), bytes.data() + kFixed2, 16);
            break;
        default: break;  // unspecified, or Unix
    }
    return header;
}

bool is_port(std::string_view text) {
    std::uint16_t port = 0;
    const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), port);
    return fault == std::errc{} && end == text.data() + text.size();
}

/// "TCP4 192.0.2.1 192.0.2.2 5000 443", "TCP6 …", or "UNKNOWN" with anything behind it.
std::optional<Address> parse_words(std::string_view line) {
    std::array<std::string_view, 5> words;
    std::size_t n = 0;
    for (std::string_view rest = line; n < words.size(); ++n) {
        const std::size_t blank = rest.find(' ');
        words[n] = rest.substr(0, blank);
        if (blank == std::string_view::npos) {
            ++n;
            break;
        }
        rest.remove_prefix(blank + 1);
        if (n + 1 == words.size()) n = words.size();  // more words than there may be
    }
    if (words[0] == "UNKNOWN") return Address{};
    if (n != words.size() || !is_port(words[3]) || !is_port(words[4])) return std::nullopt;
    const bool v4 = words[0] == "TCP4";
    const auto from = base::parse_address(words[1]);
    const auto to = base::parse_address(words[2]);
    if ((!v4 && words[0] != "TCP6") || !from || !to || from->is_v4() != v4) return std::nullopt;
    return from;
}

ProxyHeader parse_line(std::string_view bytes) {
    const std::size_t end = bytes.substr(0, kLineMax).find("\r\n");
    if (end == std::string_view::npos) return bytes.size() >= kLineMax ? kMalformed : ProxyHeader{};
    const auto client = parse_words(bytes.substr(kSignature1.size(), end - kSignature1.size()));
    if (!client) return kMalformed;
    return {ProxyOutcome::complete, end + 2, *client};
}

}  // namespace

ProxyHeader parse_proxy_header(std::string_view bytes) {
    if (may_begin(bytes, kSignature2)) return bytes.size() < kSignature2.size() ? ProxyHeader{} : parse_binary(bytes);
    if (!may_begin(bytes, kSignature1)) return kMalformed;
    return bytes.size() < kSignature1.size() ? ProxyHeader{} : parse_line(bytes);
}

}  // namespace spillway::http
