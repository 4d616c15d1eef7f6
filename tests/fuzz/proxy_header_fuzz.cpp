// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// Any bytes as a PROXY header: what a prefix is told to be is what longer ones are, and nothing but the header is taken. The
// same bytes as X-Forwarded-For and as networks: who is asked for is one of those named, or the peer.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/address_text.h"
#include "http/forwarded.h"
#include "http/proxy_header.h"
#include "property.h"

using namespace spillway;
using namespace spillway::http;

namespace {

using spillway::fuzz::require;

void check_prefixes(std::string_view bytes) {
    const ProxyHeader whole = parse_proxy_header(bytes);
    if (whole.outcome == ProxyOutcome::complete)
        require(whole.bytes != 0 && whole.bytes <= bytes.size() && whole.bytes <= kProxyHeaderMax);
    if (whole.outcome == ProxyOutcome::need_more) require(bytes.size() <= kProxyHeaderMax);
    for (std::size_t n = 0; n <= std::min(bytes.size(), kProxyHeaderMax + 1); ++n) {
        const ProxyHeader part = parse_proxy_header(bytes.substr(0, n));
        if (part.outcome == ProxyOutcome::need_more) continue;
        require(part.outcome == whole.outcome && part.bytes == whole.bytes && part.client == whole.client);
        if (part.outcome == ProxyOutcome::complete) require(n == part.bytes);
        return;
    }
    require(whole.outcome == ProxyOutcome::need_more);
}

void check_forwarded(std::string_view text) {
    const auto peer = base::parse_address("10.1.2.3");
    const auto inside = base::parse_network("10.0.0.0/8");
    const auto other = base::parse_network("2001:db8::/32");
    require(peer && inside && other);
    const std::vector<Network> trusted{*inside, *other};
    const std::size_t line = std::min(text.find('\n'), text.size());
    const std::vector<Header> headers{{"X-Forwarded-For", text.substr(0, line)},
                                      {"x-forwarded-for", text.substr(std::min(line + 1, text.size()))}};
    const Address client = forwarded_client(*peer, headers, trusted);
    require(forwarded_client(*peer, headers, {}) == *peer);
    if (client == *peer || text.find_first_of("\n") != std::string_view::npos) return;
    // One header: it names the address, between commas.
    bool named = false;
    for (std::string_view rest = text;;) {
        const std::size_t comma = rest.find(',');
        std::string_view one = rest.substr(0, comma);
        while (!one.empty() && (one.front() == ' ' || one.front() == '\t')) one.remove_prefix(1);
        while (!one.empty() && (one.back() == ' ' || one.back() == '\t')) one.remove_suffix(1);
        const auto address = base::parse_address(one);
        named = named || (address && *address == client);
        if (comma == std::string_view::npos) break;
        rest.remove_prefix(comma + 1);
    }
    require(named);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view bytes(reinterpret_cast<const char*>(data), size);
    check_prefixes(bytes);
    check_forwarded(bytes);
    if (const auto network = base::parse_network(bytes))
        require(bytes.find('/') != std::string_view::npos || base::parse_address(bytes).has_value());
    return 0;
}
