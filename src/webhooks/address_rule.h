// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// Which addresses a webhook may be sent to by default: those of the public internet. Judged on the address that is
// connected to, after the name was resolved, so that no name and no second answer of a resolver leads inside.
#pragma once

#include <cstddef>
#include <span>

namespace spillway::webhooks {

/// `address`: 4 bytes of IPv4 or 16 of IPv6, in network order; any other length is not public. Loopback, private,
/// link-local (cloud metadata among them), shared, multicast, reserved and documentation addresses are not, nor any IPv6
/// address that carries such an IPv4 address. Source: the IANA special-purpose address registries (RFC 6890).
[[nodiscard]] bool is_public_address(std::span<const std::byte> address);

}  // namespace spillway::webhooks
